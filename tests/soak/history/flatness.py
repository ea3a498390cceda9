"""Whether a series of samples is flat."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.soak.history.sampling import Sample

MAY_GROW = {"memory": (4.0, 0.05), "threads": (2.0, 0.0), "files": (3.0, 0.0), "connections": (2.0, 0.0)}
"""By kind of series, how much its trend may rise over the last two thirds of a run: in its unit (MiB of memory), or as
a share of its median, whichever is more."""
_MOST = 300


@dataclass(frozen=True)
class Trend:
    """A series over the last two thirds of a run."""

    series: str
    median: float
    highest: float
    growth: float
    """Slope by Theil and Sen (the median of all pairs' slopes: single outliers weigh nothing), times the time."""
    may_grow: float

    @property
    def is_flat(self) -> bool:
        return self.growth <= self.may_grow

    def __str__(self) -> str:
        verdict = "flat" if self.is_flat else "GROWS"
        return (
            f"{verdict:5}  {self.series:24} median {self.median:8.1f}  max {self.highest:8.1f}  "
            f"trend {self.growth:+8.2f} (may be {self.may_grow:.2f})"
        )


def trends(samples: Sequence[Sample]) -> list[Trend]:
    """Every series that has a bound; the first third of the run is its warming up."""
    names = sorted({name for sample in samples for name in sample if name.split()[0] in MAY_GROW})
    first = samples[-1]["seconds"] / 3
    return [
        trend_of(name, [(it["seconds"], it[name]) for it in samples if name in it and it["seconds"] >= first])
        for name in names
    ]


def trend_of(series: str, points: Sequence[tuple[float, float]]) -> Trend:
    """The trend of one series of times and values."""
    some = points[:: max(1, len(points) // _MOST)]
    slopes = [(y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in combinations(some, 2) if x2 > x1]
    middle = median(value for _, value in points)
    floor, share = MAY_GROW[series.split(maxsplit=1)[0]]
    return Trend(
        series,
        middle,
        max(value for _, value in points),
        (median(slopes) if slopes else 0.0) * (points[-1][0] - points[0][0]),
        max(floor, share * middle),
    )
