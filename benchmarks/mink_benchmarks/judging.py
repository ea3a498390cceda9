"""Rows of the numbers to beat, and how they are judged."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mink_benchmarks.samples import BenchmarkError, Series

if TYPE_CHECKING:
    from mink_benchmarks.samples import Case

_SHARES = {"p50": 0.5, "p99": 0.99}


@dataclass(frozen=True, slots=True)
class Goal:
    """One row: a case has to reach so much of its baseline, or a percentile or a rate of its own."""

    what: str
    case: str
    at_least: float
    baseline: str = ""
    """A case's name; empty for a bound on the case itself."""
    measure: str = "ratio"
    """`ratio` and `rate` (events a second) at least; `p50`, `p99` (milliseconds) and their `… ratio` at most."""
    of_baseline: float = 1.0
    """For what is not measured here: its own ratio to the baseline, published elsewhere."""


@dataclass(slots=True)
class Group:
    """Cases that are measured in the same rounds, and the goals that compare them."""

    name: str
    cases: list[Case]
    goals: list[Goal] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    """Goals that cannot be measured here, and why."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a goal came to."""

    goal: Goal
    values: list[float]
    median: float
    passed: bool


def judge(goal: Goal, series: dict[str, Series]) -> Verdict:
    """Compare what was measured with what was wanted.

    Raises:
        BenchmarkError: It is about calls, and in some round no call was timed.
    """
    own = series[goal.case]
    if goal.measure == "ratio":
        values = [ratio / goal.of_baseline for ratio in own.ratios(series[goal.baseline])]
    elif goal.measure in ("p50 ratio", "p99 ratio"):
        share = _SHARES[goal.measure[:3]]
        delays, others = _percentiles(own, share), _percentiles(series[goal.baseline], share)
        values = [mine / other for mine, other in zip(delays, others, strict=True)]
    elif goal.measure == "rate":
        values = own.rates
    else:
        values = _percentiles(own, _SHARES[goal.measure])
    median = statistics.median(values)
    passed = median <= goal.at_least if goal.measure.startswith("p") else median >= goal.at_least
    return Verdict(goal, values, median, passed)


def _percentiles(series: Series, share: float) -> list[float]:
    """One a round, in milliseconds."""
    if not all(sample.latencies for sample in series.samples):
        msg = f"no calls of {series.name} were timed"
        raise BenchmarkError(msg)
    return [Series("", [sample]).percentile(share) for sample in series.samples]
