"""Projections: handlers by event type that keep a read model, run inline, durable or live.

Example:
    ```python
    balances = Projection("balances")


    @balances.on("Deposited", "Withdrawn")
    def apply(event, tx):
        tx.connection.execute("UPDATE …")


    # Inline: the read model is right at the append's commit, which pays for it.
    append_inline(store, [balances], "account-1", [NewEvent("Deposited", {"amount": 5})], expected_version=0)

    # Durable: beside the appends, exactly once, resumed after a crash.
    with balances.worker(store):
        …

    # Live: in this process's memory, from the beginning.
    with store.subscribe(where=balances.where) as subscription:
        balances.follow(subscription)
    ```
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from mink_core.errors import UsageError
from mink_core.filters import EVERYTHING, EventFilter
from mink_core.limits import check_event_type, check_subscription_name
from mink_core.matching import stored_predicate_of
from mink_core.runtime.doors import TaskDoor, ThreadDoor
from mink_core.runtime.inline import append_steps
from mink_core.runtime.steps import run_steps, run_steps_async
from mink_core.runtime.switching import switch_steps
from mink_core.unawaited import check_done, check_plain, check_runs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence
    from typing import Unpack

    from mink_core.event_store import AsyncTransaction, Transaction
    from mink_core.events import AppendResult, NewEvent, StoredEvent
    from mink_core.expected import Expected
    from mink_core.handling import SubscriptionOptions
    from mink_core.runtime.worker import AsyncSubscriptionWorker, SubscriptionWorker
    from mink_core.subscriber import AsyncStore, AsyncSubscription, Store, Subscription

Handler = TypeVar("Handler", bound="Callable[..., Any]")
_MARK = "_mink_event_types"


def handles(*event_types: str) -> Callable[[Handler], Handler]:
    """Mark a method of a `Projection` class as the handler of these event types; a subclass's own takes its place."""

    def mark(handler: Handler) -> Handler:
        setattr(handler, _MARK, event_types)
        return handler

    return mark


class Projection:
    """A named read model with a version; handlers are called as `handler(event, tx)`.

    Made as an object, with handlers added by `on`, or as a class of its own, with methods marked by
    `handles`. On an async store the handlers are coroutine functions. `tx` is None where it runs live.
    """

    def __init__(self, name: str, *, version: int = 1, where: EventFilter = EVERYTHING) -> None:
        """Begin with the handlers that the class has.

        Args:
            name: The read model's.
            version: Raised when it must be built anew. Each version has a subscription of its own.
            where: Which events besides; their types are those that have handlers.

        Raises:
            UsageError: The name or version is wrong, `where` names event types, or a handler has a yield.
        """
        if type(version) is not int or version < 1:
            msg = f"a projection's version is an int of at least 1, not {version!r:.60}"
            raise UsageError(msg)
        if where.event_types:
            msg = "a projection's event types are those of its handlers: leave them out of where"
            raise UsageError(msg)
        self.subscription = check_subscription_name(f"{name}@{version}")
        """The name of its durable subscription."""
        self.name = name
        self.version = version
        self._where = where
        self._passes = stored_predicate_of(where)
        self._handlers: dict[str, Callable[..., Any]] = {}
        for method in dir(type(self)):
            for event_type in _marked(type(self), method):
                self._add(event_type, getattr(self, method))

    def on(self, *event_types: str) -> Callable[[Handler], Handler]:
        """Add a handler of these event types, as a decorator.

        Raises:
            UsageError: One of them has a handler already, or the handler has a yield.
        """

        def add(handler: Handler) -> Handler:
            for event_type in event_types:
                self._add(event_type, handler)
            return handler

        return add

    def _add(self, event_type: str, handler: Callable[..., Any]) -> None:
        if check_event_type(event_type) in self._handlers:
            msg = f"projection {self.name!r} has a handler of {event_type!r} already"
            raise UsageError(msg)
        check_runs(handler, "a projection's handler")
        self._handlers[event_type] = handler

    @property
    def where(self) -> EventFilter:
        """Which events it wants.

        Raises:
            UsageError: It has no handler yet.
        """
        if not self._handlers:
            msg = f"projection {self.name!r} has no handler: add one with on, or a method with handles"
            raise UsageError(msg)
        return msgspec.structs.replace(self._where, event_types=tuple(self._handlers))

    def __call__(self, event: StoredEvent, tx: Any = None) -> Any:
        """Give an event to its handler; one that it does not want is left out."""
        handler = self._handlers.get(event.event_type)
        return None if handler is None else handler(event, tx)

    def _inline(self, event: StoredEvent, tx: Any) -> Any:
        """Give an event that was not read by `where` to its handler, if it is one of those that `where` lets through."""
        return self(event, tx) if self._passes is None or self._passes(event) else None

    def worker(self, store: Store, **options: Unpack[SubscriptionOptions]) -> SubscriptionWorker:
        """A worker of its durable subscription: exactly once, by `Store.subscription`."""
        for handler in self._handlers.values():
            check_plain(handler, "a projection's handler on a sync store")
        return store.subscription(self.subscription, self, transactional=True, **self._with_where(options))

    def worker_async(self, store: AsyncStore, **options: Unpack[SubscriptionOptions]) -> AsyncSubscriptionWorker:
        """`worker` for asyncio."""
        return store.subscription(self.subscription, self, transactional=True, **self._with_where(options))

    def _with_where(self, options: SubscriptionOptions) -> SubscriptionOptions:
        if "where" in options:
            msg = "a projection's worker is told which events by the projection: leave out where"
            raise UsageError(msg)
        return {**options, "where": self.where}

    def follow(self, subscription: Subscription) -> None:
        """Handle a live subscription's events until it is closed; `tx` is None."""
        for batch in subscription:
            for event in batch:
                outcome = self(event)
                if outcome is not None:
                    check_done(outcome, "a projection's handler on a sync store")

    async def follow_async(self, subscription: AsyncSubscription) -> None:
        """`follow` for asyncio."""
        async for batch in subscription:
            for event in batch:
                outcome = self(event)
                if outcome is not None:
                    await outcome


def append_inline(
    store: Store,
    projections: Sequence[Projection],
    stream_id: str,
    events: Iterable[NewEvent],
    *,
    expected_version: Expected,
) -> AppendResult:
    """Append, and run projections on the events, in one transaction.

    Each gets those of the events that it would get from its worker. A repeated call (APPEND-09) runs them no second time.

    Raises:
        MinkError: As `EventLog.append`; nothing was stored or projected.
        Exception: What a handler raised; nothing was stored or projected.
    """
    return run_steps(append_steps(store, ThreadDoor(), _inline(projections), stream_id, list(events), expected_version))


def _marked(cls: type[Projection], name: str) -> tuple[str, ...]:
    """The event types that a method is marked with, whatever kind of method it is.

    One that takes an inherited one's place has its mark: without, its events would be skipped in silence.
    """
    members = [vars(base)[name] for base in cls.__mro__ if name in vars(base)]
    if members[:1] == [None]:  # said not to be one
        return ()
    marks = (getattr(it, _MARK, None) or getattr(getattr(it, "__func__", None), _MARK, None) for it in members)
    return next((mark for mark in marks if type(mark) is tuple), ())


def _inline(projections: Sequence[Projection]) -> list[Callable[..., Any]]:
    return [projection._inline for projection in projections]  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] -- of this module


async def append_inline_async(
    store: AsyncStore,
    projections: Sequence[Projection],
    stream_id: str,
    events: Iterable[NewEvent],
    *,
    expected_version: Expected,
) -> AppendResult:
    """`append_inline` for asyncio."""
    return await run_steps_async(
        append_steps(store, TaskDoor(), _inline(projections), stream_id, list(events), expected_version)
    )


def switch(
    store: Store,
    old: Projection,
    new: Projection,
    act: Callable[[Transaction], object],
    *,
    seconds: float = 60.0,
) -> None:
    """Go over from one version of a projection to another that was built beside it.

    Both have workers running. Once the new one is at least as far as the old one, `act(tx)` is called
    (to rename tables, for instance), in the transaction that pauses the old one's subscription: who
    reads by the new name never sees an older state than the old name last showed.

    Args:
        store: The store.
        old: What is read now.
        new: What shall be read.
        act: Makes the change that readers see.
        seconds: How long to wait for the new one to begin and to catch up.

    Raises:
        TimeoutError: It did not; nothing was changed.
        SubscriptionNotFoundError: The old one never ran, or the new one not within that time.
        UsageError: `act` is a coroutine function, or has a yield.
    """
    check_plain(act, "what a switch does on a sync store")
    run_steps(switch_steps(store, ThreadDoor(), old.subscription, new.subscription, act, seconds))


async def switch_async(
    store: AsyncStore,
    old: Projection,
    new: Projection,
    act: Callable[[AsyncTransaction], Awaitable[object]],
    *,
    seconds: float = 60.0,
) -> None:
    """`switch` for asyncio."""
    check_runs(act, "what a switch does")
    await run_steps_async(switch_steps(store, TaskDoor(), old.subscription, new.subscription, act, seconds))
