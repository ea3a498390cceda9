"""Ctrl-C in whoever waits for events, wakes who waits, or stops it: nobody is locked out, and it can be done again."""

from __future__ import annotations

import threading
from itertools import count
from typing import TYPE_CHECKING

import pytest

from mink_core import CallablePublisher, ExpectedVersion, NewEvent, OutboxRelay
from mink_memory import MemoryEventStore
from tests.interrupts import interrupted

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 5.0
LEASE = 60.0
"""Seconds: far longer than a test waits, so that nothing ends because its lease has run out."""


def waits(file: str) -> bool:
    return file.endswith(("threading.py", "/bell.py", "/subscription.py", "/worker.py", "/supervisor.py", "/relay.py"))


def ends(act: Callable[[], object]) -> bool:
    """Whether another thread comes to the end of it."""
    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    return not thread.is_alive()


def append(store: MemoryEventStore) -> None:
    store.append("a-1", [NewEvent("Made", {})], expected_version=ExpectedVersion.ANY)


def test_after_an_interrupted_subscriber_others_append() -> None:
    for moment in count(1):
        store = MemoryEventStore()
        subscription = store.subscribe(poll_interval=0.001)
        end = threading.Timer(0.01, subscription.stop)
        end.start()
        was_interrupted = interrupted(lambda: list(subscription), moment, beginning=waits)  # noqa: B023
        end.cancel()
        end.join()
        assert ends(lambda: append(store)), moment  # noqa: B023
        if not was_interrupted or moment >= 60:  # as often as it polls; the moments of a poll are some twenty
            assert moment > 10, "it counted nothing"
            break


def test_after_an_interrupted_append_others_append_and_a_worker_ends() -> None:
    for moment in count(1):
        store = MemoryEventStore()
        worker = store.subscription("s", lambda _: None, lease_seconds=LEASE)
        worker.start()
        was_interrupted = interrupted(lambda: append(store), moment, beginning=waits)  # noqa: B023
        assert ends(lambda: append(store)), moment  # noqa: B023
        assert ends(worker.close), moment
        if not was_interrupted:
            break


@pytest.mark.parametrize("what", ["worker", "store"])
def test_a_stop_that_was_interrupted_can_be_repeated(what: str) -> None:
    for moment in count(1):
        store = MemoryEventStore()
        worker, subscription = store.subscription("s", lambda _: None, lease_seconds=LEASE), store.subscribe()
        worker.start()
        stop = worker.stop if what == "worker" else store.close
        was_interrupted = interrupted(stop, moment, beginning=waits)
        assert ends(stop), moment
        assert worker.wait(PATIENCE), moment
        if what == "store":
            assert ends(lambda: list(subscription)), moment  # noqa: B023
        if not was_interrupted:
            assert moment > 3, "it counted nothing"
            break


def test_a_worker_whose_end_was_awaited_by_who_was_interrupted_ends() -> None:
    for moment in count(1):
        worker = MemoryEventStore().subscription("s", lambda _: None, lease_seconds=LEASE)
        worker.start()
        was_interrupted = interrupted(lambda: worker.wait(0.001), moment, beginning=waits)  # noqa: B023
        assert ends(worker.close), moment
        assert worker.wait(0), moment
        if not was_interrupted:
            assert moment > 2, "it counted nothing"
            break


def test_a_relay_stops_that_was_interrupted() -> None:
    for act in ("run", "stop"):
        for moment in count(1):
            relay = OutboxRelay(MemoryEventStore(), CallablePublisher(lambda _: None), poll_interval=0.001)
            end = threading.Timer(0.01, relay.stop)
            end.start()
            was_interrupted = interrupted(getattr(relay, act), moment, beginning=waits)
            end.cancel()
            end.join()
            assert ends(relay.stop), (act, moment)
            assert ends(relay.run), (act, moment)
            if not was_interrupted or moment >= 60:
                break
