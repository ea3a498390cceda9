"""Ctrl-C at every moment of a durable subscription's `run`: what it started ends, and what is raised is KeyboardInterrupt."""

from __future__ import annotations

import signal
import threading
import time
from itertools import count

import pytest

from mink_core import ExpectedVersion, NewEvent, StoredEvent, open_store
from tests.interrupts import interrupted

LEASE = 30.0
"""Seconds: far longer than a test waits, so that nothing ends because its lease has run out."""


def working() -> list[str]:
    """A thread that was interrupted before it began stays in Python's list, and is not alive."""
    return [it.name for it in threading.enumerate() if it.name.startswith("mink subscription") and it.is_alive()]


def test_an_interrupted_worker_leaves_no_thread_and_no_partition() -> None:
    with open_store("memory://") as store:
        store.initialize()
        store.append("a-1", [NewEvent("Made", {})], expected_version=ExpectedVersion.ANY)
        for moment in count(1):
            name, handled = f"s-{moment}", threading.Event()
            worker = store.subscription(name, lambda _, handled=handled: handled.set(), lease_seconds=LEASE)
            end = threading.Timer(0.15, worker.stop)  # where no moment is left
            end.start()
            was_interrupted = interrupted(worker.run, moment)
            end.cancel()
            end.join()
            patient_until = time.monotonic() + 5
            while working() and time.monotonic() < patient_until:
                time.sleep(0.001)
            assert not working(), f"interrupted at moment {moment}"
            held = [
                part.owner for status in store.subscriptions.list() if status.name == name for part in status.partitions
            ]
            assert not any(held), f"interrupted at moment {moment}"
            if not was_interrupted:
                assert handled.is_set()
                assert moment > 10  # else it counted nothing
                break


def test_an_interrupted_worker_stops_by_itself_and_waits_for_its_handler() -> None:
    with open_store("memory://") as store:
        store.initialize()
        store.append("a-1", [NewEvent("Made", {}) for _ in range(2)], expected_version=ExpectedVersion.ANY)
        begun, gate, handled = threading.Event(), threading.Event(), []

        def handle(event: StoredEvent) -> None:
            begun.set()
            assert gate.wait(30)
            handled.append(event.version)

        def interrupt() -> None:
            assert begun.wait(30)
            main = threading.main_thread().ident
            assert main is not None
            time.sleep(0.1)  # it has waited for a while then, and so has who is interrupted when the gate opens
            signal.pthread_kill(main, signal.SIGINT)
            time.sleep(0.1)
            gate.set()

        worker = store.subscription("s", handle, lease_seconds=LEASE)
        patience = threading.Timer(20, worker.stop)
        before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a run in the background ignores it
        try:
            patience.start()
            threading.Thread(target=interrupt).start()
            with pytest.raises(KeyboardInterrupt):
                worker.run()
        finally:
            signal.signal(signal.SIGINT, before)
            was_patient = patience.finished.is_set()
            patience.cancel()
        assert not was_patient, "it did not stop by itself"
        assert handled == [1]
        assert [part.owner for part in store.subscriptions.list()[0].partitions] == [None]
