"""The benchmark command: what it measures, how it judges, what it tells of two runs."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psycopg
import pytest

from mink_benchmarks import floors
from mink_benchmarks.appends import Appends, Calls, HotStreams, Tally
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
from mink_benchmarks.server import Server
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


def run_of(floors: tuple[str, ...] = (), **cases: list[float]) -> dict[str, Any]:
    listed = [{"name": name, "rates": rates} for name, rates in cases.items()]
    return {"groups": {"append-1": {"cases": listed, "baseline": next(iter(cases)), "floors": floors}}}


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
    assert words(old, new) == {"base": "slower", "same": "within noise", "slow": "slower", "fast": "faster"}


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


def test_hot_streams_tell_what_is_stored_and_the_conflicts(
    postgres_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "run.json"
    arguments = ["run", "append-conflict", "--server", postgres_url, "--writers", "8", "--rounds", "1"]
    assert main([*arguments, "--seconds", "0.3", "--quiet", "--json", str(target)]) == 0
    header, _, *rows = capsys.readouterr().out.splitlines()[2:]
    assert header.split()[-1] == "conflicts/s"
    cases = {case["name"]: case for case in json.loads(target.read_text())["groups"]["append-conflict"]["cases"]}
    assert len(rows) == len(cases) == 6
    for door in ("postgresql sync", "postgresql async", "postgresql+asyncpg async"):
        for grouped in ("", ", not grouped"):
            case = cases[f"{door}{grouped}, 8"]
            assert case["min"] > 0 < case["beside"]["conflicts/s"]["min"]


def test_a_lone_writer_tells_that_it_has_no_conflicts() -> None:
    case = HotStreams("hot", target_of("memory://", is_async=False), Workload(), 1)
    found = run_rounds([case], rounds=1, seconds=0.01, progress=lambda _: None, settle=lambda: None)["hot"]
    assert found.beside == {"conflicts/s": [0.0]}
    assert found.as_json()["beside"] == {"conflicts/s": {"median": 0.0, "min": 0.0, "max": 0.0}}


def test_goals_of_hot_streams_show_conflicts(postgres_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["goals", "--only", "hot", "--server", postgres_url, "--rounds", "1", "--seconds", "0.3", "--quiet"])
    lines = {line.split("  ")[0]: line.split() for line in capsys.readouterr().out.splitlines()}
    assert lines["case"][-1] == "conflicts/s"
    for name in ("hot streams, grouped", "hot streams, not grouped"):
        assert float(lines[name][-1].replace(",", "")) > 0


def test_floors_stand_beside_stores_on_the_runs_own_server(
    postgres_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if not floors.pgbench_found():
        pytest.skip("needs pgbench")
    target = tmp_path / "run.json"
    arguments = ["run", "append-1", "replay", "--server", postgres_url, "--writers", "1", "--events", "1000"]
    arguments += ["--rounds", "1", "--seconds", "0.02", "--quiet"]
    assert main([*arguments, "--json", str(target)]) == 0
    groups = json.loads(target.read_text())["groups"]
    assert groups["append-1"]["floors"] == ["pgbench floor, 1"]
    assert groups["append-1"]["baseline"] == "pgbench floor, 1"
    assert groups["replay"]["floors"] == ["bare asyncpg, pages decoded", "bare psycopg, pages decoded"]
    assert all(case["min"] > 0 for group in groups.values() for case in group["cases"])
    assert "ratios to pgbench floor, 1" in capsys.readouterr().out
    server = Server(postgres_url)
    assert server.run("SELECT 1 FROM pg_namespace WHERE nspname = 'floor'") == []
    # Somebody's own schema of that name is left alone.
    server.run("CREATE SCHEMA floor")
    try:
        assert main(arguments) == 2
        assert "a schema named floor" in capsys.readouterr().err
        assert server.run("SELECT 1 FROM pg_namespace WHERE nspname = 'floor'") == [(1,)]
    finally:
        server.run("DROP SCHEMA floor")


def test_names_of_cases_are_looked_at_before_anything_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    run = ["run", "append-1", "--writers", "1", "--seconds", "3600", "--store", "memory://"]
    assert main([*run, "--baseline", "no such"]) == 2
    assert "there are: 'memory sync, 1'" in capsys.readouterr().err
    assert main([*run, "--store", "memory://"]) == 2
    assert "LABEL=URL" in capsys.readouterr().err


def test_what_is_wrong_is_told_in_a_line_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    other = tmp_path / "other.json"
    other.write_text("[1, 2]")
    measured = tmp_path / "run.json"
    measured.write_text(json.dumps(run_of(base=[1.0])))
    run = ["run", "append-1", "--store", "memory://", "--seconds", "3600"]
    for arguments, told in [
        ([*run, "--compare", str(tmp_path / "none.json")], "cannot be read"),
        ([*run, "--payload", str(broken)], "is not JSON"),
        (["verdict", str(broken)], "is not JSON"),
        (["plots", str(broken), str(tmp_path)], "is not JSON"),
        ([*run, "--compare", str(other)], "is no result of mink bench"),
        (["verdict", str(other)], "is no result of mink bench"),
        (["verdict", str(measured)], "is no result of mink bench goals"),
        (["plots", str(other), str(tmp_path)], "is no result of mink bench"),
    ]:
        assert main(arguments) == 2
        assert told in capsys.readouterr().err
    broken.write_text('{"groups": {}}')
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


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["run", "append-1", "--store", "nonsense"], 2, "module:callable"),
        (["run", "append-1", "--store", "no_such_module:store"], 2, "No module named 'no_such_module'"),
        (["run", "append-1", "--store", "json:no_such_name"], 2, "no_such_name"),
        (["run", "append-1", "--store", "json:loads"], 2, "without arguments"),
        (["run", "append-1", "--store", "builtins:dict"], 2, "a dict, which is no store"),
        (["run", "append-1", "--server", "localhost"], 2, "a server is postgresql://"),
        (["run", "append-1", "--server", "postgresql://localhost:1/x"], 3, "nothing was measured"),
        (["goals", "--server", "postgresql://localhost:1/x"], 3, "nothing was measured"),
        (["cost", "--server", "postgresql://localhost:1/x", "--quiet"], 3, "nothing was measured"),
        (["growth", "--server", "postgresql://localhost:1/x"], 3, "nothing was measured"),
        (["goals", "--only", "no-such-group"], 2, "there are: one, tasks"),
        (["run", "append-1", "--json", "/proc/no/such.json"], 2, "cannot be written"),
        (["run", "append-1", "--json", "/"], 2, "cannot be written"),
    ],
    ids=lambda value: " ".join(value[1:]) if isinstance(value, list) else "",
)
def test_what_is_wrong_is_told_in_one_line(
    arguments: list[str], code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == code
    said = capsys.readouterr().err
    assert told in said
    assert said.startswith("mink bench: ")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "no-such-scenario"],
        ["run", "append-1", "--rounds", "0"],
        ["run", "append-1", "--seconds", "-1"],
        ["run", "append-1", "--writers", "0"],
        ["run", "append-1", "--writers", "1001"],
        ["run", "replay", "--events", "5"],
        ["growth", "--to", "5"],
        ["cost", "--rounds", "5"],
    ],
    ids=" ".join,
)
def test_numbers_that_cannot_be_measured_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(arguments)
    assert refused.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


def test_a_role_that_may_make_no_schema_is_told(
    admin_url: str, postgres_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = urlsplit(postgres_url)
    role = "mink_bench_reader"
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'plain'")
    try:
        url = f"postgresql://{role}:plain@{parts.hostname}:{parts.port}{parts.path}"
        assert main(["run", "append-1", "--server", url, *QUICK]) == 2
        assert f"{role} may not create schemas" in capsys.readouterr().err
    finally:
        with psycopg.connect(admin_url, autocommit=True) as admin:
            admin.execute(f"DROP ROLE {role}")


@pytest.mark.parametrize("url", ["postgres://me:longpassword@localhost:1/x", "postgresql://me:longpassword@[::1/x"])
def test_no_password_is_told(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "append-1", "--server", url, *QUICK]) == 2
    told = capsys.readouterr().err
    assert "mink bench: " in told
    assert "longpassword" not in told
