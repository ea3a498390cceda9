"""Following the feed: what every adapter offers, sync and async side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, Self, overload

from mink_core.event_store import AsyncEventStore, EventStore
from mink_core.filters import EVERYTHING, EventFilter
from mink_core.runtime.settings import POLL_INTERVAL

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from types import TracebackType
    from typing import Literal, Unpack

    from mink_core.event_store import AsyncTransaction, Transaction
    from mink_core.events import Page, StoredEvent, StoreIdentity
    from mink_core.feed_status import FeedStatus
    from mink_core.finding import Finding
    from mink_core.handling import SubscriptionOptions
    from mink_core.runtime.worker import AsyncSubscriptionWorker, SubscriptionWorker


class Subscription(Protocol):
    """Batches of the feed: catch-up first, then live, until closed (rules SUB-01 to SUB-05).

    Iterate it in one thread. `close` may be called from any other: the iteration then ends.
    """

    @property
    def position(self) -> int:
        """Where to go on after the batches taken so far."""
        ...

    def __iter__(self) -> Self:
        """The subscription itself."""
        ...

    def __next__(self) -> Sequence[StoredEvent]:
        """Wait for the next batch, never an empty one; at most `batch_size` events.

        Raises:
            StopIteration: The subscription or its store was closed.
            PositionAheadError: The position is not from this store's history.
            StorageError: The storage failed; the next call tries the same batch again.
        """
        ...

    def close(self) -> None:
        """End the iteration promptly. Idempotent, from any thread."""
        ...

    def __enter__(self) -> Self:
        """The subscription itself."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        ...


class Subscriber(Protocol):
    """The feed of an adapter. The object is the `EventStore` as well."""

    def poll(
        self,
        after_position: int,
        *,
        limit: int = 100,
        where: EventFilter = EVERYTHING,
        identity: StoreIdentity | None = None,
    ) -> Page:
        """See `EventLog.poll`."""
        ...

    def subscribe(
        self,
        *,
        after_position: int = 0,
        where: EventFilter = EVERYTHING,
        batch_size: int = 100,
        poll_interval: float = POLL_INTERVAL,
        identity: StoreIdentity | None = None,
    ) -> Subscription:
        """Follow the feed from a position on.

        Args:
            after_position: Exclusive; 0 for the whole history.
            where: Which events.
            batch_size: At most so many events a batch, at least 1.
            poll_interval: Seconds between polls once caught up, above 0.
            identity: Refuse unless the store still has this identity and epoch.

        Raises:
            CapabilityNotSupportedError: Without `Capability.SUBSCRIBE`.
            UsageError: An argument is wrong.
        """
        ...

    def identity(self) -> StoreIdentity:
        """Which history the store's positions belong to (FEED-08)."""
        ...

    def feed_status(self) -> FeedStatus:
        """How far the feed is, and who holds it back (FEED-07)."""
        ...


class AsyncSubscription(Protocol):
    """`Subscription` for asyncio."""

    @property
    def position(self) -> int:
        """See `Subscription.position`."""
        ...

    def __aiter__(self) -> Self:
        """The subscription itself."""
        ...

    async def __anext__(self) -> Sequence[StoredEvent]:
        """See `Subscription.__next__`; ends with `StopAsyncIteration`."""
        ...

    async def close(self) -> None:
        """See `Subscription.close`; from any task."""
        ...

    async def __aenter__(self) -> Self:
        """The subscription itself."""
        ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        ...


class AsyncSubscriber(Protocol):
    """`Subscriber` for asyncio."""

    async def poll(
        self,
        after_position: int,
        *,
        limit: int = 100,
        where: EventFilter = EVERYTHING,
        identity: StoreIdentity | None = None,
    ) -> Page:
        """See `EventLog.poll`."""
        ...

    def subscribe(
        self,
        *,
        after_position: int = 0,
        where: EventFilter = EVERYTHING,
        batch_size: int = 100,
        poll_interval: float = POLL_INTERVAL,
        identity: StoreIdentity | None = None,
    ) -> AsyncSubscription:
        """See `Subscriber.subscribe`; called without await."""
        ...

    async def identity(self) -> StoreIdentity:
        """See `Subscriber.identity`."""
        ...

    async def feed_status(self) -> FeedStatus:
        """See `Subscriber.feed_status`."""
        ...


class Store(EventStore, Subscriber, Protocol):
    """What `open_store` returns: one object, both protocols."""

    @overload
    def subscription(
        self,
        name: str,
        handler: Callable[[StoredEvent], object],
        *,
        transactional: Literal[False] = False,
        **options: Unpack[SubscriptionOptions],
    ) -> SubscriptionWorker: ...

    @overload
    def subscription(
        self,
        name: str,
        handler: Callable[[StoredEvent, Transaction], object],
        *,
        transactional: Literal[True],
        **options: Unpack[SubscriptionOptions],
    ) -> SubscriptionWorker: ...

    def subscription(
        self,
        name: str,
        handler: Callable[..., object],
        *,
        transactional: bool = False,
        **options: Unpack[SubscriptionOptions],
    ) -> SubscriptionWorker:
        """A worker of a durable subscription: it resumes after the last checkpoint (rules SUB-06 to SUB-09).

        Any number of workers, in any number of processes, share the subscription's partitions.

        Args:
            name: 1 to 200 characters without `#`. The same name is the same subscription.
            handler: Called with each event, in order within its stream: `handler(event)`, at least
                once. It is tried again when it raises.
            transactional: Call `handler(event, tx)`: what it does on the transaction, and by SQL on
                `tx.connection`, is committed together with the checkpoint, so exactly once.
            options: See `SubscriptionOptions`.

        Raises:
            CapabilityNotSupportedError: The adapter lacks `DURABLE_SUBSCRIPTIONS`, `PARTITIONS` for
                more than one, or `TRANSACTIONS` for `transactional`.
            UsageError: An argument is wrong; a coroutine function is, as nobody would await it, and a function
                with a yield, as a call of it runs nothing.
        """
        ...

    def check(self) -> list[Finding]:
        """Look for damage that writes past the store have done; empty where all is well."""
        ...


class AsyncStore(AsyncEventStore, AsyncSubscriber, Protocol):
    """What `open_async_store` returns: one object, both protocols."""

    @overload
    def subscription(
        self,
        name: str,
        handler: Callable[[StoredEvent], Awaitable[object]],
        *,
        transactional: Literal[False] = False,
        **options: Unpack[SubscriptionOptions],
    ) -> AsyncSubscriptionWorker: ...

    @overload
    def subscription(
        self,
        name: str,
        handler: Callable[[StoredEvent, AsyncTransaction], Awaitable[object]],
        *,
        transactional: Literal[True],
        **options: Unpack[SubscriptionOptions],
    ) -> AsyncSubscriptionWorker: ...

    def subscription(
        self,
        name: str,
        handler: Callable[..., Any],
        *,
        transactional: bool = False,
        **options: Unpack[SubscriptionOptions],
    ) -> AsyncSubscriptionWorker:
        """See `Store.subscription`; called without await, the handler is a coroutine function, without a yield."""
        ...

    async def check(self) -> list[Finding]:
        """See `Store.check`."""
        ...
