"""SUB-06, 07, 09: durable subscriptions, by their workers."""

from __future__ import annotations

import inspect
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from conformance_tests.check import check
from conformance_tests.expect import equal, fail, raises, true
from conformance_tests.patience import soon
from conformance_tests.shaped import shape
from mink_core import (
    Capability,
    EventFilter,
    ExpectedVersion,
    HandlerFailedError,
    NewEvent,
    RetryPolicy,
    WhenExhausted,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from conformance_tests.lab import Lab
    from mink_core import Store, StoredEvent

ANY = ExpectedVersion.ANY
DURABLE = {Capability.DURABLE_SUBSCRIPTIONS, Capability.CHECKPOINTS}
QUICK = RetryPolicy(retries=2, first_wait=0.01)


def wait_for(condition: Callable[[], bool], what: str, seen: Callable[[], Any]) -> None:
    """Wait until it is so; a failure where it is not so in time."""
    end = time.monotonic() + soon()
    while not condition():
        if time.monotonic() > end:
            fail(what, expected=f"so within {soon():g} s", seen=seen())
        time.sleep(0.005)


@contextmanager
def working(store: Store, handler: Callable[..., object], **options: Any) -> Generator[Any]:
    """A worker of the subscription `s`, that is closed at the block's end."""
    with store.subscription("s", handler, poll_interval=0.02, **options) as worker:
        yield worker


@check("SUB-06", needs=DURABLE)
def a_subscription_resumes_after_its_checkpoint(lab: Lab) -> None:
    """Three workers one after another are given each event once, in order, as none of them crashes."""
    store = lab.open()
    seen: list[int] = []

    def handle(event: StoredEvent) -> None:
        seen.append(event.version)

    for wanted in (5, 10, 15):
        store.append("order-1", lab.events(5), expected_version=ANY)
        with working(store, handle, batch_size=2):
            wait_for(lambda wanted=wanted: len(seen) >= wanted, f"{wanted} events handled", lambda: seen)  # type: ignore[misc]
    equal(seen, list(range(1, 16)), "the versions that were handled")
    equal(store.subscriptions.list()[0].lag_events, 0, "the lag after the last one")


@check("SUB-06", needs=DURABLE)
def a_handler_that_fails_stops_before_its_event_or_parks_it(lab: Lab) -> None:
    """Nothing after the failed event is handled, and it is the first to come again; parked, it is gone past."""
    store = lab.open()
    store.append("order-1", lab.events(5), expected_version=0)
    seen: list[int] = []

    def handle(event: StoredEvent) -> None:
        if event.version == 3:  # noqa: PLR2004 -- the one in the middle
            raise ValueError
        seen.append(event.version)

    with (
        raises(HandlerFailedError, "what ends the worker", subscription="s", attempts=3),
        working(store, handle, retry=QUICK) as worker,
    ):
        true(worker.wait(soon()), "the worker's end", expected=f"within {soon():g} s")
    equal(seen, [1, 2], "what was handled before the worker stopped")
    park = RetryPolicy(retries=0, then=WhenExhausted.PARK)
    with working(store, handle, retry=park):
        wait_for(lambda: len(seen) >= 4, "the events after the parked one handled", lambda: seen)  # noqa: PLR2004 -- all but one
    equal(seen, [1, 2, 4, 5], "what was handled in all")
    equal([item.version for item in store.parked.list("s")], [3], "what is parked")


@check("SUB-07", needs=DURABLE | {Capability.TRANSACTIONS})
def effects_commit_with_the_checkpoint(lab: Lab) -> None:
    """A handler that fails after its effect, now and then, leaves each event's effect there once."""
    store = lab.open()
    store.append("order-1", lab.events(20), expected_version=0)
    failed: set[int] = set()

    def handle(event: StoredEvent, tx: Any) -> None:
        inside = shape(tx, lab.portal) if inspect.iscoroutinefunction(tx.append) else tx
        inside.append("effect-1", [NewEvent("Effect", {"of": event.version})], expected_version=ANY)
        if event.version % 4 == 0 and event.version not in failed:
            failed.add(event.version)
            raise ValueError

    def effects() -> list[int]:
        return [event.data["of"] for event in store.read_stream("effect-1")]

    where = EventFilter(categories=("order",))
    with working(store, handle, transactional=True, where=where, retry=QUICK, batch_size=6):
        wait_for(lambda: len(effects()) >= 20, "an effect of each event", effects)  # noqa: PLR2004 -- all of them
    equal(effects(), list(range(1, 21)), "the effects")


@check("SUB-09", needs=DURABLE | {Capability.PARTITIONS})
def two_workers_keep_each_stream_s_order(lab: Lab) -> None:
    """Workers that share the partitions, and come and go, hand each stream's events over in order, none left out."""
    store, other = lab.open(), lab.open()
    seen: dict[str, list[int]] = {}

    def handle(event: StoredEvent) -> None:
        seen.setdefault(event.stream_id, []).append(event.version)

    def write(rounds: int) -> None:
        for _ in range(rounds):
            for number in range(8):
                store.append(f"order-{number}", lab.events(1), expected_version=ANY)

    def handled() -> int:
        return sum(map(len, seen.values()))

    with working(store, handle, partitions=4, lease_seconds=1):
        write(5)
        with working(other, handle, partitions=4, lease_seconds=1):
            write(10)
            time.sleep(0.6)  # longer than a beat: partitions move
            write(5)
    with working(store, handle, partitions=4, lease_seconds=1):
        wait_for(lambda: handled() >= 160, "all events handled", handled)  # noqa: PLR2004 -- 8 streams of 20
    equal(
        {stream: seen[stream] for stream in sorted(seen)},
        {f"order-{number}": list(range(1, 21)) for number in range(8)},
        "the versions of each stream, as they were handled",
    )
