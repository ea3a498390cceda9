"""The memory adapter, whose server is this process."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from mink_benchmarks.reads import Function
from mink_benchmarks.samples import Sample
from mink_benchmarks.workload import EVENT_TYPE, share
from mink_core import ExpectedVersion, NewEvent, open_store

if TYPE_CHECKING:
    from mink_benchmarks.workload import Workload

_LOG = 200_000


def cases(workload: Workload) -> list[Function]:
    """Appends of events that are built already, and replays with the data touched or not."""
    return [
        Function("memory, appends", lambda seconds: _appends(workload, seconds)),
        *_replays(workload),
    ]


def _appends(workload: Workload, seconds: float) -> Sample:
    names, count, took = share(0, 1), 0, 0.0
    with open_store("memory://") as store:
        while took < seconds:
            # Built outside of the time: an id and a dict of its own each.
            built = [[NewEvent(EVENT_TYPE, workload.data, workload.metadata)] for _ in range(20_000)]
            append, expected = store.append, ExpectedVersion.ANY
            began = time.perf_counter()
            for number, events in enumerate(built):
                append(names[number % 1000], events, expected_version=expected)
            took += time.perf_counter() - began
            count += len(built)
    return Sample(count, took)


def _replays(workload: Workload) -> list[Function]:
    store: Any = open_store("memory://")

    def fill() -> None:
        for number in range(_LOG // 100):
            store.append(f"log-{number}", workload.events(100), expected_version=ExpectedVersion.NO_STREAM)

    def untouched(seconds: float) -> Sample:
        count, began = 0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            for _ in store.read_all():
                count += 1
        return Sample(count, time.perf_counter() - began)

    def touched(seconds: float) -> Sample:
        count, began = 0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            for event in store.read_all():
                _ = event.data, event.metadata
                count += 1
        return Sample(count, time.perf_counter() - began)

    return [
        Function("memory, replay", untouched, prepare=fill),
        Function("memory, replay, touched", touched, finish=store.close),
    ]
