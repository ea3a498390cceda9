"""Everything at once: appends, reads of streams, and a live subscriber, on one store."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from mink_benchmarks.appends import Calls, Tally, Writers
from mink_benchmarks.samples import Series
from mink_benchmarks.workload import share
from mink_core import ExpectedVersion

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from mink_benchmarks.samples import Sample

_LAST = "mixed-last"


class Mixed(Writers):
    """Writers of streams of their own; a reader of whole streams for every four of them; one subscriber at the head.

    Counts the appended events. Beside: `reads`, `events read`, `delivered`, and how long a delivery took.
    """

    def all_calls(self, tallies: list[Tally]) -> Sequence[Calls]:
        """The writers', and the readers'."""
        self._sent: dict[UUID, float] = {}
        self._got: dict[UUID, float] = {}
        calls = [*super().all_calls(tallies)]
        for number in range(max(1, self.writers // 4)):
            tallies.append(tally := Tally())
            calls.append(self._reads(number, tally))
        return calls

    def measure(self, seconds: float) -> Sample:
        """Let everybody work until the time is over, and wait until all is delivered."""
        sample = super().measure(seconds)
        delays = [self._got[key] - began for key, began in self._sent.items() if key in self._got]
        taken = Series("", [type(sample)(len(delays), sample.seconds, delays)])
        sample.extra["delivered"] = float(len(delays))
        sample.extra["delivery p50 ms"] = taken.percentile(0.5)
        sample.extra["delivery p99 ms"] = taken.percentile(0.99)
        return sample

    def by_threads(self, until: float, tallies: list[Tally]) -> None:
        """With a thread that follows."""
        store = self.opened.store
        follower = threading.Thread(target=self._follow, args=(store.head_position(),))
        follower.start()
        try:
            super().by_threads(until, tallies)
        finally:
            store.append(_LAST, self.workload.events(1), expected_version=ExpectedVersion.ANY)
            follower.join()

    async def by_tasks(self, until: float, tallies: list[Tally]) -> None:
        """With a task that follows."""
        store = self.opened.store
        follower = asyncio.create_task(self._follow_async(await store.head_position()))
        try:
            await super().by_tasks(until, tallies)
        finally:
            await store.append(_LAST, self.workload.events(1), expected_version=ExpectedVersion.ANY)
            await follower

    def calls(self, number: int, tally: Tally) -> Calls:
        """Appends with exact versions, and when each was sent."""
        append, known, mine = self.opened.store.append, self.known, share(number, self.writers)
        pick, now = random.Random(number).choice, time.perf_counter
        while True:
            stream, events = pick(mine), self.workload.events(1)
            began = self._sent[events[0].event_id] = now()
            result = yield partial(append, stream, events, expected_version=known[stream])
            known[stream] = result.last_version
            tally.add(1, began)

    def _reads(self, number: int, tally: Tally) -> Calls:
        streams, pick = share(0, 1), random.Random(-number).choice
        while True:
            events = yield partial(self.opened.read, pick(streams))
            for event in events:
                _ = event.data
            tally.note("reads")
            tally.extra["events read"] = tally.extra.get("events read", 0.0) + len(events)

    def _take(self, batch: Any) -> bool:
        """Note a batch; tell whether it holds the last event of all."""
        now = time.perf_counter()
        last = False
        for event in batch:
            self._got[event.event_id] = now
            last = last or event.stream_id == _LAST
        return last

    def _follow(self, after: int) -> None:
        with self.opened.store.subscribe(after_position=after, poll_interval=0.1) as subscription:
            for batch in subscription:
                if self._take(batch):
                    return

    async def _follow_async(self, after: int) -> None:
        async with self.opened.store.subscribe(after_position=after, poll_interval=0.1) as subscription:
            async for batch in subscription:
                if self._take(batch):
                    return
