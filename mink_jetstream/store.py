"""The sync store: the async one, driven from threads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, Self
from weakref import WeakSet

from mink_core.capability import Capability
from mink_core.direction import Direction
from mink_core.errors import CapabilityNotSupportedError, StoreClosedError
from mink_core.filters import EVERYTHING, EventFilter
from mink_core.runtime.durable import Durable
from mink_core.runtime.subscription import PollingSubscription
from mink_core.runtime.substores import SubStores
from mink_core.runtime.updating import Updating
from mink_core.subscriber import POLL_INTERVAL
from mink_jetstream.async_store import AsyncJetStreamEventStore
from mink_jetstream.portal import Portal
from mink_jetstream.substores import (
    JetStreamCheckpoints,
    JetStreamParkedEvents,
    JetStreamSnapshots,
    JetStreamSubscriptions,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

    from mink_core.events import AppendResult, NewEvent, Page, StoredEvent, StoreIdentity, StreamAppend, StreamInfo
    from mink_core.expected import Expected
    from mink_core.feed_status import FeedStatus
    from mink_core.finding import Finding
    from mink_core.limits import Limits
    from mink_core.outbox import OutboxMessage
    from mink_core.runtime.worker import SubscriptionWorker
    from mink_jetstream.feed import FeedPages, StreamPages
    from mink_jetstream.listing import StreamsPages
    from mink_jetstream.options import Options


class _Inner(AsyncJetStreamEventStore):
    """The async store, whose wake-ups go to the threads' subscriptions."""

    def __init__(self, url: str | Options, options: dict[str, Any]) -> None:
        super().__init__(url, **options)
        self.threads: WeakSet[PollingSubscription | SubscriptionWorker] = WeakSet()

    def _has_followers(self) -> bool:
        return bool(self.threads)

    def _nudge(self) -> bool:
        followers = list(self.threads)
        for follower in followers:
            follower.nudge()
        return bool(followers)


class JetStreamEventStore(SubStores, Updating, Durable):
    """An event store in NATS JetStream; see `mink_core.Store`.

    Its connection lives on an event loop in a thread of its own, which any number of threads share.
    """

    adapter_name = "jetstream"

    def __init__(self, url: str | Options, **options: Any) -> None:
        """Take the URL; see `AsyncJetStreamEventStore`.

        Raises:
            UsageError: The URL or an option is wrong.
        """
        self._inner = _Inner(url, options)
        self._portal = Portal()

    @property
    def options(self) -> Options:
        """What the store was made with."""
        return self._inner.options

    @property
    def capabilities(self) -> frozenset[Capability]:
        """See `EventStore.capabilities`."""
        return self._inner.capabilities

    @property
    def limits(self) -> Limits:
        """What the servers take of events, once they are known; a call's 1,000 are the limit of a batch."""
        return self._inner.limits

    def initialize(self) -> None:
        """See `EventStore.initialize`."""
        self._portal.run(self._inner.initialize())

    # Appending

    def append(
        self,
        stream_id: str,
        events: Iterable[NewEvent],
        *,
        expected_version: Expected,
        outbox: OutboxMessage | Iterable[OutboxMessage] = (),
    ) -> AppendResult:
        """See `EventLog.append`."""
        return self._portal.run(self._inner.append(stream_id, events, expected_version=expected_version, outbox=outbox))

    def append_batch(self, items: Iterable[StreamAppend]) -> list[AppendResult]:
        """See `EventLog.append_batch`."""
        return self._portal.run(self._inner.append_batch(items))

    # Reading

    def _events(self, pages: StreamPages | FeedPages) -> Iterator[StoredEvent]:
        decode, run, turn = self._inner.decode, self._portal.run, self._inner.next_page
        while rows := run(turn(pages)):
            for row in rows:
                yield decode(row)

    def read_stream(
        self,
        stream_id: str,
        *,
        after_version: int = 0,
        limit: int | None = None,
        direction: Direction = Direction.FORWARD,
    ) -> Iterator[StoredEvent]:
        """See `EventLog.read_stream`."""
        return self._events(self._inner.stream_pages(stream_id, after_version, limit, direction))

    def read_all(
        self,
        *,
        after_position: int = 0,
        limit: int | None = None,
        where: EventFilter = EVERYTHING,
        direction: Direction = Direction.FORWARD,
        identity: StoreIdentity | None = None,
    ) -> Iterator[StoredEvent]:
        """See `EventLog.read_all`."""
        return self._events(self._inner.feed_pages(after_position, limit, where, direction, identity))

    def poll(
        self,
        after_position: int,
        *,
        limit: int = 100,
        where: EventFilter = EVERYTHING,
        identity: StoreIdentity | None = None,
    ) -> Page:
        """See `EventLog.poll`."""
        return self._portal.run(self._inner.poll(after_position, limit=limit, where=where, identity=identity))

    def stream_info(self, stream_id: str) -> StreamInfo:
        """See `EventLog.stream_info`."""
        return self._portal.run(self._inner.stream_info(stream_id))

    def streams(
        self, *, category: str | None = None, after: str | None = None, limit: int | None = None
    ) -> Iterator[StreamInfo]:
        """See `EventLog.streams`."""
        return self._streams(self._inner.streams_pages(category, after, limit))

    def _streams(self, pages: StreamsPages) -> Iterator[StreamInfo]:
        while found := self._portal.run(pages.page()):
            yield from found

    def head_position(self) -> int:
        """See `EventLog.head_position`."""
        return self._portal.run(self._inner.head_position())

    # Following

    def subscribe(
        self,
        *,
        after_position: int = 0,
        where: EventFilter = EVERYTHING,
        batch_size: int = 100,
        poll_interval: float = POLL_INTERVAL,
        identity: StoreIdentity | None = None,
    ) -> PollingSubscription:
        """See `Subscriber.subscribe`."""
        self._inner.check_open()
        subscription = PollingSubscription(
            self,
            after_position=after_position,
            where=where,
            batch_size=batch_size,
            poll_interval=poll_interval,
            identity=identity,
        )
        self._inner.threads.add(subscription)
        return subscription

    def _watch(self, worker: SubscriptionWorker) -> None:
        self._inner.check_open()
        self._inner.threads.add(worker)

    # The stores around the log

    @property
    def checkpoints(self) -> JetStreamCheckpoints:
        """Named positions (`Capability.CHECKPOINTS`)."""
        return JetStreamCheckpoints(self._portal.run, self._inner.checkpoints)

    @property
    def snapshots(self) -> JetStreamSnapshots:
        """Snapshots by stream (`Capability.SNAPSHOTS`)."""
        return JetStreamSnapshots(self._portal.run, self._inner.snapshots)

    @property
    def subscriptions(self) -> JetStreamSubscriptions:
        """Durable subscriptions: leases, pause, rewind, lag (`Capability.DURABLE_SUBSCRIPTIONS`)."""
        return JetStreamSubscriptions(self._portal.run, self._inner.subscriptions)

    @property
    def parked(self) -> JetStreamParkedEvents:
        """Events that a subscription's handler failed on (`Capability.DURABLE_SUBSCRIPTIONS`)."""
        return JetStreamParkedEvents(self._portal.run, self._inner.parked)

    def transaction(self) -> NoReturn:
        """Refused: JetStream has no transaction over several calls."""
        self._inner.check_open()
        raise CapabilityNotSupportedError(self.adapter_name, Capability.TRANSACTIONS)

    # The store itself

    def identity(self) -> StoreIdentity:
        """See `Subscriber.identity`."""
        return self._portal.run(self._inner.identity())

    def bump_epoch(self) -> StoreIdentity:
        """See `AsyncJetStreamEventStore.bump_epoch`."""
        return self._portal.run(self._inner.bump_epoch())

    def feed_status(self) -> FeedStatus:
        """See `Subscriber.feed_status`."""
        return self._portal.run(self._inner.feed_status())

    def check(self) -> list[Finding]:
        """See `AsyncJetStreamEventStore.check`."""
        return self._portal.run(self._inner.check())

    def ping(self) -> None:
        """See `EventStore.ping`."""
        self._portal.run(self._inner.ping())

    def close(self) -> None:
        """See `EventStore.close`."""
        for follower in list(self._inner.threads):
            follower.stop()
        self._portal.close(self._inner.close())

    def __enter__(self) -> Self:
        was_used = self._portal.is_running
        try:
            self._portal.run(self._inner.open())
        except StoreClosedError:
            raise
        except BaseException:
            if not was_used:  # its block is not entered, so nobody else ends its thread; it may be entered again
                self._portal.close(self._inner.close())
                self._inner, self._portal = _Inner(self._inner.options, {}), Portal()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


if TYPE_CHECKING:
    from mink_core import AsyncStore, Store

    _store: Store = JetStreamEventStore("")
    _async_store: AsyncStore = AsyncJetStreamEventStore("")
