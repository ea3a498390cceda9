"""Interleaved rounds, and what they come to."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from mink_core import MinkError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


DISTRIBUTION = (0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9999)
"""Shares of the calls that a result keeps the latencies of."""


class BenchmarkError(MinkError):
    """Something could not be measured; says what."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement."""

    count: int
    """Events, or whatever the case counts."""
    seconds: float
    latencies: list[float] = field(default_factory=list)
    """Seconds of single calls, where the case takes them."""
    extra: dict[str, float] = field(default_factory=dict)
    """What was counted beside, as conflicts; or what was measured in milliseconds, whose name ends in `ms`."""

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.count / self.seconds

    @property
    def beside(self) -> dict[str, float]:
        """What is in `extra`: counts a second, milliseconds as they are."""
        return {
            name if name.endswith(" ms") else f"{name}/s": value if name.endswith(" ms") else value / self.seconds
            for name, value in self.extra.items()
        }


class Case(Protocol):
    """Something that can be measured again and again."""

    name: str

    def open(self) -> None:
        """Connect, and make what the measurement needs."""
        ...

    def measure(self, seconds: float) -> Sample:
        """Work for about so long; as little as can be where that is 0."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...


@dataclass(slots=True)
class Series:
    """The samples of one case, a round each."""

    name: str
    samples: list[Sample] = field(default_factory=list)

    @property
    def rates(self) -> list[float]:
        """Events a second, a round each."""
        return [sample.rate for sample in self.samples]

    def ratios(self, baseline: Series) -> list[float]:
        """This case's rate over another's, round by round.

        Raises:
            BenchmarkError: The other one has a round in which it came to nothing.
        """
        if not all(baseline.rates):
            msg = (
                f"{baseline.name} came to nothing in one of its rounds, so there is no ratio to it: measure for longer"
            )
            raise BenchmarkError(msg)
        return [own / other for own, other in zip(self.rates, baseline.rates, strict=True)]

    @property
    def beside(self) -> dict[str, list[float]]:
        """What each round has counted or measured beside, by name; 0 where a round has not."""
        rounds = [sample.beside for sample in self.samples]
        return {
            name: [one.get(name, 0.0) for one in rounds] for name in dict.fromkeys(key for it in rounds for key in it)
        }

    def percentile(self, share: float) -> float:
        """A percentile of all calls, in milliseconds; 0 where none were taken."""
        return self.percentiles([share])[0]

    def percentiles(self, shares: Sequence[float]) -> list[float]:
        """Several at once."""
        calls = sorted(call for sample in self.samples for call in sample.latencies)
        return [1000 * calls[min(len(calls) - 1, int(len(calls) * share))] if calls else 0.0 for share in shares]

    def as_json(self) -> dict[str, Any]:
        """What is kept of it."""
        return {
            "name": self.name,
            "rates": self.rates,
            **spread(self.rates),
            **dict(
                zip(("p50_ms", "p90_ms", "p99_ms", "p999_ms"), self.percentiles((0.5, 0.9, 0.99, 0.999)), strict=True)
            ),
            "p50_ms_rounds": [Series("", [sample]).percentile(0.5) for sample in self.samples],
            "distribution": [*zip(DISTRIBUTION, self.percentiles(DISTRIBUTION), strict=True)],
            "beside": {name: spread(values) for name, values in self.beside.items()},
            "extra": [sample.extra for sample in self.samples],
        }


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, lowest and highest."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def run_rounds(
    cases: Sequence[Case], *, rounds: int, seconds: float, progress: Callable[[str], None], settle: Callable[[], None]
) -> dict[str, Series]:
    """Measure the cases in turn, `rounds` times, every other time in the opposite order.

    Args:
        cases: What to measure; opened before the first round, closed after the last.
        rounds: How often each is measured.
        seconds: How long each time.
        progress: Told what is being done.
        settle: Called before each round, outside of what is measured.
    """
    found = {case.name: Series(case.name) for case in cases}
    opened: list[Case] = []
    try:
        for case in cases:
            progress(f"opening {case.name}")
            case.open()
            opened.append(case)
        for case in cases:
            case.measure(min(seconds, 0.3))  # warms caches and plans; not counted
        for number in range(rounds):
            settle()
            # There and back: what comes first after the settling, or last, is not the same in every round.
            for case in cases if number % 2 == 0 else reversed(cases):
                progress(f"round {number + 1} of {rounds}: {case.name}")
                found[case.name].samples.append(case.measure(seconds))
    finally:
        for case in reversed(opened):
            case.close()
    return found
