"""Appending and reading, in a store and in a transaction, sync and async side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from mink_core.direction import Direction
from mink_core.filters import EVERYTHING, EventFilter
from mink_core.substores import AsyncHasSubStores, HasSubStores

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator

    from mink_core.events import AppendResult, NewEvent, Page, StoredEvent, StoreIdentity, StreamAppend, StreamInfo
    from mink_core.expected import Expected
    from mink_core.outbox import OutboxMessage


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
            UnreadableEventError: A transform of the store cannot read the next event; raised once all before it were given.
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
            UnreadableEventError: A transform of the store cannot read the next event; raised once all before it were given.
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
