"""The work by which the effect of a setting is measured, all of it by asyncpg's store."""

from __future__ import annotations

import random
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from mink_benchmarks.appends import Appends, TenEvents, Writers
from mink_benchmarks.reads import Reads
from mink_benchmarks.workload import Workload
from mink_core import ExpectedVersion, StreamAppend

if TYPE_CHECKING:
    from collections.abc import Callable

    from mink_benchmarks.appends import Calls, Tally
    from mink_benchmarks.samples import Case
    from mink_benchmarks.targets import Target

_MANY = 50_000
_TOGETHER = 1000
"""Streams that one call of filling makes."""
_LINES = 64
"""Lines of an order whose JSON is 8 KB."""


class ManyStreams(Writers):
    """Appends to any of so many streams that the rows of most pages are written seldom."""

    def open(self) -> None:
        """Make the streams."""
        super().open()
        for start in range(0, _MANY, _TOGETHER):
            events = ((f"many-{number}", self.workload.events(1)) for number in range(start, start + _TOGETHER))
            items = [StreamAppend(stream, made, ExpectedVersion.ANY) for stream, made in events]
            self.opened.call("append_batch", items)

    def calls(self, number: int, tally: Tally) -> Calls:
        """Appends whatever the version is: two writers may meet on a stream."""
        pick, now = random.Random(number).randrange, time.perf_counter
        while True:
            stream, events = f"many-{pick(_MANY)}", self.workload.events(1)
            began = now()
            yield partial(self.opened.store.append, stream, events, expected_version=ExpectedVersion.ANY)
            tally.add(1, began)


def large() -> Workload:
    """A payload of 8 KB that is no repetition, as long orders are: a third of it goes by compression."""
    pick = random.Random(7)
    lines = [
        {
            "sku": f"{pick.randrange(10**9):09}",
            "name": "".join(pick.choices("etaoinshrdlu ", k=40)),
            "quantity": pick.randrange(1, 50),
            "price": pick.randrange(10**5) / 100,
        }
        for _ in range(_LINES)
    ]
    return Workload(data={"order_id": 7, "lines": lines})


def _reads(how: str = "replay", *, touch: bool = False) -> Callable[[str, Target, Workload], Case]:
    return lambda name, target, workload: Reads(name, target, workload, events=50_000, how=how, touch=touch)


def _large_replay(name: str, target: Target, _: Workload) -> Case:
    return Reads(name, target, large(), events=5_000, how="replay", touch=False)


def _appends(kind: type[Writers], writers: int) -> Callable[[str, Target, Workload], Case]:
    return lambda name, target, workload: kind(name, target, workload, writers)


def _large_appends(name: str, target: Target, _: Workload) -> Case:
    return Appends(name, target, large(), 64)


WORKS: dict[str, Callable[[str, Target, Workload], Case]] = {
    "1 task": _appends(Appends, 1),
    "64 tasks": _appends(Appends, 64),
    "256 tasks": _appends(Appends, 256),
    "64 tasks, not grouped": _appends(Appends, 64),
    "64 tasks, ten events": _appends(TenEvents, 64),
    "64 tasks, 50,000 streams": _appends(ManyStreams, 64),
    "64 tasks, 8 KB": _large_appends,
    "replay": _reads(),
    "replay, looked at": _reads(touch=True),
    "replay, by metadata": _reads("metadata"),
    "replay, 8 KB": _large_replay,
}
"""By name: makes a case of its name, the store and the usual payload."""
OPTIONS: dict[str, dict[str, Any]] = {"64 tasks, not grouped": {"group_commits": False}}
"""Options of the store that belong to the work and not to a setting."""
