"""What this process holds: threads, tasks, sockets, memory."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
import tracemalloc
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from conformance_tests.patience import promptly

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from conformance_tests.lab import Lab

SOCKETS = "sockets counted"
_DESCRIPTORS = Path("/proc/self/fd")


@dataclass(frozen=True)
class Held:
    """What is held at one moment."""

    threads: frozenset[str]
    tasks: int
    sockets: int
    """0 where the system does not tell."""

    def beyond(self, before: Held) -> list[str]:
        """What is held now and was not before, in words."""
        found = [f"the thread {name}" for name in sorted(self.threads - before.threads)]
        if self.tasks > before.tasks:
            found.append(f"{self.tasks - before.tasks} tasks")
        if self.sockets > before.sockets:
            found.append(f"{self.sockets - before.sockets} sockets")
        return found


def held(lab: Lab) -> Held:
    """What is held now."""
    threads = frozenset(
        f"{thread.name} ({thread.ident})" for thread in threading.enumerate() if not _is_an_executors(thread)
    )
    return Held(threads, lab.run(_tasks()) if lab.is_async else 0, _sockets())


def left_behind(lab: Lab, before: Held) -> list[str]:
    """What is held beyond `before` once it had time to end."""
    until = time.monotonic() + promptly()
    while True:
        gc.collect()
        found = held(lab).beyond(before)
        if not found or time.monotonic() > until:
            return found
        time.sleep(0.02)


def can_count_sockets() -> bool:
    """Whether the system tells."""
    return _DESCRIPTORS.is_dir()


def _is_an_executors(thread: threading.Thread) -> bool:
    """A loop's default executor keeps its threads; they belong to the loop, not to a store."""
    return thread.name.startswith("asyncio_")


async def _tasks() -> int:
    return len(asyncio.all_tasks())


def _sockets() -> int:
    if not can_count_sockets():
        return 0
    found = 0
    for entry in os.listdir(_DESCRIPTORS):  # noqa: PTH208 -- a name may be gone before it is looked at
        with suppress(OSError):
            found += os.readlink(_DESCRIPTORS / entry).startswith("socket:")  # noqa: PTH115 -- as above
    return found


@contextmanager
def tracing() -> Generator[None]:
    """Count the memory that Python objects take."""
    ours = not tracemalloc.is_tracing()
    if ours:
        tracemalloc.start()
    try:
        yield
    finally:
        if ours:
            tracemalloc.stop()


def peak(work: Callable[[], object]) -> int:
    """The most memory that was taken at any moment of a call, in bytes beyond what was taken before. Within `tracing`."""
    gc.collect()
    before, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    work()
    return max(0, tracemalloc.get_traced_memory()[1] - before)


def growth(work: Callable[[], object]) -> int:
    """The memory that is taken after a call beyond what was taken before. Within `tracing`."""
    gc.collect()
    before, _ = tracemalloc.get_traced_memory()
    work()
    gc.collect()
    return max(0, tracemalloc.get_traced_memory()[0] - before)
