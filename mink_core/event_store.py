"""The event store: what every adapter offers, sync and async side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, Self

from mink_core.event_log import AsyncEventLog, AsyncTransaction, EventLog, Transaction

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence
    from contextlib import AbstractAsyncContextManager, AbstractContextManager
    from types import TracebackType

    from mink_core.capability import Capability
    from mink_core.events import AppendResult, NewEvent, StoredEvent
    from mink_core.privacy import AsyncPrivacyStore, PrivacyStore

__all__ = ["AsyncEventLog", "AsyncEventStore", "AsyncTransaction", "EventLog", "EventStore", "Transaction"]


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
        """See `EventStore.bind`; called without await.

        SQLAlchemy's is `(await (await session.connection()).get_raw_connection()).driver_connection`. On asyncpg it begins its
        transaction with the session's first statement only: execute one before, else each call here commits by itself.
        """
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
