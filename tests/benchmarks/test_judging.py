"""How results are judged: goals by ratios within rounds, and rows by most of their runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from mink_benchmarks.cli import main
from mink_benchmarks.goal_runs import summary
from mink_benchmarks.judging import Goal, judge
from mink_benchmarks.samples import BenchmarkError, Sample, Series

if TYPE_CHECKING:
    from pathlib import Path


from tests.benchmarks.measured import series


def test_a_goal_is_judged_by_the_median_of_ratios_within_rounds() -> None:
    # Fast rounds of both and slow rounds of both: the ratio of medians would be 1.0.
    measured = {"own": series("own", 200, 20, 600), "base": series("base", 100, 10, 100)}
    verdict = judge(Goal("twice", "own", 2.0, "base"), measured)
    assert (verdict.values, verdict.median, verdict.passed) == ([2.0, 2.0, 6.0], 2.0, True)
    assert not judge(Goal("more", "own", 2.1, "base"), measured).passed
    assert judge(Goal("ms", "own", 200, measure="p99"), measured).passed
    assert not judge(Goal("ms", "own", 199, measure="p99"), measured).passed
    assert not judge(Goal("rate", "base", 101, measure="rate"), measured).passed
    assert judge(Goal("p99", "own", 2, "base", measure="p99 ratio"), measured).passed


def test_the_median_of_an_even_number_of_rounds_is_between_the_two_in_the_middle() -> None:
    measured = {"own": series("own", 10, 30, 20, 40), "base": series("base", 10, 10, 10, 10)}
    verdict = judge(Goal("ratio", "own", 2.6, "base"), measured)
    assert (verdict.median, verdict.passed) == (2.5, False)
    assert judge(Goal("ms", "own", 25, measure="p50"), measured).passed
    assert not judge(Goal("ms", "own", 24, measure="p50"), measured).passed


@pytest.mark.parametrize("measure", ["p50", "p99", "p50 ratio", "p99 ratio"])
def test_a_case_without_latencies_is_no_fast_one(measure: str) -> None:
    silent = Series("own", [Sample(100, 1.0)] * 3)
    measured = {"own": silent, "base": series("base", 10, 10, 10)}
    with pytest.raises(BenchmarkError, match="no calls of own were timed"):
        judge(Goal("delay", "own", 5, "base" if "ratio" in measure else "", measure=measure), measured)
    if "ratio" in measure:
        with pytest.raises(BenchmarkError, match="no calls of own were timed"):
            judge(Goal("delay", "base", 5, "own", measure=measure), measured)


def test_what_was_measured_elsewhere_counts_by_its_share_of_the_baseline() -> None:
    measured = {"own": series("own", 80, 90, 100), "base": series("base", 100, 100, 100)}
    verdict = judge(Goal("derived", "own", 2.2, "base", of_baseline=0.4), measured)
    assert (verdict.median, verdict.passed) == (pytest.approx(2.25), True)


def test_a_row_passes_in_two_of_three_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def run(*passed: bool, failed: tuple[str, ...] = ()) -> dict[str, Any]:
        rows = [
            {
                "what": f"row {n}",
                "at_least": 1.0,
                "measure": "ratio",
                "values": [0.5, 2.0],
                "median": 1.5,
                "passed": good,
            }
            for n, good in enumerate(passed)
        ]
        return {"groups": {"g": {"cases": [], "goals": rows}}, "missing": ["no pgbench"], "failed": list(failed)}

    text, good = summary([run(True, True), run(False, True), run(True, False)])
    assert good
    assert text.count("pass, 2 of 3") == 2
    assert text.count("not measured: no pgbench") == 1
    text, good = summary([run(True, True), run(False, True), run(False, False)])
    assert not good
    assert "MISSED, 1 of 3" in text
    # A row that a run has not is not passed in it; a group that failed is no pass of all.
    assert not summary([run(True, True), run(True), run(True)])[1]
    assert not summary([run(True), run(True), run(True, failed=("group g",))])[1]
    paths = [tmp_path / "one.json", tmp_path / "two.json"]
    paths[0].write_text(json.dumps(run(True)))
    paths[1].write_text(json.dumps({**run(True), "runs": [run(True), run(False)]}))
    assert main(["verdict", *map(str, paths)]) == 0
    assert "pass, 2 of 3" in capsys.readouterr().out
