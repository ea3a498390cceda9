"""`SyncLog` for asyncio."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, TypeVar

from mink_core.direction import Direction
from mink_core.filters import EVERYTHING, EventFilter
from mink_core.limits import check_stream_id
from mink_core.prepare import prepare_append, prepare_batch
from mink_core.prepare_substores.outbox import with_messages
from mink_core.runtime.checks import check_feed, check_poll, check_read_stream, check_streams
from mink_postgres.programs import appending, feed, reading
from mink_postgres.rows import consumed
from mink_postgres.substores import AsyncPostgresSubStores

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from mink_core.events import AppendResult, NewEvent, Page, StoredEvent, StoreIdentity, StreamAppend, StreamInfo
    from mink_core.expected import Expected
    from mink_core.outbox import OutboxMessage
    from mink_postgres.query import Program

T = TypeVar("T")


class AsyncLog(AsyncPostgresSubStores):
    """Implements `mink_core.AsyncEventLog` over `_run`."""

    reads_the_newest = True
    """See `mink_core.adapter.AsyncUpdating`."""

    async def _run_whole(self, program: Program[T]) -> T:
        """Run a program whose statements rest on each other: one server answers them all, or it fails."""
        return await self._run(program)

    @abstractmethod
    def _check_open(self) -> None:
        """Raise `StoreClosedError` when closed."""

    def _appended(self) -> None:
        """Note that an append was done: committed by a store, in a transaction to be committed."""

    async def append(
        self,
        stream_id: str,
        events: Iterable[NewEvent],
        *,
        expected_version: Expected,
        outbox: OutboxMessage | Iterable[OutboxMessage] = (),
    ) -> AppendResult:
        """See `mink_core.EventLog.append`."""
        item = with_messages(prepare_append(stream_id, events, expected_version, self._context.transforms), outbox)
        result = await self._run(appending.append(self._context, item))
        self._appended()
        return result

    async def append_batch(self, items: Iterable[StreamAppend]) -> list[AppendResult]:
        """See `mink_core.EventLog.append_batch`."""
        prepared = prepare_batch(items, self._context.transforms)
        results = await self._run(appending.append_batch(self._context, prepared))
        self._appended()
        return results

    def read_stream(
        self,
        stream_id: str,
        *,
        after_version: int = 0,
        limit: int | None = None,
        direction: Direction = Direction.FORWARD,
    ) -> AsyncIterator[StoredEvent]:
        """See `mink_core.EventLog.read_stream`."""
        check_read_stream(stream_id, after_version, limit, direction)
        self._check_open()
        return self._pages(reading.StreamReader(self._context, stream_id, after_version, limit, direction))

    def read_all(
        self,
        *,
        after_position: int = 0,
        limit: int | None = None,
        where: EventFilter = EVERYTHING,
        direction: Direction = Direction.FORWARD,
        identity: StoreIdentity | None = None,
    ) -> AsyncIterator[StoredEvent]:
        """See `mink_core.EventLog.read_all`."""
        check_feed(after_position, limit, where, identity, direction)
        self._check_open()
        return self._pages(feed.FeedReader(self._context, after_position, limit, where, direction, identity))

    async def poll(
        self,
        after_position: int,
        *,
        limit: int = 100,
        where: EventFilter = EVERYTHING,
        identity: StoreIdentity | None = None,
    ) -> Page:
        """See `mink_core.EventLog.poll`."""
        check_poll(after_position, limit, where, identity)
        return await self._run_whole(feed.poll(self._context, after_position, limit, where, identity))

    async def stream_info(self, stream_id: str) -> StreamInfo:
        """See `mink_core.EventLog.stream_info`."""
        return await self._run(reading.read_info(self._context, check_stream_id(stream_id)))

    def streams(
        self, *, category: str | None = None, after: str | None = None, limit: int | None = None
    ) -> AsyncIterator[StreamInfo]:
        """See `mink_core.EventLog.streams`."""
        check_streams(category, after, limit)
        self._check_open()
        return self._pages(reading.StreamsReader(self._context, category, after, limit))

    async def head_position(self) -> int:
        """See `mink_core.EventLog.head_position`."""
        return await self._run_whole(feed.head_position(self._context))

    async def _pages(self, reader: reading.Reader[T]) -> AsyncIterator[T]:
        while (program := reader.next_page()) is not None:
            rows = await (self._run_whole if reader.looks else self._run)(program)
            for item in consumed(reader.items(rows), reader.readable):
                yield item
