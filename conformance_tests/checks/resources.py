"""What is left behind: connections, threads, tasks, memory; and what was never the store's to close."""

from __future__ import annotations

import inspect
import time
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from conformance_tests.check import Layer, check
from conformance_tests.expect import equal, fail, raises, true
from conformance_tests.interleavings.following import Following
from conformance_tests.interleavings.holding import Started
from conformance_tests.level import Level
from conformance_tests.patience import promptly, soon, take
from conformance_tests.resources.held import SOCKETS, can_count_sockets, growth, held, left_behind, peak, tracing
from conformance_tests.shaped import Shaped
from mink_core import Capability, ConcurrencyError, Direction, ExpectedVersion, NewEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from conformance_tests.lab import Lab
    from mink_core import Store

ANY = ExpectedVersion.ANY
BOUND = "stores bound to the caller's transaction by the adapter's hook"
LENT = "connections lent by the adapter's hook"

_LONG = 6000
"""Events of a stream that is too long to be held by a reader."""
_CALL = 1000
_PAYLOAD = "x" * 500
_ABANDONED = 40


@check("LIFE-03", "SUB-04", layer=Layer.RESOURCE, requires=[SOCKETS])
def closing_a_store_leaves_nothing_behind(lab: Lab) -> None:
    """After `close` no thread, task or connection is left of stores that wrote, read and were subscribed to."""
    namespace = lab.namespace()
    _use(lab, namespace)  # what is made once for all stores is made now
    before = held(lab)
    for _ in range(3):
        _use(lab, namespace)
    if can_count_sockets():
        lab.count(SOCKETS)
    equal(left_behind(lab, before), [], "LIFE-03: what three stores have left behind, being closed")


def _use(lab: Lab, namespace: str) -> None:
    with lab.unopened(namespace) as store:
        store.initialize()
        store.append("used-1", lab.events(3), expected_version=ANY)
        calls = [partial(store.append, "used-2", lab.events(1), expected_version=ANY) for _ in range(4)]
        lab.together(calls)
        next(iter(store.read_stream("used-1")), None)
        list(store.read_all())
        if Capability.TRANSACTIONS in lab.capabilities:
            with store.transaction() as transaction:
                transaction.append("used-3", lab.events(1), expected_version=ANY)
        if Capability.SUBSCRIBE in lab.capabilities:
            take(store.subscribe(poll_interval=0.01))
            store.subscribe()  # never begun


@check("SUB-04", "LIFE-03", needs=[Capability.SUBSCRIBE], layer=Layer.RESOURCE)
def subscriptions_come_and_go_without_a_trace(lab: Lab) -> None:
    """Twenty subscriptions, begun and closed one after another, leave no thread, task or connection behind."""
    store = lab.open()
    store.append("used-1", lab.events(3), expected_version=ANY)

    def once() -> None:
        with store.subscribe(batch_size=2, poll_interval=0.01) as subscription:
            take(subscription)

    for _ in range(3):
        once()
    before = held(lab)
    for _ in range(20):
        once()
    equal(left_behind(lab, before), [], "SUB-04: what twenty closed subscriptions have left behind")


@check("SUB-04", needs=[Capability.SUBSCRIBE], layer=Layer.RESOURCE)
def waiting_subscriptions_end_promptly(lab: Lab) -> None:
    """A subscription that waits ends at once when it or its store is closed, however long its poll interval."""
    ways = ("the subscription", "the store")
    with ExitStack() as stack:
        stores = [stack.enter_context(lab.unopened()) for _ in ways]
        for store in stores:
            store.initialize()
        subscriptions = [store.subscribe(after_position=store.head_position(), poll_interval=60.0) for store in stores]
        waits = [Started(partial(list, subscription)) for subscription in subscriptions]
        # Where waits begin short and double, one that is longer than what counts as promptly comes late.
        time.sleep(0.1 if lab.level is Level.SMOKE else 2.1 * promptly())
        subscriptions[0].close()
        stores[1].close()
        for how, waiting in zip(ways, waits, strict=True):
            if not waiting.ended(promptly()):
                fail(
                    f"SUB-04: a waiting subscription, {how} being closed",
                    expected=f"it ends within {promptly():g} s",
                    seen="it still waits",
                )
            equal(waiting.result(), [], "SUB-04: what the closed subscription gave")


@check("LIFE-03", layer=Layer.RESOURCE, requires=[LENT])
def what_is_lent_stays_open(lab: Lab) -> None:
    """A store on the caller's own connections closes none of them."""
    borrowing = lab.hooks(lab.here).borrowing
    if borrowing is None:
        return

    def ask(method: Any) -> Any:
        answer = method()
        return lab.run(_awaited(answer)) if inspect.isawaitable(answer) else answer

    with ExitStack() as stack:
        native = ask(borrowing.open)
        stack.callback(ask, borrowing.close)
        with cast("Store", Shaped(native, lab.portal) if lab.is_async else native) as store:
            store.append("lent-1", lab.events(2), expected_version=0)
            equal(len(list(store.read_all())), 2, "the events that a store on lent connections stored")
        lab.count(LENT)
        true(
            ask(borrowing.works),
            "LIFE-03: the lent connections after the store's close",
            expected="open",
            seen="closed",
        )


@check("TX-02", "LIFE-03", needs=[Capability.SQL_TRANSACTION], layer=Layer.RESOURCE, requires=[BOUND])
def a_bound_store_leaves_the_transaction_to_its_caller(lab: Lab) -> None:
    """A store on the caller's own connection neither commits, rolls back nor closes it, whatever happens in it."""
    witness = lab.open()
    binding = lab.hooks(lab.here).binding
    if binding is None:
        return

    def ask(call: Callable[[], Any]) -> Any:
        answer = call()
        return lab.run(_awaited(answer)) if inspect.isawaitable(answer) else answer

    for number, commit in enumerate((False, True)):
        with ExitStack() as stack:
            stack.callback(ask, binding.close)
            native = ask(binding.open)
            with cast("Store", Shaped(native, lab.portal) if lab.is_async else native) as store:
                store.append(f"bound-{number}", lab.events(2), expected_version=0)
                with raises(ConcurrencyError, "an append that is refused on the caller's connection", actual=2):
                    store.append(f"bound-{number}", lab.events(1), expected_version=7)
                store.append(f"bound-{number}", lab.events(1), expected_version=2)
                equal(
                    len(list(witness.read_stream(f"bound-{number}"))), 0, "TX-02: events seen before the caller's end"
                )
            equal(len(list(witness.read_stream(f"bound-{number}"))), 0, "TX-02: events seen after the store's close")
            try:
                ask(partial(binding.end, commit=commit))
            except Exception as error:  # noqa: BLE001 -- whatever the driver says of a transaction that is gone
                fail("TX-02: the caller ends its own transaction", expected="it is still open", seen=repr(error))
        stored = len(list(witness.read_stream(f"bound-{number}")))
        equal(
            stored, 3 if commit else 0, f"TX-02: events stored after the caller's {'commit' if commit else 'rollback'}"
        )
        lab.count(BOUND)


async def _awaited(answer: Any) -> Any:
    return await answer


@check("READ-04", layer=Layer.RESOURCE, level=Level.STANDARD)
def a_long_stream_is_read_in_bounded_memory(lab: Lab) -> None:
    """Reading a long stream, and the feed, event by event takes a fraction of the memory that all of it takes."""
    store = lab.open()
    _fill(lab, store, "long-1")
    with tracing():
        reads: dict[str, Callable[[], Iterable[Any]]] = {
            "read_stream": partial(store.read_stream, "long-1"),
            "read_all": store.read_all,
        }
        if Capability.BACKWARDS in lab.capabilities:
            reads["read_stream backward"] = partial(store.read_stream, "long-1", direction=Direction.BACKWARD)
            reads["read_all backward"] = partial(store.read_all, direction=Direction.BACKWARD)
        for what, read in reads.items():
            whole = peak(partial(_count_whole, read))
            single = peak(partial(_count, read))
            true(
                single < whole * 0.6,
                f"READ-04: the memory that {what} takes at most, over {_LONG} events",
                expected=f"under six tenths of the {whole >> 10} KiB that all of them take",
                seen=f"{single >> 10} KiB",
            )


def _fill(lab: Lab, store: Store, stream: str) -> None:
    for number in range(_LONG // _CALL):
        events = [NewEvent("Happened", {"n": index, "payload": _PAYLOAD}) for index in range(_CALL)]
        store.append(stream, events, expected_version=number * _CALL)
    lab.count("events in a long stream", _LONG)


def _count(read: Callable[[], Iterable[Any]]) -> None:
    equal(sum(1 for _ in read()), _LONG, "READ-06: the events read of a long stream")


def _count_whole(read: Callable[[], Iterable[Any]]) -> None:
    equal(len(list(read())), _LONG, "READ-06: the events read of a long stream")


@check("READ-04", layer=Layer.RESOURCE, level=Level.STANDARD)
def readers_hold_nothing_between_pages(lab: Lab) -> None:
    """Forty readers left in the middle of a long stream hold no connection: the store goes on serving others."""
    store = lab.open()
    _fill(lab, store, "long-1")
    abandoned: list[Iterator[Any]] = []

    def work() -> None:
        for _ in range(_ABANDONED // 2):
            abandoned.extend((iter(store.read_stream("long-1")), iter(store.read_all())))
            next(abandoned[-1])
            next(abandoned[-2])
        store.append("other-1", lab.events(1), expected_version=0)
        equal(len(list(store.read_stream("other-1"))), 1, "READ-06: the events of another stream")

    started = Started(work)
    if not started.ended(soon()):
        fail(
            f"READ-04: an append while {_ABANDONED} readers are in the middle of a stream",
            expected="it is served: no reader holds a connection between pages",
            seen=f"it still waits after {soon():g} s",
        )
    started.result()


@check("SUB-05", needs=[Capability.SUBSCRIBE], layer=Layer.RESOURCE, level=Level.STANDARD)
def slow_subscribers_take_bounded_memory(lab: Lab) -> None:
    """Subscribers that do not take their batches cost no memory that grows with what is appended, and lose nothing."""
    kept: list[Any] = []
    with tracing():
        store, writer = lab.open(), lab.open()
        alone = growth(partial(_fill, lab, writer, "alone-1"))
        start = store.head_position()
        subscriptions = [store.subscribe(after_position=start, batch_size=10, poll_interval=0.01) for _ in range(3)]
        writer.append("first-1", lab.events(1), expected_version=0)
        begun = [take(one)[0].stream_id for one in subscriptions]
        equal(begun, ["first-1"] * 3, "SUB-01: the first event that each was given")

        def filled() -> None:
            _fill(lab, writer, "watched-1")
            time.sleep(0.3)

        watched = growth(filled)
        whole = growth(lambda: kept.extend(store.read_stream("watched-1")))
        kept.clear()
        true(
            watched - alone < whole,
            f"SUB-05: the memory that three slow subscribers take for {_LONG} events",
            expected=f"less than the {whole >> 10} KiB that one copy of them takes",
            seen=f"{(watched - alone) >> 10} KiB",
        )
    for one in subscriptions:
        given = [event.version for event in Following(one).finish(_LONG)]
        equal(given, list(range(1, _LONG + 1)), "SUB-05: the versions that a slow subscriber was given")
