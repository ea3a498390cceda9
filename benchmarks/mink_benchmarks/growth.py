"""Appends, reads, index sizes and vacuum while a log grows to thirty million events, and what follows for more.

    mink bench growth --folder data --to 30000000
    mink bench growth --folder data --to 30000000 --only fill --fill-seconds 120     as often as needed
    mink bench growth --folder data --to 3000000 --only measure

With a folder the server's data is kept, and filling goes on where it stopped; what was measured at smaller sizes is
kept in `growth.json` beside them. Beside the log that grows stands one
that stays at a million events; both are measured in the same rounds, so that a busy machine slows both.
"""

from __future__ import annotations

import json
import statistics
from typing import TYPE_CHECKING, Any

from mink_benchmarks.grown import BLOCK, GENERATION, Grown, GrownCase, blocks_of
from mink_benchmarks.report import number, table
from mink_benchmarks.samples import run_rounds, spread
from mink_core import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from mink_benchmarks.server import Server
    from mink_benchmarks.workload import Workload

MILLION = 1_000_000
STEPS = (1, 3, 10, 30, 100)
"""Millions of events at which is measured."""
GOAL_EVENTS = 30 * MILLION
"""At how many events appends have to keep up with those at a million."""
HOWS = ("appends", "streams", "replay", "category")


def steps_to(events: int) -> list[int]:
    """The steps up to so many events, and that number."""
    unit = GENERATION if events >= GENERATION else BLOCK
    return sorted({step * MILLION for step in STEPS if step * MILLION < events} | {max(events // unit, 1) * unit})


class Growth:
    """The two logs."""

    def __init__(
        self, server: Server, workload: Workload, progress: Callable[[str], None], base: int = MILLION
    ) -> None:
        """Take the server; `base` is how many events the log has that does not grow."""
        self.base = max(base // BLOCK, 1) * BLOCK
        self._workload = workload
        self._progress = progress
        self.still = Grown(server, workload, "growth_still")
        self.grows = Grown(server, workload, "growth")

    def fill(self, wanted: int, seconds: float = 1e9) -> int:
        """Fill both; returns how far the one that grows is."""
        self.still.fill(self.base, seconds, self._progress)
        return self.grows.fill(wanted, seconds, self._progress)

    def steps_left(self, to: int) -> list[int]:
        """The steps up to `to` at which can still be measured: a log that has grown beyond one is no log of that size.

        Raises:
            UsageError: The log is larger than `to` already.
        """
        steps = steps_to(to)
        have = self.grows.events() if self.grows.exists() else 0
        if have > steps[-1]:
            msg = f"the log has grown to {have:,} events already: give a new --folder, or --to {have} or more"
            raise UsageError(msg)
        return [step for step in steps if step >= have]

    def reaches(self, events: int) -> bool:
        """Whether both logs are there, and the one that grows has so many events."""
        return self.still.exists() and self.grows.exists() and self.grows.events() >= events

    def cases(self, events: int, hows: Sequence[str] = HOWS) -> list[GrownCase]:
        """Each kind on both logs."""
        return [
            GrownCase(f"{how}, {size:,} events", grown, self._workload, how, size)
            for how in hows
            for grown, size in ((self.still, self.base), (self.grows, events))
        ]

    def measure(self, events: int, rounds: int, seconds: float) -> dict[str, Any]:
        """One step's figures."""
        vacuumed = self.grows.vacuum()
        again = self.grows.vacuum()
        self.still.vacuum()
        self.grows.server.run("CHECKPOINT")
        cases = self.cases(events)
        if events == self.base:
            for case in cases[1::2]:
                case.name += " (grows)"
        step: dict[str, Any] = {
            "events": events,
            "vacuum_after_growth": vacuumed,
            "vacuum_again": again,
            # Before the rounds append, so that they are of that many events.
            "sizes": self.grows.sizes(),
        }
        found = run_rounds(cases, rounds=rounds, seconds=seconds, progress=self._progress, settle=lambda: None)
        step["blocks"] = blocks_of(self.grows, self._workload, events)
        for how, still, grows in zip(HOWS, cases[::2], cases[1::2], strict=True):
            ratios = found[grows.name].ratios(found[still.name])
            step[how] = {
                "still": spread(found[still.name].rates),
                "grows": spread(found[grows.name].rates),
                "ratio": spread(ratios),
                "p50_ms": found[grows.name].percentile(0.5),
                "p99_ms": found[grows.name].percentile(0.99),
            }
        return step


def keep(path: Path, step: dict[str, Any]) -> list[dict[str, Any]]:
    """Put a step among those that were measured before; returns all."""
    known = json.loads(path.read_text("utf-8")) if path.exists() else []
    by_size: dict[int, dict[str, Any]] = {one["events"]: one for one in [*known, step]}
    steps = [by_size[size] for size in sorted(by_size)]
    path.write_text(json.dumps(steps, indent=1), "utf-8")
    return steps


def extrapolate(steps: Sequence[dict[str, Any]], to: int = 100 * MILLION) -> dict[str, float]:
    """What is expected at `to` events.

    Sizes and the vacuum after growth are taken to grow in proportion to the events (least squares through zero); rates to
    fall by the same share with each doubling (least squares of the logarithm of the ratio to the log that stays, over that
    of the events), as the depth of a B-tree and the share of it that is cached do.
    """
    from math import log2  # noqa: PLC0415 -- beside its one use

    events = [step["events"] for step in steps]
    found: dict[str, float] = {"events": to}
    names = sorted({name for step in steps for name in step["sizes"]})
    for name in names:
        sizes = [step["sizes"].get(name, 0) for step in steps]
        slope = sum(x * y for x, y in zip(events, sizes, strict=True)) / sum(x * x for x in events)
        found[f"bytes {name}"] = slope * to
    if len(steps) > 1:
        for how in HOWS:
            xs = [log2(count) for count in events]
            ys = [log2(step[how]["ratio"]["median"]) for step in steps]
            middle_x, middle_y = statistics.fmean(xs), statistics.fmean(ys)
            slope = sum((x - middle_x) * (y - middle_y) for x, y in zip(xs, ys, strict=True)) / sum(
                (x - middle_x) ** 2 for x in xs
            )
            found[how] = 2 ** (middle_y + slope * (log2(to) - middle_x))
    return found


def as_table(steps: Sequence[dict[str, Any]]) -> str:
    """The steps, for people."""
    header = [
        "events",
        "appends/s",
        "of 1st log",
        "streams, ev/s",
        "of",
        "replay, ev/s",
        "of",
        "category, ev/s",
        "of",
        "GiB",
        "B/event",
        "vacuum s",
    ]
    rows: list[list[str]] = []
    for step in steps:
        total = sum(step["sizes"].values())
        row = [f"{step['events']:,}"]
        for how in HOWS:
            row += [number(step[how]["grows"]["median"]), number(step[how]["ratio"]["median"])]
        rows.append([*row, number(total / 2**30), number(total / step["events"]), number(step["vacuum_after_growth"])])
    things = list(steps[-1]["blocks"])
    looked_at = [
        [f"{step['events']:,}", *(f"{step.get('blocks', {}).get(it, 0):,.0f}" for it in things)] for step in steps
    ]
    return f"{table(header, rows)}\n\n{table(['blocks looked at by', *things], looked_at)}"
