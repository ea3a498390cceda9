"""Appends by many callers at once, with exact expected versions."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from typing import TYPE_CHECKING, Any

import psycopg

from mink_benchmarks.samples import Sample
from mink_benchmarks.targets import OpenStore, Target
from mink_benchmarks.workload import Workload, share, stream_name
from mink_core import ConcurrencyError, ExpectedVersion, StreamAppend

if TYPE_CHECKING:
    from collections.abc import Callable

Loop = "Callable[[], asyncio.AbstractEventLoop] | None"


class _OnStore:
    """A case on one store with the usual streams in it."""

    def __init__(
        self,
        name: str,
        target: Target,
        workload: Workload,
        writers: int,
        loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
    ) -> None:
        self.name = name
        self.target = target
        self.workload = workload
        self.writers = writers
        self._loop_factory = loop_factory
        self.known: dict[str, int] = {}

    def open(self) -> None:
        """Open the store and make the streams."""
        self.opened = OpenStore(self.target, self._loop_factory)
        self.opened.fill(self.workload)
        self.known = self.opened.versions()

    def close(self) -> None:
        """Close the store."""
        self.opened.close()

    def measure(self, seconds: float) -> Sample:
        """Let every writer append until the time is over."""
        latencies: list[float] = []
        counts = [0] * self.writers
        extra = {"conflicts": 0.0}
        began = time.perf_counter()
        until = began + seconds
        if self.opened.is_async:
            self.opened.run(self._tasks(until, counts, latencies, extra))
        else:
            self._threads(until, counts, latencies, extra)
        return Sample(sum(counts), time.perf_counter() - began, latencies, extra)

    def _threads(self, until: float, counts: list[int], latencies: list[float], extra: dict[str, float]) -> None:
        threads = [
            threading.Thread(target=self._write, args=(number, until, counts, latencies, extra))
            for number in range(self.writers)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    async def _tasks(self, until: float, counts: list[int], latencies: list[float], extra: dict[str, float]) -> None:
        await asyncio.gather(
            *(self._write_async(number, until, counts, latencies, extra) for number in range(self.writers))
        )

    def _write(
        self, number: int, until: float, counts: list[int], latencies: list[float], extra: dict[str, float]
    ) -> None:
        raise NotImplementedError

    async def _write_async(
        self, number: int, until: float, counts: list[int], latencies: list[float], extra: dict[str, float]
    ) -> None:
        raise NotImplementedError


class Appends(_OnStore):
    """Each writer appends to streams of its own, `events` at a time."""

    events = 1

    def _write(
        self, number: int, until: float, counts: list[int], latencies: list[float], extra: dict[str, float]
    ) -> None:
        del extra
        append, known, new = self.opened.store.append, self.known, self.workload.events
        mine, pick, now = share(number, self.writers), random.Random(number).choice, time.perf_counter
        while (began := now()) < until:
            stream = pick(mine)
            known[stream] = append(stream, new(self.events), expected_version=known[stream]).last_version
            latencies.append(now() - began)
            counts[number] += self.events

    async def _write_async(
        self, number: int, until: float, counts: list[int], latencies: list[float], extra: dict[str, float]
    ) -> None:
        del extra
        append, known, new = self.opened.store.append, self.known, self.workload.events
        mine, pick, now = share(number, self.writers), random.Random(number).choice, time.perf_counter
        while (began := now()) < until:
            stream = pick(mine)
            known[stream] = (await append(stream, new(self.events), expected_version=known[stream])).last_version
            latencies.append(now() - began)
            counts[number] += self.events


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

    async def _tasks(self, until: float, counts: list[int], latencies: list[float], extra: dict[str, float]) -> None:
        with psycopg.connect(self._url) as holder:
            holder.execute(self._lock)
            store = self.opened.store
            waits = store.append("slow-1", self.workload.events(1), expected_version=ExpectedVersion.ANY)
            slow = asyncio.create_task(waits)
            await super()._tasks(until, counts, latencies, extra)
            extra["slow one done early"] = float(slow.done())
            holder.rollback()
            await slow


class HotStreams(_OnStore):
    """All writers append to ten streams with exact versions, and try again after a conflict. Counts what was stored."""

    def _write(
        self, number: int, until: float, counts: list[int], latencies: list[float], extra: dict[str, float]
    ) -> None:
        store, known = self.opened.store, dict(self.known)
        pick, now = random.Random(number).randrange, time.perf_counter
        while (began := now()) < until:
            stream = stream_name(pick(10))
            events = self.workload.events(1)
            while True:
                try:
                    known[stream] = store.append(stream, events, expected_version=known[stream]).last_version
                    break
                except ConcurrencyError as error:
                    known[stream] = error.actual
                    extra["conflicts"] += 1
            latencies.append(now() - began)
            counts[number] += 1
        self.known.update(known)

    async def _write_async(
        self, number: int, until: float, counts: list[int], latencies: list[float], extra: dict[str, float]
    ) -> None:
        store, known = self.opened.store, dict(self.known)
        pick, now = random.Random(number).randrange, time.perf_counter
        while (began := now()) < until:
            stream = stream_name(pick(10))
            events = self.workload.events(1)
            while True:
                try:
                    known[stream] = (await store.append(stream, events, expected_version=known[stream])).last_version
                    break
                except ConcurrencyError as error:
                    known[stream] = error.actual
                    extra["conflicts"] += 1
            latencies.append(now() - began)
            counts[number] += 1
        self.known.update(known)


class Batches(_OnStore):
    """Each call is an `append_batch` of one event to each of ten streams."""

    def _items(self, mine: list[str], pick: random.Random) -> list[StreamAppend]:
        chosen = pick.sample(mine, min(10, len(mine)))
        return [StreamAppend(stream, self.workload.events(1), ExpectedVersion.ANY) for stream in chosen]

    def _write(
        self, number: int, until: float, counts: list[int], latencies: list[float], extra: dict[str, float]
    ) -> None:
        del extra
        mine, pick, now = share(number, self.writers), random.Random(number), time.perf_counter
        while (began := now()) < until:
            counts[number] += len(self.opened.store.append_batch(self._items(mine, pick)))
            latencies.append(now() - began)

    async def _write_async(
        self, number: int, until: float, counts: list[int], latencies: list[float], extra: dict[str, float]
    ) -> None:
        del extra
        mine, pick, now = share(number, self.writers), random.Random(number), time.perf_counter
        while (began := now()) < until:
            counts[number] += len(await self.opened.store.append_batch(self._items(mine, pick)))
            latencies.append(now() - began)
