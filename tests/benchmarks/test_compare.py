"""What is said of two runs: slower, faster, the machine, or noise."""

from __future__ import annotations

import re
from typing import Any

from mink_benchmarks.compare import compare
from tests.benchmarks.measured import run_of


def words(old: dict[str, Any], new: dict[str, Any]) -> dict[str, str]:
    """What is said of each case."""
    text, slower = compare(old, new)
    rows = [re.split(r"  +", line) for line in text.splitlines()[2:]]
    found = {row[0].partition(": ")[2]: row[-1] for row in rows}
    assert slower == list(found.values()).count("slower")
    return found


def test_compare_tells_noise_from_slower() -> None:
    steady: list[float] = [200, 210, 220, 205]
    old = run_of(base=[100] * 4, same=steady, slow=steady, fast=steady)
    # The machine is half as fast, the baseline too: only one case got slower.
    new = run_of(base=[50, 55, 52, 51], same=[101, 119, 110, 104], slow=[60, 62, 65, 61], fast=[150] * 4, more=[1] * 4)
    assert words(old, new) == {
        "base": "slower",
        "same": "within noise",
        "slow": "slower",
        "fast": "faster",
        "more": "new",
    }


def test_what_only_one_run_has_measured_is_told() -> None:
    both = run_of(base=[100] * 4, store=[100.0] * 4)
    assert words(both, run_of(base=[100] * 4)) == {"base": "within noise", "store": "gone"}
    without: dict[str, Any] = {"groups": {}}
    assert words(both, without) == {"base": "gone", "store": "gone"}
    assert words(without, both) == {"base": "new", "store": "new"}


def test_compare_takes_a_floor_for_the_machine() -> None:
    old = run_of(("floor",), floor=[100] * 4, store=[200, 210, 220, 205])
    # All stores half as fast beside a floor that is not: no other case of the run could tell.
    assert words(old, run_of(("floor",), floor=[100] * 4, store=[90, 95, 100, 105])) == {
        "floor": "the machine",
        "store": "slower",
    }
    assert words(old, run_of(("floor",), floor=[50] * 4, store=[100, 105, 110, 102])) == {
        "floor": "the machine",
        "store": "within noise",
    }
    # Without a floor, what Python does alone on the machine is measured in the same rounds.
    pair = [run_of(store=[200.0, 210, 220, 205]), run_of(store=[100.0, 105, 110, 102])]
    for run, rate in zip(pair, (1000.0, 500.0), strict=True):
        run["groups"]["append-1"]["machine"] = {"name": "Python alone", "rates": [rate] * 4}
    assert words(*pair) == {"store": "within noise", "Python alone": "the machine"}


def test_one_disturbed_round_hides_no_large_change() -> None:
    old = run_of(base=[1.0] * 5, store=[100, 105, 30, 110, 95])
    assert words(old, run_of(base=[1.0] * 5, store=[40, 42, 45, 41, 44]))["store"] == "slower"
    assert words(old, run_of(base=[1.0] * 5, store=[90, 92, 85, 91, 94]))["store"] == "within noise"
    # Nor is a change that nobody notices a finding, or one of three rounds.
    quiet = run_of(base=[1.0] * 4, store=[100, 100.1, 100.2, 100.3])
    assert words(quiet, run_of(base=[1.0] * 4, store=[98, 98.1, 98.2, 98.3]))["store"] == "within noise"
    few = run_of(base=[1.0] * 3, store=[100.0] * 3)
    assert words(few, run_of(base=[1.0] * 3, store=[50.0] * 3))["store"] == "too few rounds"


def test_compare_takes_the_delay_where_the_rate_is_given() -> None:
    def run(*delays: float) -> dict[str, Any]:
        case = {"name": "store", "rates": [500.0] * 4, "p50_ms_rounds": delays}
        return {"groups": {"subscribe-latency": {"cases": [case], "baseline": "store"}}}

    assert words(run(1, 1.1, 1.2, 1), run(2, 2.1, 2.2, 2)) == {"store": "slower"}
    assert words(run(1, 1.1, 1.2, 1), run(1, 1.2, 1.1, 1)) == {"store": "within noise"}
