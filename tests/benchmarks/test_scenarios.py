"""Scenarios and peers: what is measured, in interleaved rounds, and what stands beside it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from mink_benchmarks import floors
from mink_benchmarks.appends import Appends, Calls, HotStreams, Tally
from mink_benchmarks.cli import main
from mink_benchmarks.mixed import Mixed
from mink_benchmarks.peers.naive import NaiveStore
from mink_benchmarks.samples import Sample, Series, run_rounds
from mink_benchmarks.scenarios import SCENARIOS
from mink_benchmarks.server import Server
from mink_benchmarks.targets import target_of
from mink_benchmarks.workload import Workload
from mink_core import ConcurrencyError, NewEvent, UsageError

if TYPE_CHECKING:
    from pathlib import Path


from tests.benchmarks.measured import QUICK


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
    # The first pair warms up and is not counted; the rounds go there and back.
    assert done == ["open a", "open b", "a", "b", "settle", "a", "b", "settle", "b", "a", "close b", "close a"]
    assert [len(one.samples) for one in found.values()] == [2, 2]
    done.clear()
    with pytest.raises(RuntimeError, match="b"):
        run(Probe("a"), Probe("b", fail_at=2))
    assert done[-2:] == ["close b", "close a"]


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
