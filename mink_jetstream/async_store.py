"""The async store."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NoReturn, Self
from weakref import WeakSet

import msgspec

from mink_core.administration import RelationSize, StoreStatistics
from mink_core.capability import Capability
from mink_core.errors import CapabilityNotSupportedError
from mink_core.runtime.following import AsyncFollowed
from mink_core.runtime.updating import AsyncUpdating
from mink_jetstream.answers import server_time
from mink_jetstream.appending import Appending
from mink_jetstream.async_event_log import AsyncJetStreamEventLog
from mink_jetstream.connection import Connection
from mink_jetstream.feed import Feed
from mink_jetstream.health import diagnoses, findings, lags
from mink_jetstream.importing import Importing
from mink_jetstream.jetstream import JetStream
from mink_jetstream.making import make
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

if TYPE_CHECKING:
    from datetime import datetime, timedelta
    from types import TracebackType

    from mink_core.administration import Diagnosis
    from mink_core.events import StoreIdentity
    from mink_core.finding import Finding
    from mink_core.limits import Limits
    from mink_core.runtime.async_subscription import AsyncPollingSubscription
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


class AsyncJetStreamEventStore(AsyncJetStreamEventLog, AsyncUpdating, AsyncFollowed):
    """An event store in NATS JetStream; see `mink_core.AsyncStore`.

    It belongs to the event loop in which it is used first. It has one connection, which carries any number
    of calls at a time.
    """

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
        self._connection = Connection(chosen)
        self._place = Place(JetStream(self._connection, chosen), chosen)
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

    async def initialize(self) -> None:
        """See `EventStore.initialize`."""
        self.check_open()
        await make(self._place)
        await self._place.ready()

    # Following

    def _watch(self, worker: AsyncPollingSubscription | AsyncSubscriptionWorker) -> None:
        self.check_open()
        self._followers.add(worker)

    def _has_followers(self) -> bool:
        return bool(self._followers)

    def _listen(self) -> None:
        if self._has_followers():
            self._wakeups.ensure()

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
        return await self._place.present()

    async def bump_epoch(self) -> StoreIdentity:
        """Say that the newest events may be lost, after a restore: readers are told (FEED-08)."""
        self.check_open()
        return await self._place.bump_epoch()

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
        try:
            if not self._connection.is_inherited:
                await self._wakeups.close()
        finally:  # also where it was interrupted: a second call finds nothing to close
            await self._connection.close()

    async def open(self) -> None:
        """Connect."""
        await self._connection.client()

    async def __aenter__(self) -> Self:
        try:
            await self.open()
        except asyncio.CancelledError:
            await self.close()  # its block is not entered, and the connection is still being made
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
