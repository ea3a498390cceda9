"""The benchmark command: what it measures, how it judges, what it tells of two runs."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from mink_benchmarks.appends import Appends, Calls, Tally
from mink_benchmarks.cli import main
from mink_benchmarks.compare import compare
from mink_benchmarks.goal_runs import summary
from mink_benchmarks.growth import HOWS
from mink_benchmarks.judging import Goal, judge
from mink_benchmarks.mixed import Mixed
from mink_benchmarks.peers.naive import NaiveStore
from mink_benchmarks.plots import draw
from mink_benchmarks.progress import Progress
from mink_benchmarks.samples import Sample, Series, run_rounds
from mink_benchmarks.scenarios import SCENARIOS
from mink_benchmarks.targets import target_of
from mink_benchmarks.workload import Workload
from mink_core import ConcurrencyError, NewEvent, UsageError

if TYPE_CHECKING:
    from pathlib import Path

QUICK = ["--rounds", "2", "--seconds", "0.02", "--quiet"]


def series(name: str, *counts: int) -> Series:
    return Series(name, [Sample(count, 1.0, [0.001 * count]) for count in counts])


def test_every_scenario_runs_on_a_store_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "run.json"
    arguments = [
        "run",
        *SCENARIOS,
        "--store",
        "memory://",
        "--async-store",
        "memory://",
        "--writers",
        "2",
        "--events",
        "2000",
        "--json",
        str(target),
    ]
    assert main([*arguments, *QUICK]) == 0
    result = json.loads(target.read_text())
    assert list(result["groups"]) == list(SCENARIOS)
    for group in result["groups"].values():
        for case in group["cases"]:
            assert case["min"] > 0
            assert len(case["rates"]) == 2
        assert len(group["cases"]) == 2
    said = capsys.readouterr().out
    assert "append-conflict" in said
    assert "memory sync" in said
    assert "memory async" in said


def test_rounds_are_interleaved_and_cases_closed_in_spite_of_an_error() -> None:
    done: list[str] = []

    class Probe:
        def __init__(self, name: str, fail_at: int = 99) -> None:
            self.name, self.fail_at, self.calls = name, fail_at, 0

        def open(self) -> None:
            done.append(f"open {self.name}")

        def measure(self, seconds: float) -> Sample:
            self.calls += 1
            if self.calls == self.fail_at:
                raise RuntimeError(self.name)
            done.append(self.name)
            return Sample(10, seconds)

        def close(self) -> None:
            done.append(f"close {self.name}")

    def run(*probes: Probe) -> dict[str, Series]:
        return run_rounds(probes, rounds=2, seconds=0.1, progress=lambda _: None, settle=lambda: done.append("settle"))

    found = run(Probe("a"), Probe("b"))
    # The first pair warms up and is not counted.
    assert done == ["open a", "open b", "a", "b", "settle", "a", "b", "settle", "a", "b", "close b", "close a"]
    assert [len(one.samples) for one in found.values()] == [2, 2]
    done.clear()
    with pytest.raises(RuntimeError, match="b"):
        run(Probe("a"), Probe("b", fail_at=2))
    assert done[-2:] == ["close b", "close a"]


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


def test_the_naive_peer_is_measured_beside(postgres_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    scenarios = ("append-1", "append-10", "read-stream", "replay", "mixed")
    arguments = ["--peer", "naive", "--server", postgres_url, "--writers", "2", "--events", "1000"]
    assert main(["run", *scenarios, *arguments, "--store", "memory://", *QUICK]) == 0
    said = capsys.readouterr().out
    assert said.count("\nnaive") == 4


def test_naive_appends_are_what_they_say(postgres_url: str, schema: str) -> None:
    store = NaiveStore(postgres_url, schema)
    try:
        store.initialize()
        events = [NewEvent("Made", {"n": n}, {"user": "u"}) for n in range(3)]
        result = store.append("a-1", events, expected_version=0)
        assert (result.first_version, result.last_version) == (1, 3)
        with pytest.raises(ConcurrencyError):
            store.append("a-1", events, expected_version=2)
        assert [event.data for event in store.read_stream("a-1")] == [{"n": n} for n in range(3)]
        assert [event.version for event in store.read_all()] == [1, 2, 3]
        assert [(info.stream_id, info.version) for info in store.streams(category="a", after="a", limit=9)] == [
            ("a-1", 3)
        ]
    finally:
        store.close()


def test_cases_on_one_store_do_not_trip_over_one_another(postgres_url: str, schema: str) -> None:
    url = f"{postgres_url}?schema={schema}"
    cases = [Appends(f"{n}", target_of(url, is_async=n > 2), Workload(), n) for n in (1, 2, 3)]
    found = run_rounds(cases, rounds=2, seconds=0.05, progress=lambda _: None, settle=lambda: None)
    assert all(min(one.rates) > 0 for one in found.values())


def test_an_error_of_a_writer_ends_the_measurement() -> None:
    class Broken(Appends):
        def calls(self, number: int, tally: Tally) -> Calls:
            yield lambda: self.opened.store.append("a-1", [], expected_version=0)

    case = Broken("broken", target_of("memory://", is_async=False), Workload(), 2)
    case.open()
    try:
        with pytest.raises(UsageError, match="at least one event"):
            case.measure(1)
    finally:
        case.close()


def test_mixed_appends_reads_and_delivers() -> None:
    case = Mixed("mixed", target_of("memory://", is_async=False), Workload(), 8)
    case.open()
    try:
        sample = case.measure(0.2)
    finally:
        case.close()
    assert sample.count > 0
    assert sample.extra["delivered"] == sample.count
    assert sample.extra["events read"] >= sample.extra["reads"] > 0
    assert sample.extra["delivery p50 ms"] > 0


def test_compare_tells_noise_from_slower() -> None:
    def run(**cases: list[int]) -> dict[str, Any]:
        listed = [{"name": name, "rates": rates} for name, rates in cases.items()]
        return {"groups": {"append-1": {"cases": listed, "baseline": "base"}}}

    old = run(base=[100, 100, 100], same=[200, 210, 220], slow=[200, 210, 220])
    # The machine is half as fast: the baseline too, so that only one case got slower.
    text, slower = compare(old, run(base=[90, 100, 95], same=[190, 215, 200], slow=[90, 95, 100], new=[1, 1, 1]))
    assert slower == 1
    line = {row.split("  ")[0]: row for row in text.splitlines()}
    assert "slower" in line["append-1: slow"]
    assert "within noise" in line["append-1: same"]
    assert "append-1: new" not in line


def test_what_is_wrong_is_told_in_a_line_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    run = ["run", "append-1", "--store", "memory://", "--seconds", "3600"]
    for arguments, told in [
        ([*run, "--compare", str(tmp_path / "none.json")], "cannot be read"),
        ([*run, "--payload", str(broken)], "is not JSON"),
        (["verdict", str(broken)], "is not JSON"),
        (["plots", str(broken), str(tmp_path)], "is not JSON"),
    ]:
        assert main(arguments) == 2
        assert told in capsys.readouterr().err
    broken.write_text("{}")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "mink_benchmarks.plots")
    assert main(["plots", str(broken), str(tmp_path)]) == 2
    assert "pip install 'mink-eventstore[bench]'" in capsys.readouterr().err


def test_progress_is_a_line_that_changes_on_a_terminal_and_rare_in_a_log(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr("mink_benchmarks.progress.time.monotonic", lambda: now)
    log = Progress()
    for second in range(130):
        now = float(second)
        log(f"round {second}")
    assert capsys.readouterr().err == "round 60\nround 120\n"
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    Progress()("round 1")
    assert capsys.readouterr().err.endswith("\x1b[2Kround 1")


def test_plots_are_drawn_of_what_a_run_has(tmp_path: Path) -> None:
    cases = [series(f"mink, {writers}", 100 * writers, 110 * writers).as_json() for writers in (1, 16)]
    ratio = {"ratio": {"median": 0.9, "min": 0.8, "max": 1.0}}
    steps = [{"events": 10**n, "sizes": {"events": 10**n}, **dict.fromkeys(HOWS, ratio)} for n in (5, 6)]
    result = {
        "groups": {"append-1": {"cases": cases}},
        "growth": steps,
        "extrapolated": {"events": 1e7, "appends": 0.7},
    }
    made = {path.name for path in draw(result, tmp_path)}
    names = (
        "append-1-rates",
        "append-1-throughput",
        "append-1-latency",
        "append-1-latencies",
        "growth",
        "growth-sizes",
    )
    assert made == {f"{name}.{suffix}" for name in names for suffix in ("png", "svg")}
    assert all((tmp_path / name).stat().st_size > 1000 for name in made)


def test_wrong_arguments_and_stores_are_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "append-1", "--store", "nonsense", *QUICK]) == 2
    assert "module:callable" in capsys.readouterr().err
    with pytest.raises(SystemExit) as refused:
        main(["run", "no-such-scenario"])
    assert refused.value.code == 2
