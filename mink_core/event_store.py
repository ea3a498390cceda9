"""The event store: what every adapter offers, sync and async side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, Self

from mink_core.direction import Direction
from mink_core.filters import EVERYTHING, EventFilter
from mink_core.substores import AsyncHasSubStores, HasSubStores

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractAsyncContextManager, AbstractContextManager
    from types import TracebackType

    from mink_core.capability import Capability
    from mink_core.events import AppendResult, NewEvent, Page, StoredEvent, StoreIdentity, StreamAppend, StreamInfo
    from mink_core.expected import Expected
    from mink_core.outbox import OutboxMessage
    from mink_core.privacy import AsyncPrivacyStore, PrivacyStore


class EventLog(HasSubStores, Protocol):
    """Appending and reading: what a store and a transaction have in common."""

    def append(
        self,
        stream_id: str,
        events: Iterable[NewEvent],
        *,
        expected_version: Expected,
        outbox: OutboxMessage | Iterable[OutboxMessage] = (),
    ) -> AppendResult:
        """Append events to one stream, all or none (rules APPEND-01 to APPEND-12).

        Args:
            stream_id: 1-500 characters; what stands before its first `-` is its category.
            events: At least one, at most 10,000.
            expected_version: The exact version the stream must have (0: it must not exist), or an
                `ExpectedVersion`.
            outbox: Messages stored with the events, all or nothing (OUTBOX-01). They belong to this
                stream, and to its first event unless they name another. A repeated call stores none.

        Returns:
            Where the events are, as a read returns them. A repeat of a stored call, recognized by
            its event ids, returns the first call's result and stores nothing.

        Raises:
            ConcurrencyError: The stream is not at the expected version; nothing was stored.
            DuplicateEventError: An event id is stored already, in another call.
            DuplicateMessageError: A message id is; nothing was stored.
            CapabilityNotSupportedError: `outbox` without `Capability.OUTBOX`.
            UsageError: An argument is wrong; nothing was sent.
            TransientStorageError: Nothing was stored; the same call may be retried.
            OutcomeUnknownError: The reply was lost.
            StoreClosedError: The store is closed.
        """
        ...

    def append_batch(self, items: Iterable[StreamAppend]) -> list[AppendResult]:
        """Append to several streams, all or nothing; a stream named twice sees its earlier item.

        Returns:
            One result an item, in the order of the call; positions follow that order.

        Raises:
            CapabilityNotSupportedError: Without `Capability.APPEND_BATCH`.
            MinkError: As `append`; the error names the first item at fault, and nothing was stored.
        """
        ...

    def read_stream(
        self,
        stream_id: str,
        *,
        after_version: int = 0,
        limit: int | None = None,
        direction: Direction = Direction.FORWARD,
    ) -> Iterator[StoredEvent]:
        """Read one stream; a missing one reads as empty (rules READ-01 to READ-06).

        The iterator reads page by page: O(page) memory, no transaction open between pages.

        Args:
            stream_id: The stream.
            after_version: Exclusive lower bound, in either direction.
            limit: At most so many events; None for all, 0 for none.
            direction: Ascending, or descending from the end.

        Raises:
            UsageError: An argument is wrong; raised by the call, not by the first step.
            StoreClosedError: The store is closed.
        """
        ...

    def read_all(
        self,
        *,
        after_position: int = 0,
        limit: int | None = None,
        where: EventFilter = EVERYTHING,
        direction: Direction = Direction.FORWARD,
        identity: StoreIdentity | None = None,
    ) -> Iterator[StoredEvent]:
        """Read the feed up to a mark taken once at the start, so that it ends under load.

        Args:
            after_position: Exclusive lower bound, in either direction.
            limit: At most so many events; None for all, 0 for none.
            where: Which events.
            direction: Ascending, or descending from the mark.
            identity: Refuse unless the store still has this identity and epoch.

        Raises:
            PositionAheadError: `after_position` or `identity` is from another history (FEED-08).
            UsageError: An argument is wrong.
        """
        ...

    def poll(
        self,
        after_position: int,
        *,
        limit: int = 100,
        where: EventFilter = EVERYTHING,
        identity: StoreIdentity | None = None,
    ) -> Page:
        """Read the next page of the feed (rules FEED-01 to FEED-09).

        An event is shown once nothing can appear before it any more.

        Args:
            after_position: Exclusive; the `next_position` of the page before, or 0.
            limit: At most so many events.
            where: Which events.
            identity: Refuse unless the store still has this identity and epoch.

        Returns:
            The events and where to go on. `next_position` also moves over what `where` left out.

        Raises:
            PositionAheadError: The position or identity is from another history (FEED-08).
            UsageError: An argument is wrong.
        """
        ...

    def stream_info(self, stream_id: str) -> StreamInfo:
        """What is known of a stream.

        Raises:
            StreamNotFoundError: It does not exist.
        """
        ...

    def streams(
        self, *, category: str | None = None, after: str | None = None, limit: int | None = None
    ) -> Iterator[StreamInfo]:
        """List streams in code point order of their ids (READ-09).

        Args:
            category: Only of this category.
            after: Only ids after this one (it need not exist).
            limit: At most so many.
        """
        ...

    def head_position(self) -> int:
        """The newest event's position that the feed shows now, 0 where there is none (FEED-05)."""
        ...


class Transaction(EventLog, Protocol):
    """Calls that are committed together, when its `with` block ends without an error, or not at all.

    A refused append leaves it usable, with nothing of that call; a `StorageError` ends it (TX-03).
    Its own events are not in the feed it reads (FEED-09).
    """

    @property
    def connection(self) -> Any:
        """The raw driver connection, for the caller's own SQL in the same transaction.

        Raises:
            CapabilityNotSupportedError: Without `Capability.SQL_TRANSACTION`.
        """
        ...


class EventStore(EventLog, Protocol):
    """The sync door of an adapter. Safe to use from several threads."""

    @property
    def privacy(self) -> PrivacyStore:
        """Operations that take away what was stored (`Capability.PRIVACY`)."""
        ...

    @property
    def capabilities(self) -> frozenset[Capability]:
        """Which optional parts of the contract the adapter has."""
        ...

    def initialize(self) -> None:
        """Create or upgrade what the store needs; idempotent, safe from several processes at once."""
        ...

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Open a transaction.

        Raises:
            CapabilityNotSupportedError: Without `Capability.TRANSACTIONS`.
        """
        ...

    def bind(self, connection: Any) -> Transaction:
        """The store on a connection of the caller's, in the caller's transaction (TX-02).

        Appends, reads and sub-stores do their work there. Nothing is committed, rolled back or closed:
        that is the caller's. No I/O is done before the first call.

        Args:
            connection: A driver connection that the adapter's driver can use. (SQLAlchemy's is
                `session.connection().connection.driver_connection`.)

        Raises:
            UsageError: It is no connection that this store can use.
            CapabilityNotSupportedError: Without `Capability.SQL_TRANSACTION`.
        """
        ...

    def update(
        self,
        stream_id: str,
        decide: Callable[[list[StoredEvent]], Iterable[NewEvent]],
        *,
        retries: int = 5,
    ) -> AppendResult | None:
        """Read a stream, decide, append; on a conflict read and decide again.

        Args:
            stream_id: The stream.
            decide: Given all events of the stream, returns the events to append. It may run
                several times, so it should do nothing else. No events: nothing is appended.
            retries: How often to try again after a conflict.

        Returns:
            The append's result, None where `decide` returned no event.

        Raises:
            ConcurrencyError: There was a conflict at each try.
        """
        ...

    def ping(self) -> None:
        """Reach the storage and come back.

        Raises:
            StorageError: It cannot be reached.
        """
        ...

    def close(self) -> None:
        """End subscriptions and release what the store opened, and only that. Idempotent."""
        ...

    def __enter__(self) -> Self:
        """Open what needs opening."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        ...


class AsyncEventLog(AsyncHasSubStores, Protocol):
    """`EventLog` for asyncio: same names, same rules. The iterators are returned without await."""

    async def append(
        self,
        stream_id: str,
        events: Iterable[NewEvent],
        *,
        expected_version: Expected,
        outbox: OutboxMessage | Iterable[OutboxMessage] = (),
    ) -> AppendResult:
        """See `EventLog.append`."""
        ...

    async def append_batch(self, items: Iterable[StreamAppend]) -> list[AppendResult]:
        """See `EventLog.append_batch`."""
        ...

    def read_stream(
        self,
        stream_id: str,
        *,
        after_version: int = 0,
        limit: int | None = None,
        direction: Direction = Direction.FORWARD,
    ) -> AsyncIterator[StoredEvent]:
        """See `EventLog.read_stream`."""
        ...

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
        ...

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

    async def stream_info(self, stream_id: str) -> StreamInfo:
        """See `EventLog.stream_info`."""
        ...

    def streams(
        self, *, category: str | None = None, after: str | None = None, limit: int | None = None
    ) -> AsyncIterator[StreamInfo]:
        """See `EventLog.streams`."""
        ...

    async def head_position(self) -> int:
        """See `EventLog.head_position`."""
        ...


class AsyncTransaction(AsyncEventLog, Protocol):
    """`Transaction` for asyncio."""

    @property
    def connection(self) -> Any:
        """See `Transaction.connection`."""
        ...


class AsyncEventStore(AsyncEventLog, Protocol):
    """The async door of an adapter. Safe to use from several tasks of one event loop."""

    @property
    def privacy(self) -> AsyncPrivacyStore:
        """See `EventStore.privacy`."""
        ...

    @property
    def capabilities(self) -> frozenset[Capability]:
        """See `EventStore.capabilities`."""
        ...

    async def initialize(self) -> None:
        """See `EventStore.initialize`."""
        ...

    def transaction(self) -> AbstractAsyncContextManager[AsyncTransaction]:
        """See `EventStore.transaction`."""
        ...

    def bind(self, connection: Any) -> AsyncTransaction:
        """See `EventStore.bind`; called without await."""
        ...

    async def update(
        self,
        stream_id: str,
        decide: Callable[[list[StoredEvent]], Iterable[NewEvent] | Awaitable[Sequence[NewEvent]]],
        *,
        retries: int = 5,
    ) -> AppendResult | None:
        """See `EventStore.update`; `decide` may be a coroutine function."""
        ...

    async def ping(self) -> None:
        """See `EventStore.ping`."""
        ...

    async def close(self) -> None:
        """See `EventStore.close`."""
        ...

    async def __aenter__(self) -> Self:
        """Open what needs opening."""
        ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        ...
