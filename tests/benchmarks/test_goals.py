"""The groups of the numbers to beat: what they need, and what one leaves to the next."""

from __future__ import annotations

import json

import pytest

from mink_benchmarks import cost, floors
from mink_benchmarks.goal_runs import run_goals
from mink_benchmarks.goals import Plan
from mink_benchmarks.server import Server
from mink_benchmarks.workload import Workload, stream_name


def test_the_bare_drivers_are_measured_where_there_is_no_pgbench(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(floors, "pgbench_found", lambda: False)
    server = Server(postgres_url)
    try:
        run = run_goals(server, Workload(), ["one"], 1, 0.05, lambda _: None, lambda _: None)
        assert run["failed"] == []
        assert "pgbench is not installed: no floor" in run["missing"]
        assert "1 task, 1 event: of the bare function by asyncpg" in [
            it["what"] for it in run["groups"]["one"]["goals"]
        ]
        names = [case.name for case in cost._append_cases(server, Workload())]
        assert names[:2] == ["psycopg, bare function, 1", "asyncpg, bare function, 1"]
    finally:
        server.drop()


def test_a_group_begins_with_an_empty_floor_as_with_empty_stores(postgres_url: str) -> None:
    if not floors.pgbench_found():
        pytest.skip("needs pgbench")
    server = Server(postgres_url)
    try:
        plan = Plan(server, Workload())
        plan.one_writer()
        event = json.dumps(Workload().data)
        server.run("SELECT floor.append_one(%s, 'T', %s::jsonb, NULL)", stream_name(0), event)
        assert server.run("SELECT count(*) FROM floor.events") == [(1,)]
        plan.tasks()
        assert server.run("SELECT count(*) FROM floor.events") == [(0,)]
    finally:
        server.drop()
