"""SUB-06, 07 and 09: durable subscriptions resume, commit with their effects, and have one consumer a partition."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from conformance_tests.check import check
from conformance_tests.expect import equal, raises, true
from conformance_tests.patience import wait_until
from mink_core import (
    Capability,
    EventFilter,
    ExpectedVersion,
    HandlerFailedError,
    RetryPolicy,
    UsageError,
    WhenExhausted,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance_tests.lab import Lab
    from mink_core import NewEvent, Store, StoredEvent

ANY = ExpectedVersion.ANY
DURABLE = {Capability.DURABLE_SUBSCRIPTIONS}
_EVENTS = 12
_AT_ONCE = RetryPolicy(retries=0)
_QUICK: dict[str, Any] = {"poll_interval": 0.01, "lease_seconds": 0.3}
_DYING: dict[str, Any] = {**_QUICK, "lease_seconds": 0.2}
"""Where what a dead worker leaves behind is to expire soon."""
_ORDERS = EventFilter(categories=("order",))


class _OnPurposeError(Exception):
    """A handler's failure."""


def _work_until(worker: Any, done: Callable[[], bool], what: str, seen: Callable[[], Any]) -> None:
    worker.start()
    try:
        wait_until(done, what, seen)
    finally:
        with suppress(HandlerFailedError):
            worker.close()


@check("SUB-06", needs=DURABLE)
def a_durable_subscription_resumes(lab: Lab) -> None:
    """Workers one after another, on several handles, are given every event once and in order, and another name all of it."""
    handles = [lab.open() for _ in range(2)]
    seen: list[int] = []
    for round_ in range(4):
        handles[0].append("order-1", lab.events(5), expected_version=ANY)
        handles[0].append("noise-1", lab.events(3), expected_version=ANY)
        worker = handles[round_ % 2].subscription(
            "resuming", lambda event: seen.append(event.version), where=_ORDERS, batch_size=2, **_QUICK
        )
        want = list(range(1, 5 * round_ + 6))
        _work_until(worker, lambda want=want: len(seen) >= len(want), f"{len(want)} events", lambda: len(seen))  # type: ignore[misc]
        equal(seen, want, "the versions that workers of one name were given")
    other: list[int] = []
    worker = handles[1].subscription("another", lambda event: other.append(event.version), where=_ORDERS, **_QUICK)
    _work_until(worker, lambda: len(other) >= len(seen), "all events", lambda: other)
    equal(other, seen, "the versions that another name was given")


@check("SUB-06", "SUB-10", needs=DURABLE)
def a_failed_event_is_given_again(lab: Lab) -> None:
    """A worker stops at the event its handler fails on; the next one begins with it, and skips nothing."""
    store = lab.open()
    store.append("order-1", lab.events(9), expected_version=0)
    seen: list[int] = []
    failing = {3, 4, 8}

    def handle(event: StoredEvent) -> None:
        seen.append(event.version)
        if event.version in failing:
            failing.discard(event.version)
            raise _OnPurposeError

    for version in (3, 4, 8):
        worker = store.subscription("failing", handle, retry=_AT_ONCE, batch_size=5, **_QUICK)
        with raises(HandlerFailedError, f"the worker whose handler fails on version {version}"):
            worker.run()
    worker = store.subscription("failing", handle, retry=_AT_ONCE, **_QUICK)
    _work_until(worker, lambda: seen[-1:] == [9], "version 9", lambda: seen)
    equal(seen, [1, 2, 3, 3, 4, 4, 5, 6, 7, 8, 8, 9], "the versions given, the failed ones again")


@check("SUB-07", needs={Capability.DURABLE_SUBSCRIPTIONS, Capability.TRANSACTIONS})
def effects_and_checkpoint_are_committed_together(lab: Lab) -> None:
    """With transactional=True each event has its effect exactly once, though handlers fail after they wrote."""
    store, other = lab.open(), lab.open()
    store.append("order-1", lab.events(_EVENTS), expected_version=0)
    failing = {2, 3, 7, 12}

    def handle(event: StoredEvent, transaction: Any) -> None:
        effect = lab.event({"of": event.version})
        transaction.append("effect-1", [effect], expected_version=ANY)
        if event.version in failing:
            failing.discard(event.version)
            raise _OnPurposeError

    options: dict[str, Any] = {"transactional": True, "where": _ORDERS, "batch_size": 4, **_QUICK}
    for number in range(4):
        worker = (other if number % 2 else store).subscription("effects", handle, retry=_AT_ONCE, **options)
        with raises(HandlerFailedError, "a worker whose handler fails after it wrote"):
            worker.run()
        _expect_effects(store, whole=False)
    worker = store.subscription("effects", handle, retry=_AT_ONCE, **options)
    _work_until(worker, lambda: len(_effects(store)) >= _EVENTS, "all effects", lambda: _effects(store))
    _expect_effects(store, whole=True)


def _effects(store: Store) -> list[int]:
    return [event.data["of"] for event in store.read_stream("effect-1")]


def _expect_effects(store: Store, *, whole: bool) -> None:
    found = _effects(store)
    equal(found, list(range(1, (_EVENTS if whole else len(found)) + 1)), "the effects stored, each once and in order")


@check("SUB-07", needs={Capability.DURABLE_SUBSCRIPTIONS, Capability.TRANSACTIONS})
def a_worker_that_dies_leaves_no_effect_alone(lab: Lab) -> None:
    """A worker whose store is closed in the middle leaves neither effect nor checkpoint; the next one does both once."""
    store = lab.open()
    store.append("order-1", lab.events(_EVENTS), expected_version=0)
    for dies_at in (1, 5, 6):
        doomed = lab.open()
        reached = threading.Event()

        def handle(event: StoredEvent, transaction: Any, at: int = dies_at, reached: threading.Event = reached) -> None:
            transaction.append("effect-1", [lab.event({"of": event.version})], expected_version=ANY)
            if event.version >= at:
                reached.set()
                time.sleep(0.1)

        worker = doomed.subscription("dying", handle, transactional=True, where=_ORDERS, batch_size=1, **_DYING)
        worker.start()
        wait_until(reached.is_set, f"the handling of version {dies_at}", lambda: _effects(store))
        doomed.close()
        with suppress(Exception):  # whatever a worker says whose store was closed under it
            worker.close()
        _expect_effects(store, whole=False)

    def finish(event: StoredEvent, transaction: Any) -> None:
        transaction.append("effect-1", [lab.event({"of": event.version})], expected_version=ANY)

    worker = store.subscription("dying", finish, transactional=True, where=_ORDERS, **_QUICK)
    _work_until(worker, lambda: len(_effects(store)) >= _EVENTS, "all effects", lambda: _effects(store))
    _expect_effects(store, whole=True)


class _Busy:
    """Who handles, and whether two did at once."""

    def __init__(self) -> None:
        self.seen: dict[str, list[int]] = {}
        self.by: dict[str, int] = {}
        self.at_once = 0
        self._inside: dict[str, int] = {}
        self._guard = threading.Lock()

    def handler(self, owner: str, partition_of: Callable[[StoredEvent], str]) -> Callable[[StoredEvent], None]:
        def handle(event: StoredEvent) -> None:
            key = partition_of(event)
            with self._guard:
                self._inside[key] = self._inside.get(key, 0) + 1
                self.at_once = max(self.at_once, self._inside[key])
            time.sleep(0.001)
            with self._guard:
                self._inside[key] -= 1
                self.by[owner] = self.by.get(owner, 0) + 1
                self.seen.setdefault(event.stream_id, []).append(event.version)

        return handle

    @property
    def firsts(self) -> dict[str, list[int]]:
        """The versions of each stream in the order in which each was first handled."""
        return {name: list(dict.fromkeys(versions)) for name, versions in list(self.seen.items())}

    @property
    def handled(self) -> int:
        return sum(map(len, list(self.seen.values())))


@check("SUB-09", "SUB-06", needs=DURABLE)
def one_worker_is_active_and_another_takes_over(lab: Lab) -> None:
    """Of two workers of one name one handles at a time; when it ends, or its store does, the other goes on."""
    store, doomed = lab.open(), lab.open()
    busy = _Busy()
    first_half, second_half = lab.events(20), lab.events(10)
    store.append("order-1", first_half, expected_version=0)
    first = doomed.subscription("single", busy.handler("first", lambda _: "all"), **_QUICK)
    second = store.subscription("single", busy.handler("second", lambda _: "all"), **_QUICK)
    first.start()
    wait_until(lambda: busy.by.get("first", 0) > 0, "the first worker handles", lambda: busy.by)
    second.start()
    try:
        wait_until(lambda: busy.handled >= len(first_half), "20 events handled", lambda: busy.handled)
        equal(busy.by.get("second", 0), 0, "events handled by the second worker while the first is active")
        doomed.close()
        store.append("order-1", second_half, expected_version=20)
        # Not by the number of its events: it is also given again what the first one handled and could not save.
        wait_until(lambda: 30 in busy.seen["order-1"], "version 30 handled after the take-over", lambda: busy.seen)  # noqa: PLR2004 -- the last one
        true(busy.by.get("second", 0) >= len(second_half), "who took over", expected="the second worker", seen=busy.by)
    finally:
        second.close()
        with suppress(Exception):  # as above
            first.close()
    equal(busy.at_once, 1, "how many handled at once")
    equal(sorted(set(busy.seen["order-1"])), list(range(1, 31)), "the versions handled")


@check("SUB-09", needs={Capability.DURABLE_SUBSCRIPTIONS, Capability.PARTITIONS})
def partitions_keep_the_order_of_each_stream(lab: Lab) -> None:
    """Two workers share four partitions; each stream is handled in order, each event once, none by two at once."""
    events = {f"order-{number}": lab.events(_EVENTS) for number in range(12)}
    whole = {name: list(range(1, _EVENTS + 1)) for name in events}
    # A machine that stands still for longer than a lease makes a worker lose it, and what it handled is
    # handled again, rightly so: then once more, with longer leases. It makes nobody skip or go out of order.
    for lease_seconds in (_QUICK["lease_seconds"], 2.0, 10.0):
        busy = _Busy()
        namespace = lab.namespace()
        store, other = lab.open(namespace), lab.open(namespace)
        _share(store, other, busy, events, lease_seconds)
        equal(busy.firsts, whole, "the versions of each stream, in the order in which each was first handled")
        if busy.seen == whole and busy.at_once == 1:
            break
    equal(busy.seen, whole, "the versions of each stream, as handled")
    equal(busy.at_once, 1, "how many handled one stream at once")
    with raises(UsageError, "a worker with another number of partitions"):
        store.subscription("shared", lambda _: None, partitions=3, **_QUICK).run()


def _share(store: Store, other: Store, busy: _Busy, events: dict[str, list[NewEvent]], lease_seconds: float) -> None:
    options: dict[str, Any] = {**_QUICK, "partitions": 4, "lease_seconds": lease_seconds}
    workers = [
        handle.subscription("shared", busy.handler(owner, lambda event: event.stream_id), **options)
        for owner, handle in (("one", store), ("other", other))
    ]
    for worker in workers:
        worker.start()
    try:
        for index in range(_EVENTS):
            for name, given in events.items():
                store.append(name, given[index : index + 1], expected_version=index)
        # Not by the number of calls: some may be of events that were handled before.
        every = _EVENTS * len(events)
        wait_until(lambda: sum(map(len, busy.firsts.values())) >= every, f"{every} events", lambda: busy.handled)
    finally:
        for worker in workers:
            worker.close()


@check("SUB-06", "SUB-10", needs=DURABLE)
def a_parked_event_is_gone_past_and_kept(lab: Lab) -> None:
    """What a handler fails on is parked where that was asked for; the rest is handled, and it can be looked up."""
    store = lab.open()
    store.append("order-1", lab.events(5), expected_version=0)
    seen: list[int] = []

    def handle(event: StoredEvent) -> None:
        if event.version == 3:  # noqa: PLR2004 -- the one in the middle
            raise _OnPurposeError
        seen.append(event.version)

    park = RetryPolicy(retries=0, then=WhenExhausted.PARK)
    worker = store.subscription("parking", handle, retry=park, **_QUICK)
    _work_until(worker, lambda: seen[-1:] == [5], "the events behind the parked one", lambda: seen)
    equal(seen, [1, 2, 4, 5], "the versions that were handled")
    equal([item.version for item in store.parked.list("parking")], [3], "the versions that are parked")
