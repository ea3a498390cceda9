"""What wake-ups cost the appends: the same callers on a store with them off and on, in turn."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mink_benchmarks import loops
from mink_core import ExpectedVersion, NewEvent
from mink_postgres import AsyncPostgresEventStore, PostgresEventStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ANY = ExpectedVersion.ANY
PAYLOAD = {"customer": "c-1234", "lines": [{"sku": f"sku-{n}", "quantity": n, "price": 9.5} for n in range(4)]}


class Slice(NamedTuple):
    """Appends for a moment."""

    rate: float
    """Appends a second: as noisy as the machine."""
    cpu: float
    """Microseconds of CPU an append, of this process and the server's: hardly touched by what runs beside."""


def cpu_seconds(postmaster: int) -> float:
    """What this process and the server's backends have used."""
    ticks = 0
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            fields = entry.read_text("utf-8", errors="replace").rpartition(")")[2].split()
            if int(fields[1]) == postmaster:
                ticks += int(fields[11]) + int(fields[12])
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


def append_by_threads(
    url: str, callers: int, seconds: float, slices: int, postmaster: int
) -> Iterator[tuple[Slice, Slice]]:
    """Appends a second of so many threads on the sync store, off and on in turn."""
    with (
        PostgresEventStore(url, min_size=4, max_size=callers) as off,
        PostgresEventStore(url, wakeups=True, min_size=4, max_size=callers) as on,
    ):

        def slice_of(store: PostgresEventStore, seconds: float) -> Slice:
            done, before = [0] * callers, cpu_seconds(postmaster)
            end = time.monotonic() + seconds

            def work(number: int) -> None:
                while time.monotonic() < end:
                    event = NewEvent("Placed", PAYLOAD)
                    store.append(f"t-{number}-{done[number] % 16}", [event], expected_version=ANY)
                    done[number] += 1

            threads = [threading.Thread(target=work, args=(number,)) for number in range(callers)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            return Slice(sum(done) / seconds, (cpu_seconds(postmaster) - before) / max(sum(done), 1) * 1e6)

        for store in (off, on):
            slice_of(store, 0.5)
        for number in range(slices):
            pair = {store: slice_of(store, seconds) for store in ((off, on) if number % 2 else (on, off))}
            yield pair[off], pair[on]


def append_by_tasks(
    url: str, callers: int, seconds: float, slices: int, postmaster: int
) -> Iterator[tuple[Slice, Slice]]:
    """The same of so many tasks on the async store, by asyncpg."""

    async def slice_of(store: AsyncPostgresEventStore, seconds: float) -> Slice:
        done, before = [0] * callers, cpu_seconds(postmaster)
        end = time.monotonic() + seconds

        async def one(number: int) -> None:
            while time.monotonic() < end:
                event = NewEvent("Placed", PAYLOAD)
                await store.append(f"t-{number}-{done[number] % 16}", [event], expected_version=ANY)
                done[number] += 1

        await asyncio.gather(*map(one, range(callers)))
        return Slice(sum(done) / seconds, (cpu_seconds(postmaster) - before) / max(sum(done), 1) * 1e6)

    async def work() -> list[tuple[Slice, Slice]]:
        async with (
            AsyncPostgresEventStore(url, driver="asyncpg") as off,
            AsyncPostgresEventStore(url, driver="asyncpg", wakeups=True) as on,
        ):
            found = []
            for store in (off, on):
                await slice_of(store, 0.5)
            for number in range(slices):
                order = (off, on) if number % 2 else (on, off)
                pair = {store: await slice_of(store, seconds) for store in order}
                found.append((pair[off], pair[on]))
            return found

    yield from loops.run(work())


def follow_beside(url: str) -> None:
    """A live subscriber in a process of its own, for as long as it lives."""
    with PostgresEventStore(url, wakeups=True, min_size=1) as store:
        for _ in store.subscribe(after_position=store.head_position(), batch_size=1000):
            pass


WRITERS: dict[str, Callable[[str, int, float, int, int], Iterator[tuple[Slice, Slice]]]] = {
    "threads, psycopg": append_by_threads,
    "tasks, asyncpg": append_by_tasks,
}


def cost(url: str, slices: int, postmaster: int, *, follower: bool) -> Iterator[tuple[str, list[tuple[Slice, Slice]]]]:
    """Appends a second with wake-ups off and on, in turn, in changing order."""
    for name, writer in WRITERS.items():
        for callers in (16, 64):
            beside = multiprocessing.get_context("spawn").Process(target=follow_beside, args=(url,), daemon=True)
            if follower:
                beside.start()
                time.sleep(1)
            yield (
                f"{callers} {name}{', one follower' if follower else ''}",
                list(writer(url, callers, 0.7, slices, postmaster)),
            )
            if follower:
                beside.kill()
                beside.join()
