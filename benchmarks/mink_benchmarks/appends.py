"""Writers at once on one store: threads or tasks, which do the same calls."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import psycopg

from mink_benchmarks.samples import BenchmarkError, Sample
from mink_benchmarks.targets import OpenStore, Target
from mink_benchmarks.workload import Workload, share, stream_name
from mink_core import ConcurrencyError, ExpectedVersion, MinkError, StreamAppend

if TYPE_CHECKING:
    from collections.abc import Sequence

Calls: TypeAlias = Generator[Callable[[], Any], Any, None]
"""One writer's calls, without an end: yields a call, gets its result or its error. Of an async store a call
gives an awaitable, which the runner awaits: so threads and tasks share one text."""


class Tally:
    """What one writer has done."""

    __slots__ = ("count", "extra", "latencies")

    def __init__(self) -> None:
        """Nothing yet."""
        self.count = 0
        self.latencies: list[float] = []
        self.extra: dict[str, float] = {}

    def add(self, count: int, began: float) -> None:
        """Note a call that stored so many events."""
        self.latencies.append(time.perf_counter() - began)
        self.count += count

    def note(self, what: str) -> None:
        """Count something beside."""
        self.extra[what] = self.extra.get(what, 0.0) + 1.0


class Writers(ABC):
    """A case on one store with the usual streams in it."""

    def __init__(
        self,
        name: str,
        target: Target,
        workload: Workload,
        writers: int,
    ) -> None:
        """Take the store, what is written, and by how many."""
        self.name = name
        self.target = target
        self.workload = workload
        self.writers = writers
        self.known: dict[str, int] = {}
        """The version of each stream, as its writers know it."""

    @abstractmethod
    def calls(self, number: int, tally: Tally) -> Calls:
        """What one writer does, and notes in its tally."""

    def all_calls(self, tallies: list[Tally]) -> Sequence[Calls]:
        """Everybody's calls; each has a tally of its own, which is put into the list."""
        tallies.extend(Tally() for _ in range(self.writers))
        return [self.calls(number, tally) for number, tally in enumerate(tallies)]

    def open(self) -> None:
        """Open the store and make the streams."""
        self.opened = OpenStore(self.target)
        self.opened.fill(self.workload)

    def close(self) -> None:
        """Close the store."""
        self.opened.close()

    def measure(self, seconds: float) -> Sample:
        """Let everybody work until the time is over."""
        tallies: list[Tally] = []
        self.known = self.opened.versions()  # other cases may write to the same store
        began = time.perf_counter()
        if self.opened.is_async:
            self.opened.run(self.by_tasks(began + seconds, tallies))
        else:
            self.by_threads(began + seconds, tallies)
        took = time.perf_counter() - began
        extra: dict[str, float] = {}
        for tally in tallies:
            for what, count in tally.extra.items():
                extra[what] = extra.get(what, 0.0) + count
        latencies = [latency for tally in tallies for latency in tally.latencies]
        return Sample(sum(tally.count for tally in tallies), took, latencies, extra)

    def by_threads(self, until: float, tallies: list[Tally]) -> None:
        """Everybody in a thread."""
        errors: list[Exception] = []

        def guarded(calls: Calls) -> None:
            try:
                work(calls, until)
            except Exception as error:  # noqa: BLE001 -- raised below
                errors.append(error)

        threads = [threading.Thread(target=guarded, args=(calls,)) for calls in self.all_calls(tallies)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if errors:
            raise errors[0]

    async def by_tasks(self, until: float, tallies: list[Tally]) -> None:
        """Everybody in a task."""
        await asyncio.gather(*[work_async(calls, until) for calls in self.all_calls(tallies)])


def work(calls: Calls, until: float) -> None:
    """One writer in this thread."""
    call = next(calls)
    while True:  # at least once, however late it begins
        try:
            result = call()
        except MinkError as error:
            call = calls.throw(error)
        else:
            call = calls.send(result)
        if time.perf_counter() >= until:
            return


async def work_async(calls: Calls, until: float) -> None:
    """One writer in this task."""
    call = next(calls)
    while True:  # at least once, however late it begins
        try:
            result = await call()
        except MinkError as error:
            call = calls.throw(error)
        else:
            call = calls.send(result)
        if time.perf_counter() >= until:
            return


class Appends(Writers):
    """Each writer appends to streams of its own, `events` at a time."""

    events = 1

    def calls(self, number: int, tally: Tally) -> Calls:
        """Appends with exact versions."""
        append, known, new, events = self.opened.store.append, self.known, self.workload.events, self.events
        mine, pick, now, add = share(number, self.writers), random.Random(number).choice, time.perf_counter, tally.add
        while True:
            stream = pick(mine)
            began = now()
            result = yield partial(append, stream, new(events), expected_version=known[stream])
            known[stream] = result.last_version
            add(events, began)


class TenEvents(Appends):
    """Ten events an append."""

    events = 10


class BesideALockedStream(Appends):
    """As `Appends`, while another transaction holds one stream and one more task waits to append to it."""

    def __init__(self, name: str, target: Target, workload: Workload, writers: int, url: str, schema: str) -> None:
        """Take the server's URL and the store's schema, for the transaction that holds the stream."""
        super().__init__(name, target, workload, writers)
        self._url = url
        self._lock: Any = f"SELECT version FROM \"{schema}\".streams WHERE stream_id = 'slow-1' FOR UPDATE"  # noqa: S608 -- our own name

    def open(self) -> None:
        """Make the stream that is held as well."""
        super().open()
        self.opened.call("append", "slow-1", self.workload.events(1), expected_version=ExpectedVersion.ANY)

    async def by_tasks(self, until: float, tallies: list[Tally]) -> None:
        """Hold the stream while everybody else works."""
        with psycopg.connect(self._url) as holder:
            holder.execute(self._lock)
            store = self.opened.store
            waits = store.append("slow-1", self.workload.events(1), expected_version=ExpectedVersion.ANY)
            slow = asyncio.create_task(waits)
            await super().by_tasks(until, tallies)
            early = slow.done()
            holder.rollback()
            await slow
            if early:
                msg = "the append to the locked stream was done while it was locked: what was measured says nothing"
                raise BenchmarkError(msg)


class HotStreams(Writers):
    """All writers append to ten streams with exact versions, and try again after a conflict. Counts what was stored, and conflicts beside."""

    def calls(self, number: int, tally: Tally) -> Calls:
        """Appends, each until it is stored."""
        store, known = self.opened.store, dict(self.known)
        pick, now = random.Random(number).randrange, time.perf_counter
        tally.extra["conflicts"] = 0.0  # told also where there are none
        while True:
            began = now()
            stream = stream_name(pick(10))
            events = self.workload.events(1)
            while True:
                try:
                    result = yield partial(store.append, stream, events, expected_version=known[stream])
                except ConcurrencyError as error:
                    known[stream] = self.known[stream] = error.actual
                    tally.note("conflicts")
                else:
                    known[stream] = self.known[stream] = result.last_version
                    break
            tally.add(1, began)


class Batches(Writers):
    """Each call is an `append_batch` of one event to each of ten streams."""

    def calls(self, number: int, tally: Tally) -> Calls:
        """Batches to streams of its own."""
        mine, pick, now = share(number, self.writers), random.Random(number), time.perf_counter
        while True:
            chosen = pick.sample(mine, min(10, len(mine)))
            items = [StreamAppend(stream, self.workload.events(1), ExpectedVersion.ANY) for stream in chosen]
            began = now()
            yield partial(self.opened.store.append_batch, items)
            tally.add(len(items), began)
