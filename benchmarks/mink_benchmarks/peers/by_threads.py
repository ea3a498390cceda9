"""Peers' appends by threads, and what they come to."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from mink_benchmarks.samples import Sample

if TYPE_CHECKING:
    from collections.abc import Callable


def append_by_threads(
    writers: int, events: int, seconds: float, begin: Callable[[int], Callable[[], object]]
) -> Sample:
    """Have each writer append in a thread of its own until the time is over.

    The first error ends them all, and is raised: a writer that has died would be measured as a slow one.

    Args:
        writers: How many.
        events: How many events one append stores.
        seconds: Until when.
        begin: Told a writer's number, gives what appends once.
    """
    counts = [0] * writers
    latencies: list[float] = []
    errors: list[Exception] = []

    def write(writer: int) -> None:
        try:
            append = begin(writer)
            while (start := time.perf_counter()) - began < seconds and not errors:
                append()
                latencies.append(time.perf_counter() - start)
                counts[writer] += events
        except Exception as error:  # noqa: BLE001 -- raised below
            errors.append(error)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(writers)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - began
    if errors:
        raise errors[0]
    return Sample(sum(counts), took, latencies)
