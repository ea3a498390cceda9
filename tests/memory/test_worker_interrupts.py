"""Ctrl-C at every moment of a durable subscription's `run`: what it started ends, and what is raised is KeyboardInterrupt."""

from __future__ import annotations

import threading
import time
from itertools import count

from mink_core import ExpectedVersion, NewEvent, open_store
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
