"""A store that hands everything on to another: what the members of the zoo start from.

Unbroken, it passes every check that the store inside passes; the tests hold it to that.
"""

from __future__ import annotations

import threading
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self
from weakref import WeakSet

from conformance_tests.zoo.inner_hooks import hooks_of
from mink_core.adapter import (
    EVERYTHING,
    POLL_INTERVAL,
    AsyncPollingSubscription,
    AsyncUpdating,
    EncodedEvent,
    PollingSubscription,
    Updating,
    encode_json,
    predicate_of,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Iterator
    from types import TracebackType

    from mink_core import AppendResult, EventFilter, NewEvent, Page, StoredEvent, StreamAppend


@dataclass
class Shared:
    """What the handles on one namespace have in common."""

    lock: threading.RLock = field(default_factory=threading.RLock)
    facts: dict[Any, Any] = field(default_factory=dict)
    """For the member to keep what it likes."""


class _Around:
    """A store around another, by either door."""

    def __init__(self, store: Any, shared: Shared, *, inside: bool = False) -> None:
        """Wrap a store, or inside of one its transaction."""
        self.store = store
        self.shared = shared
        self.inside = inside
        self._subscriptions: WeakSet[Any] = WeakSet()

    def __getattr__(self, name: str) -> Any:
        """Whatever is not broken is the inner store's."""
        return getattr(self.store, name)

    @property
    def conformance_hooks(self) -> Any:
        """See `mink_core.testing`: those of the store inside."""
        return hooks_of(self)

    def transaction(self) -> Any:
        """See `EventStore.transaction`."""
        return self._transaction(self.store.transaction())


class Wrapped(_Around, Updating):
    """A sync store around another, and in the same class its transactions around the other's."""

    @contextmanager
    def _transaction(self, transaction: Any) -> Generator[Any]:
        with transaction as opened:
            yield type(self)(opened, self.shared, inside=True)

    def subscribe(self, **arguments: Any) -> Any:
        """See `Subscriber.subscribe`; follows this store's own `poll`."""
        self.store.subscribe(**arguments).close()  # refuses what the inner store refuses
        log: Any = self
        subscription = PollingSubscription(log, **subscribing(arguments))
        self.note(subscription)
        return subscription

    def note(self, subscription: Any) -> None:
        """Close a subscription at the latest with the store."""
        self._subscriptions.add(subscription)

    def close(self) -> None:
        """See `EventStore.close`."""
        self.store.close()
        for subscription in list(self._subscriptions):
            subscription.close()

    def __enter__(self) -> Self:
        """The store itself."""
        self.store.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()


class Altered(Wrapped):
    """Changes events on their way in or out."""

    def into(self, event: NewEvent) -> NewEvent:
        """What is stored in place of an event."""
        return event

    def out(self, event: StoredEvent) -> StoredEvent:
        """What is read in place of an event."""
        return event

    def append(self, stream_id: str, events: Any, *, expected_version: Any, **more: Any) -> Any:
        """See `EventStore.append`."""
        result: AppendResult = self.store.append(
            stream_id, self._each(events, self.into), expected_version=expected_version, **more
        )
        return result

    def append_batch(self, items: Iterable[StreamAppend]) -> list[AppendResult]:
        """See `EventStore.append_batch`."""
        given = [
            type(item)(item.stream_id, self._each(item.events, self.into), item.expected_version)
            if hasattr(item, "events")
            else item
            for item in items
        ]
        results: list[AppendResult] = self.store.append_batch(given)
        return results

    @staticmethod
    def _each(events: Any, change: Callable[[Any], Any]) -> Any:
        # What is no list of events is for the inner store to refuse.
        if not isinstance(events, (list, tuple)) or not all(hasattr(event, "event_type") for event in events):
            return events
        return [change(event) for event in events]

    def read_stream(self, stream_id: str, **arguments: Any) -> Iterator[StoredEvent]:
        """See `EventStore.read_stream`."""
        return map(self.out, self.store.read_stream(stream_id, **arguments))

    def read_all(self, **arguments: Any) -> Iterator[StoredEvent]:
        """See `EventStore.read_all`."""
        return map(self.out, self.store.read_all(**arguments))

    def poll(self, after_position: int, **arguments: Any) -> Page:
        """See `EventStore.poll`."""
        page: Page = self.store.poll(after_position, **arguments)
        return type(page)([self.out(event) for event in page.events], page.next_position)


class AsyncWrapped(_Around, AsyncUpdating):
    """`Wrapped` for an async store."""

    @asynccontextmanager
    async def _transaction(self, transaction: Any) -> AsyncGenerator[Any]:
        async with transaction as opened:
            yield type(self)(opened, self.shared, inside=True)

    def subscribe(self, **arguments: Any) -> Any:
        """See `Subscriber.subscribe`; follows this store's own `poll`."""
        self.store.subscribe(**arguments).stop()
        log: Any = self
        subscription = AsyncPollingSubscription(log, **subscribing(arguments))
        self._subscriptions.add(subscription)
        return subscription

    async def close(self) -> None:
        """See `EventStore.close`."""
        await self.store.close()
        for subscription in list(self._subscriptions):
            subscription.stop()

    async def __aenter__(self) -> Self:
        """The store itself."""
        await self.store.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        await self.close()


def subscribing(arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments of `subscribe`, with the usual ones where none were given."""
    usual = {
        "after_position": 0,
        "where": EVERYTHING,
        "batch_size": 100,
        "poll_interval": POLL_INTERVAL,
        "identity": None,
    }
    return {**usual, **arguments}


def passes(where: EventFilter, event: StoredEvent) -> bool:
    """Whether a filter lets an event through, as it should."""
    predicate = predicate_of(where)
    return predicate is None or predicate(
        EncodedEvent(
            event.stream_id,
            event.version,
            event.global_position,
            event.event_id,
            event.event_type,
            "null",
            encode_json(event.metadata),
            event.timestamp,
        )
    )
