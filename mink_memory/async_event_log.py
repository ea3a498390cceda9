"""`AsyncEventLog` over a view: what the async store and its transactions have in common."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from mink_core.direction import Direction
from mink_core.filters import EVERYTHING, EventFilter
from mink_core.prepare import prepare_append, prepare_batch
from mink_core.prepare_substores.outbox import prepare_messages
from mink_memory.changes.outbox import add_with_append

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Sequence

    from mink_core.events import AppendResult, NewEvent, Page, StoredEvent, StoreIdentity, StreamAppend, StreamInfo
    from mink_core.expected import Expected
    from mink_core.outbox import OutboxMessage
    from mink_core.prepare import PreparedAppend
    from mink_memory.handle import Handle
    from mink_memory.records import Change
    from mink_memory.rows import Row
    from mink_memory.view import View


class AsyncMemoryEventLog(ABC):
    """See `mink_core.AsyncEventLog`. Iterators let other tasks run at each page."""

    _handle: Handle[Any]
    _view: View

    @abstractmethod
    async def _write(self, items: list[PreparedAppend], beside: Change[None] | None = None) -> list[AppendResult]:
        """Store checked appends and what is beside them, waiting for locks where that is needed."""

    async def append(
        self,
        stream_id: str,
        events: Iterable[NewEvent],
        *,
        expected_version: Expected,
        outbox: OutboxMessage | Iterable[OutboxMessage] = (),
    ) -> AppendResult:
        """See `EventLog.append`."""
        self._view.check()
        item = prepare_append(stream_id, events, expected_version, self._handle.transforms)
        beside = add_with_append(prepare_messages(outbox, item)) if outbox != () else None
        return (await self._write([item], beside))[0]

    async def append_batch(self, items: Iterable[StreamAppend]) -> list[AppendResult]:
        """See `EventLog.append_batch`."""
        self._view.check()
        return await self._write(prepare_batch(items, self._handle.transforms))

    def read_stream(
        self,
        stream_id: str,
        *,
        after_version: int = 0,
        limit: int | None = None,
        direction: Direction = Direction.FORWARD,
    ) -> AsyncIterator[StoredEvent]:
        """See `EventLog.read_stream`."""
        return self._events(self._view.stream_pages(stream_id, after_version, limit, direction))

    def read_all(
        self,
        *,
        after_position: int = 0,
        limit: int | None = None,
        where: EventFilter = EVERYTHING,
        direction: Direction = Direction.FORWARD,
        identity: StoreIdentity | None = None,
    ) -> AsyncIterator[StoredEvent]:
        """See `EventLog.read_all`."""
        return self._events(self._view.feed_pages(after_position, limit, where, direction, identity))

    async def _events(self, pages: Iterator[list[Row]]) -> AsyncIterator[StoredEvent]:
        decode = self._view.decode
        for rows in pages:
            for row in rows:
                yield decode(row)
            await asyncio.sleep(0)

    async def poll(
        self,
        after_position: int,
        *,
        limit: int = 100,
        where: EventFilter = EVERYTHING,
        identity: StoreIdentity | None = None,
    ) -> Page:
        """See `EventLog.poll`."""
        page = self._view.poll(after_position, limit, where, identity)
        await asyncio.sleep(0)
        return page

    async def stream_info(self, stream_id: str) -> StreamInfo:
        """See `EventLog.stream_info`."""
        return self._view.stream_info(stream_id)

    def streams(
        self, *, category: str | None = None, after: str | None = None, limit: int | None = None
    ) -> AsyncIterator[StreamInfo]:
        """See `EventLog.streams`."""
        return self._infos(self._view.info_pages(category, after, limit))

    @staticmethod
    async def _infos(pages: Iterator[Sequence[StreamInfo]]) -> AsyncIterator[StreamInfo]:
        for infos in pages:
            for info in infos:
                yield info
            await asyncio.sleep(0)

    async def head_position(self) -> int:
        """See `EventLog.head_position`."""
        return self._view.head_position()
