"""Results of runs that were never made, and how a quick run is asked for."""

from __future__ import annotations

from typing import Any

from mink_benchmarks.samples import Sample, Series

QUICK = ["--rounds", "2", "--seconds", "0.02", "--quiet"]


def series(name: str, *counts: int) -> Series:
    return Series(name, [Sample(count, 1.0, [0.001 * count]) for count in counts])


def run_of(floors: tuple[str, ...] = (), **cases: list[float]) -> dict[str, Any]:
    listed = [{"name": name, "rates": rates} for name, rates in cases.items()]
    return {"groups": {"append-1": {"cases": listed, "baseline": next(iter(cases)), "floors": floors}}}
