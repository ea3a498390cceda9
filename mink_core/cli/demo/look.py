"""How long an append of one event takes: a look, not a benchmark."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from mink_core import ExpectedVersion
from mink_core.cli.demo.outcome import Latency

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from mink_core import AsyncStore, NewEvent, Store
    from mink_core.cli.demo.plan import Run

THREADS = 16
TASKS = 64
MOST_APPENDS = 20_000
"""Of all callers together: an adapter in memory would fill it."""


def by_threads(store: Store, run: Run, callers: int, seconds: float) -> Latency:
    """Append from threads, each to a stream of its own at the exact version it knows."""
    share = MOST_APPENDS // callers
    begun: list[float] = []
    ready = threading.Barrier(callers, action=lambda: begun.append(time.perf_counter()))

    def caller(number: int) -> list[float]:
        stream = run.stream(f"look-{callers}-{number}")
        try:
            # Outside the measure: connections open, plans are made.
            store.append(stream, [_payload(run, 1)], expected_version=ExpectedVersion.NO_STREAM)
        except BaseException:
            ready.abort()
            raise
        ready.wait()
        end = begun[0] + seconds
        taken: list[float] = []
        # One at least, however long the machine stood still.
        while len(taken) < share and ((at := time.perf_counter()) < end or not taken):
            version = len(taken) + 1
            store.append(stream, [_payload(run, version)], expected_version=version)
            taken.append(time.perf_counter() - at)
        return taken

    with ThreadPoolExecutor(callers, "mink-demo-look") as pool:
        workers = [pool.submit(caller, number) for number in range(callers)]
    _raise_first(workers)
    taken = [one for worker in workers for one in worker.result()]
    return _latency("sync", callers, taken, time.perf_counter() - begun[0])


def _raise_first(workers: Sequence[Future[list[float]]]) -> None:
    # The others' broken barrier says nothing; what broke it does.
    errors = [error for worker in workers if (error := worker.exception()) is not None]
    for error in sorted(errors, key=lambda it: isinstance(it, threading.BrokenBarrierError)):
        raise error


async def by_tasks(store: AsyncStore, run: Run, callers: int, seconds: float) -> Latency:
    """`by_threads` with tasks of one event loop."""
    share = MOST_APPENDS // callers
    streams = [run.stream(f"look-tasks-{number}") for number in range(callers)]
    await asyncio.gather(
        *(store.append(stream, [_payload(run, 1)], expected_version=ExpectedVersion.NO_STREAM) for stream in streams)
    )

    async def caller(stream: str) -> list[float]:
        taken: list[float] = []
        while len(taken) < share and ((at := time.perf_counter()) < begun + seconds or not taken):
            version = len(taken) + 1
            await store.append(stream, [_payload(run, version)], expected_version=version)
            taken.append(time.perf_counter() - at)
            # An adapter in memory never waits: without this, one task would have all the time.
            await asyncio.sleep(0)
        return taken

    begun = time.perf_counter()
    taken = await asyncio.gather(*map(caller, streams))
    return _latency("async", callers, [one for each in taken for one in each], time.perf_counter() - begun)


def _payload(run: Run, number: int) -> NewEvent:
    return run.event("Looked", {"number": number, "note": "about as long as a small event is", "tags": ["a", "b"]})


def _latency(door: str, callers: int, taken: Sequence[float], seconds: float) -> Latency:
    ordered = sorted(taken)

    def at(share: float) -> float:
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000 if ordered else 0.0

    return Latency(door, callers, len(ordered), seconds, at(0.5), at(0.99))
