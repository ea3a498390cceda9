"""Reads of one stream and of the whole log."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from mink_benchmarks.samples import Sample
from mink_benchmarks.targets import OpenStore, Target
from mink_core import EventFilter, ExpectedVersion, StreamAppend

if TYPE_CHECKING:
    from collections.abc import Callable

    from mink_benchmarks.workload import Workload

STREAM_EVENTS = 100


class Reads:
    """Reads through one store, over and over; `touch` looks at each event's data."""

    def __init__(
        self, name: str, target: Target, workload: Workload, *, events: int, how: str, touch: bool = True
    ) -> None:
        """Take what to read.

        Args:
            name: The case's.
            target: The store.
            workload: What the log is filled with.
            events: How many events are in the log, in streams of 100.
            how: `stream` (one of 100 events), `replay`, `filtered` (a twentieth of the log, by type), or `metadata` (by a
                key of it that all events have).
            touch: Whether the reader looks at `data` and `metadata`.
        """
        self.name = name
        self.target = target
        self.workload = workload
        self.events = events
        self.how = how
        self.touch = touch

    def open(self) -> None:
        """Open the store, and fill it where nobody has."""
        self.opened = OpenStore(self.target)
        # Not by whether it is empty: other scenarios, and earlier runs, may have written to it.
        if not self.opened.call("streams", category="log", after="log", limit=1):
            fill_log(self.opened, self.workload, self.events)

    def close(self) -> None:
        """Close the store."""
        self.opened.close()

    def measure(self, seconds: float) -> Sample:
        """Read until the time is over; the last pass is finished."""
        began = time.perf_counter()
        if self.opened.is_async:
            count, passes = self.opened.run(self._passes_async(began + seconds))
        else:
            count, passes = self._passes(began + seconds)
        return Sample(count, time.perf_counter() - began, passes)

    def _begin(self) -> Any:
        store = self.opened.store
        if self.how == "stream":
            return store.read_stream("log-0")
        if self.how == "filtered":
            return store.read_all(where=EventFilter(event_types=("Type-7",)))
        if self.how == "metadata":
            return store.read_all(where=EventFilter(metadata=dict([next(iter(self.workload.metadata.items()))])))
        return store.read_all()

    def _passes(self, until: float) -> tuple[int, list[float]]:
        count, took = 0, list[float]()
        while (began := time.perf_counter()) < until:
            if self.touch:
                for event in self._begin():
                    _ = event.data, event.metadata
                    count += 1
            else:
                for _ in self._begin():
                    count += 1
            took.append(time.perf_counter() - began)
        return count, took

    async def _passes_async(self, until: float) -> tuple[int, list[float]]:
        count, took = 0, list[float]()
        while (began := time.perf_counter()) < until:
            if self.touch:
                async for event in self._begin():
                    _ = event.data, event.metadata
                    count += 1
            else:
                async for _ in self._begin():
                    count += 1
            took.append(time.perf_counter() - began)
        return count, took


def fill_log(opened: OpenStore, workload: Workload, events: int) -> None:
    """Fill a log with streams of 100 events, a twentieth of them of each type."""
    from mink_core import NewEvent  # noqa: PLC0415 -- beside its one use

    together = 10  # JetStream takes a thousand events in a call
    for start in range(0, events // STREAM_EVENTS, together):
        streams = range(start, min(start + together, events // STREAM_EVENTS))
        opened.call(
            "append_batch",
            [
                StreamAppend(
                    f"log-{stream}",
                    [NewEvent(f"Type-{n % 20}", workload.data, workload.metadata) for n in range(STREAM_EVENTS)],
                    ExpectedVersion.NO_STREAM,
                )
                for stream in streams
            ],
        )


class Function:
    """A case made of functions: what is measured beside the stores."""

    def __init__(
        self,
        name: str,
        work: Callable[[float], Sample],
        *,
        prepare: Callable[[], object] | None = None,
        finish: Callable[[], object] | None = None,
    ) -> None:
        """Take what to do."""
        self.name = name
        self._work = work
        self._prepare = prepare
        self._finish = finish

    def open(self) -> None:
        """Prepare."""
        if self._prepare is not None:
            self._prepare()

    def measure(self, seconds: float) -> Sample:
        """Work."""
        return self._work(seconds)

    def close(self) -> None:
        """Finish."""
        if self._finish is not None:
            self._finish()
