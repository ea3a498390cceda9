"""The async store."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NoReturn, Self
from weakref import WeakSet

import msgspec

from mink_core.administration import RelationSize, StoreStatistics
from mink_core.capability import Capability
from mink_core.direction import Direction
from mink_core.encoded import decode_event
from mink_core.errors import CapabilityNotSupportedError, StreamNotFoundError
from mink_core.events import Page, StoredEvent, StreamInfo
from mink_core.filters import EVERYTHING, EventFilter
from mink_core.limits import category_of, check_stream_id
from mink_core.prepare import prepare_append, prepare_batch
from mink_core.runtime.async_subscription import AsyncPollingSubscription
from mink_core.runtime.checks import check_feed, check_poll, check_read_stream, check_streams
from mink_core.runtime.durable import AsyncDurable
from mink_core.runtime.substores import SubStores
from mink_core.runtime.updating import AsyncUpdating
from mink_core.subscriber import POLL_INTERVAL
from mink_jetstream.appending import Appending
from mink_jetstream.feed import Feed, FeedPages, StreamPages
from mink_jetstream.health import diagnoses, findings, lags
from mink_jetstream.importing import Importing
from mink_jetstream.jetstream import JetStream, server_time
from mink_jetstream.listing import StreamsPages
from mink_jetstream.options import Options, options_of
from mink_jetstream.place import Place
from mink_jetstream.reading import Reading
from mink_jetstream.records import Records
from mink_jetstream.substores import (
    AsyncJetStreamCheckpoints,
    AsyncJetStreamParkedEvents,
    AsyncJetStreamSnapshots,
    AsyncJetStreamSubscriptions,
)
from mink_jetstream.wakeups import Wakeups
from mink_jetstream.wire import Wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from datetime import datetime, timedelta
    from types import TracebackType

    from mink_core.administration import Diagnosis
    from mink_core.encoded import EncodedEvent
    from mink_core.events import AppendResult, NewEvent, StoreIdentity, StreamAppend
    from mink_core.expected import Expected
    from mink_core.feed_status import FeedStatus
    from mink_core.finding import Finding
    from mink_core.limits import Limits
    from mink_core.outbox import OutboxMessage
    from mink_core.runtime.worker import AsyncSubscriptionWorker
    from mink_jetstream.subjects import Keys

CAPABILITIES = frozenset(
    {
        Capability.APPEND_BATCH,
        Capability.BACKWARDS,
        Capability.CHECKPOINTS,
        Capability.DURABLE_SUBSCRIPTIONS,
        Capability.METADATA_FILTER,
        Capability.PARTITIONS,
        Capability.SNAPSHOTS,
        Capability.SUBSCRIBE,
        Capability.TIME_FILTER,
    }
)
"""What JetStream can keep. It has no transaction over several calls, so neither an outbox, nor privacy operations."""


class AsyncJetStreamEventStore(SubStores, AsyncUpdating, AsyncDurable):
    """An event store in NATS JetStream; see `mink_core.AsyncStore`.

    It belongs to the event loop in which it is used first. It has one connection, which carries any number
    of calls at a time.
    """

    adapter_name = "jetstream"

    def __init__(self, url: str | Options, **options: Any) -> None:
        """Take the URL; nothing is connected before the first use.

        Args:
            url: `nats://[user:password@]host[:port][,host2,…]/store`, with options in its query; or what such a URL
                was read to.
            options: See `Options`; they win over the query.

        Raises:
            UsageError: The URL or an option is wrong.
        """
        chosen = url if isinstance(url, Options) else options_of(url, options)
        self._options = chosen
        self._wire = Wire(chosen)
        self._place = Place(JetStream(self._wire, chosen), chosen)
        self._reading = Reading(self._place)
        self._appending = Appending(self._place, self._reading)
        self._feed = Feed(self._place, self._reading)
        self._records = Records(self._place)
        self._wakeups = Wakeups(self._place, self._nudge)
        self._followers: WeakSet[AsyncPollingSubscription | AsyncSubscriptionWorker] = WeakSet()

    @property
    def options(self) -> Options:
        """What the store was made with."""
        return self._options

    @property
    def capabilities(self) -> frozenset[Capability]:
        """See `EventStore.capabilities`."""
        return CAPABILITIES

    @property
    def limits(self) -> Limits:
        """What the servers take of events, once they are known; a call's 1,000 are the limit of a batch."""
        return self._appending.limits

    def decode(self, row: EncodedEvent) -> StoredEvent:
        """The event of a row."""
        return decode_event(row, self._options.transforms)

    async def initialize(self) -> None:
        """See `EventStore.initialize`."""
        self.check_open()
        await self._place.initialize()
        await self._place.ready()

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
        if self._has_followers():
            self._wakeups.ensure()
        rows, position = await self._feed.poll(after_position, limit, where, identity)
        return Page([self.decode(row) for row in rows], position)

    async def stream_info(self, stream_id: str) -> StreamInfo:
        """See `EventLog.stream_info`."""
        self.check_open()
        check_stream_id(stream_id)
        await self._place.ready()
        newest, oldest = await asyncio.gather(self._reading.newest(stream_id), self._reading.oldest(stream_id))
        if newest is None or oldest is None:
            raise StreamNotFoundError(stream_id)
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

    # Following

    def subscribe(
        self,
        *,
        after_position: int = 0,
        where: EventFilter = EVERYTHING,
        batch_size: int = 100,
        poll_interval: float = POLL_INTERVAL,
        identity: StoreIdentity | None = None,
    ) -> AsyncPollingSubscription:
        """See `Subscriber.subscribe`."""
        self.check_open()
        subscription = AsyncPollingSubscription(
            self,
            after_position=after_position,
            where=where,
            batch_size=batch_size,
            poll_interval=poll_interval,
            identity=identity,
        )
        self._followers.add(subscription)
        return subscription

    def _watch(self, worker: AsyncSubscriptionWorker) -> None:
        self.check_open()
        self._followers.add(worker)

    def _has_followers(self) -> bool:
        return bool(self._followers)

    def _nudge(self) -> bool:
        followers = list(self._followers)
        for follower in followers:
            follower.nudge()
        return bool(followers)

    # The stores around the log

    @property
    def keys(self) -> Keys:
        """How records are named."""
        return self._place.keys

    async def records(self) -> Records:
        """The records beside the log."""
        self.check_open()
        await self._place.ready()
        return self._records

    @property
    def checkpoints(self) -> AsyncJetStreamCheckpoints:
        """Named positions (`Capability.CHECKPOINTS`)."""
        return AsyncJetStreamCheckpoints(self)

    @property
    def snapshots(self) -> AsyncJetStreamSnapshots:
        """Snapshots by stream (`Capability.SNAPSHOTS`)."""
        return AsyncJetStreamSnapshots(self, self._reading, self.decode)

    @property
    def subscriptions(self) -> AsyncJetStreamSubscriptions:
        """Durable subscriptions: leases, pause, rewind, lag (`Capability.DURABLE_SUBSCRIPTIONS`)."""
        return AsyncJetStreamSubscriptions(self, self._feed)

    @property
    def parked(self) -> AsyncJetStreamParkedEvents:
        """Events that a subscription's handler failed on (`Capability.DURABLE_SUBSCRIPTIONS`)."""
        return AsyncJetStreamParkedEvents(self)

    def transaction(self) -> NoReturn:
        """Refused: JetStream has no transaction over several calls."""
        self.check_open()
        raise CapabilityNotSupportedError(self.adapter_name, Capability.TRANSACTIONS)

    # The store itself

    async def identity(self) -> StoreIdentity:
        """See `Subscriber.identity`."""
        self.check_open()
        return self._place.identity_of(await self._place.info())

    async def bump_epoch(self) -> StoreIdentity:
        """Say that the newest events may be lost, after a restore: readers are told (FEED-08)."""
        self.check_open()
        return await self._place.bump_epoch()

    async def feed_status(self) -> FeedStatus:
        """See `Subscriber.feed_status`."""
        self.check_open()
        await self._place.ready()
        return await self._feed.status()

    async def check(self) -> list[Finding]:
        """See `AsyncStore.check`: also what makes acknowledged events less safe than they could be."""
        self.check_open()
        await self._place.ready()
        return await findings(self._place)

    async def ping(self) -> None:
        """See `EventStore.ping`."""
        self.check_open()
        await self._place.jetstream.account()

    # For administration

    def importing(self) -> Importing:
        """Stores events as they are."""
        return Importing(self._place, self._reading)

    async def created_at(self) -> datetime:
        """When the store was made."""
        return server_time((await self._place.info()).created)

    async def diagnose(self, max_lag: float) -> list[Diagnosis]:
        """How the servers keep the store, and how far its subscriptions are."""
        await self._place.ready()
        return [*await diagnoses(self._place), *lags(await self.subscriptions.list(), max_lag)]

    async def statistics(self, minute: timedelta, hour: timedelta) -> StoreStatistics:
        """How much the store holds, and how much of it is new."""
        await self._place.ready()
        info, bucket = await self._place.info(), await self._place.jetstream.info(self._place.bucket)
        now, state = server_time(info.ts), info.state
        sizes = tuple(
            RelationSize(name, of.messages, of.bytes)
            for name, of in ((self._place.stream, state), (self._place.bucket, bucket.state))
        )
        return StoreStatistics(
            state.last_seq,
            state.last_seq,
            state.messages,
            state.num_subjects,
            await self._reading.since(now - minute, state.last_seq),
            await self._reading.since(now - hour, state.last_seq),
            sizes,
            (),
            sum(size.bytes for size in sizes),
        )

    async def drop(self, name: str) -> None:
        """Remove a store on the same servers, with all that is in it; for tests."""
        options = msgspec.structs.replace(self._options, store=name)
        await Place(self._place.jetstream, options).drop()

    async def close(self) -> None:
        """See `EventStore.close`."""
        for follower in list(self._followers):
            follower.stop()
        await self._wakeups.close()
        await self._wire.close()

    def check_open(self) -> None:
        """Refuse the use of a closed store.

        Raises:
            StoreClosedError: It is closed.
        """
        self._wire.check_open()

    async def open(self) -> None:
        """Connect."""
        await self._wire.client()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
