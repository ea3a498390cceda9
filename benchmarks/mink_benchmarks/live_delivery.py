"""From the append call to a live subscriber."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING

from mink_benchmarks.samples import Sample
from mink_benchmarks.targets import OpenStore, Target
from mink_core import ExpectedVersion

if TYPE_CHECKING:
    from uuid import UUID

    from mink_benchmarks.workload import Workload

RATE = 500
"""Appends a second."""


class Delivery:
    """One writer at a steady pace, one subscriber at the head; the latency of each event."""

    def __init__(self, name: str, target: Target, workload: Workload, *, poll_interval: float = 0.1) -> None:
        """Take the store, and how often the subscription looks by itself."""
        self.name = name
        self.target = target
        self.workload = workload
        self.poll_interval = poll_interval

    def open(self) -> None:
        """Open the store."""
        self.opened = OpenStore(self.target)

    def close(self) -> None:
        """Close the store."""
        self.opened.close()

    def measure(self, seconds: float) -> Sample:
        """Append at the pace for so long, and wait for the last one."""
        sent: dict[UUID, float] = {}
        got: dict[UUID, float] = {}
        began = time.perf_counter()
        if self.opened.is_async:
            self.opened.run(self._tasks(seconds, sent, got))
        else:
            self._threads(seconds, sent, got)
        latencies = [got[key] - sent[key] for key in sent]
        return Sample(len(latencies), time.perf_counter() - began, latencies)

    def _threads(self, seconds: float, sent: dict[UUID, float], got: dict[UUID, float]) -> None:
        store, count = self.opened.store, max(int(seconds * RATE), 1)
        ready = store.head_position()

        def follow() -> None:
            with store.subscribe(after_position=ready, poll_interval=self.poll_interval) as subscription:
                for batch in subscription:
                    now = time.perf_counter()
                    for event in batch:
                        got[event.event_id] = now
                    if len(got) >= count:
                        return

        follower = threading.Thread(target=follow)
        follower.start()
        start = time.perf_counter() + 0.05
        for number in range(count):
            time.sleep(max(0.0, start + number / RATE - time.perf_counter()))
            events = self.workload.events(1)
            sent[events[0].event_id] = time.perf_counter()
            store.append(f"live-{number % 100}", events, expected_version=ExpectedVersion.ANY)
        follower.join()

    async def _tasks(self, seconds: float, sent: dict[UUID, float], got: dict[UUID, float]) -> None:
        store, count = self.opened.store, max(int(seconds * RATE), 1)
        ready = await store.head_position()

        async def follow() -> None:
            async with store.subscribe(after_position=ready, poll_interval=self.poll_interval) as subscription:
                async for batch in subscription:
                    now = time.perf_counter()
                    for event in batch:
                        got[event.event_id] = now
                    if len(got) >= count:
                        return

        follower = asyncio.create_task(follow())
        start = time.perf_counter() + 0.05
        for number in range(count):
            await asyncio.sleep(max(0.0, start + number / RATE - time.perf_counter()))
            events = self.workload.events(1)
            sent[events[0].event_id] = time.perf_counter()
            await store.append(f"live-{number % 100}", events, expected_version=ExpectedVersion.ANY)
        await follower
