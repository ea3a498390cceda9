"""`AsyncEventLog` over JetStream: appending and reading, and the pages that both doors read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from mink_core.direction import Direction
from mink_core.encoded import decode_event
from mink_core.errors import StreamNotFoundError
from mink_core.events import Page, StoredEvent, StreamInfo
from mink_core.filters import EVERYTHING, EventFilter
from mink_core.limits import category_of, check_stream_id
from mink_core.prepare import prepare_append, prepare_batch
from mink_core.runtime.checks import check_feed, check_poll, check_read_stream, check_streams
from mink_core.runtime.substores import SubStores
from mink_jetstream.feed import Feed, FeedPages, StreamPages
from mink_jetstream.listing import StreamsPages

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from mink_core.encoded import EncodedEvent
    from mink_core.events import AppendResult, NewEvent, StoreIdentity, StreamAppend
    from mink_core.expected import Expected
    from mink_core.feed_status import FeedStatus
    from mink_core.outbox import OutboxMessage
    from mink_jetstream.appending import Appending
    from mink_jetstream.connection import Connection
    from mink_jetstream.options import Options
    from mink_jetstream.place import Place
    from mink_jetstream.reading import Reading


class AsyncJetStreamEventLog(SubStores, ABC):
    """See `mink_core.AsyncEventLog`."""

    adapter_name = "jetstream"
    _options: Options
    _connection: Connection
    _place: Place
    _reading: Reading
    _appending: Appending
    _feed: Feed

    @abstractmethod
    def _listen(self) -> None:
        """Have who follows the feed woken, if anybody does."""

    def check_open(self) -> None:
        """Refuse the use of a closed store.

        Raises:
            StoreClosedError: It is closed.
        """
        self._connection.check_open()

    def decode(self, row: EncodedEvent) -> StoredEvent:
        """The event of a row."""
        return decode_event(row, self._options.transforms)

    # Appending

    async def append(
        self,
        stream_id: str,
        events: Iterable[NewEvent],
        *,
        expected_version: Expected,
        outbox: OutboxMessage | Iterable[OutboxMessage] = (),
    ) -> AppendResult:
        """See `EventLog.append`."""
        self.check_open()
        self.refuse_messages(outbox)
        item = prepare_append(stream_id, events, expected_version, self._options.transforms)
        await self._place.ready()
        return (await self._appending.append([item]))[0]

    async def append_batch(self, items: Iterable[StreamAppend]) -> list[AppendResult]:
        """See `EventLog.append_batch`."""
        self.check_open()
        prepared = prepare_batch(items, self._options.transforms)
        await self._place.ready()
        return await self._appending.append(prepared)

    # Reading

    def stream_pages(self, stream_id: str, after_version: int, limit: int | None, direction: Direction) -> StreamPages:
        """The pages of `read_stream`, once its arguments are checked."""
        self.check_open()
        check_read_stream(stream_id, after_version, limit, direction)
        backward = direction is Direction.BACKWARD
        return StreamPages(self._reading, stream_id, after=after_version, limit=limit, backward=backward)

    def feed_pages(
        self,
        after_position: int,
        limit: int | None,
        where: EventFilter,
        direction: Direction,
        identity: StoreIdentity | None,
    ) -> FeedPages:
        """The pages of `read_all`, once its arguments are checked."""
        self.check_open()
        check_feed(after_position, limit, where, identity, direction)
        return FeedPages(
            self._feed,
            self._reading,
            after=after_position,
            limit=limit,
            where=where,
            identity=identity,
            backward=direction is Direction.BACKWARD,
        )

    async def next_page(self, pages: StreamPages | FeedPages) -> list[EncodedEvent]:
        """The next page of one of these; empty at the end."""
        await self._place.ready()
        return await pages.page()

    async def _events(self, pages: StreamPages | FeedPages) -> AsyncIterator[StoredEvent]:
        decode = self.decode
        while rows := await self.next_page(pages):
            for row in rows:
                yield decode(row)

    def read_stream(
        self,
        stream_id: str,
        *,
        after_version: int = 0,
        limit: int | None = None,
        direction: Direction = Direction.FORWARD,
    ) -> AsyncIterator[StoredEvent]:
        """See `EventLog.read_stream`."""
        return self._events(self.stream_pages(stream_id, after_version, limit, direction))

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
        return self._events(self.feed_pages(after_position, limit, where, direction, identity))

    async def poll(
        self,
        after_position: int,
        *,
        limit: int = 100,
        where: EventFilter = EVERYTHING,
        identity: StoreIdentity | None = None,
    ) -> Page:
        """See `EventLog.poll`."""
        self.check_open()
        check_poll(after_position, limit, where, identity)
        await self._place.ready()
        self._listen()
        rows, position = await self._feed.poll(after_position, limit, where, identity)
        return Page([self.decode(row) for row in rows], position)

    async def stream_info(self, stream_id: str) -> StreamInfo:
        """See `EventLog.stream_info`."""
        self.check_open()
        check_stream_id(stream_id)
        await self._place.ready()
        if (found := await self._reading.ends(stream_id)) is None:
            raise StreamNotFoundError(stream_id)
        oldest, newest = found
        return StreamInfo(stream_id, category_of(stream_id), newest.version, oldest.timestamp, newest.timestamp)

    def streams_pages(self, category: str | None, after: str | None, limit: int | None) -> StreamsPages:
        """The pages of `streams`, once its arguments are checked."""
        self.check_open()
        check_streams(category, after, limit)
        return StreamsPages(self._place, self.stream_info, category, after, limit)

    def streams(
        self, *, category: str | None = None, after: str | None = None, limit: int | None = None
    ) -> AsyncIterator[StreamInfo]:
        """See `EventLog.streams`."""
        return self._streams(self.streams_pages(category, after, limit))

    async def _streams(self, pages: StreamsPages) -> AsyncIterator[StreamInfo]:
        while found := await pages.page():
            for info in found:
                yield info

    async def head_position(self) -> int:
        """See `EventLog.head_position`."""
        return (await self.feed_status()).head

    async def feed_status(self) -> FeedStatus:
        """See `Subscriber.feed_status`."""
        self.check_open()
        await self._place.ready()
        return await self._feed.status()
