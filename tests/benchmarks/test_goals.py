"""The groups of the numbers to beat: what they need, and what one leaves to the next."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mink_benchmarks import cost, floors
from mink_benchmarks.appends import Writers
from mink_benchmarks.goal_runs import run_goals
from mink_benchmarks.goals import Plan
from mink_benchmarks.reads import Reads
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


def test_what_says_so_is_of_json_columns_and_nothing_else_is(postgres_url: str) -> None:
    server = Server(postgres_url)
    try:
        plan = Plan(server, Workload())
        groups = [plan.one_writer(), plan.tasks(), plan.ten_events(), plan.threads(), plan.replay()]
        cases = {case.name: case for group in groups for case in group.cases if isinstance(case, (Writers, Reads))}
        of_json = [name for name in cases if "json" in name]
        assert len(of_json) == 9
        for name in ("mink asyncpg, 64", "mink asyncpg, 64, json"):
            case: Any = cases[name]
            case.open()
            try:
                asked = "SELECT format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = %s::regclass AND attname = 'data'"
                schema = case.opened.store._options.schema
                assert server.run(asked, f"{schema}.events") == [("json" if name in of_json else "jsonb",)]
            finally:
                case.close()
        goals = {goal.case: goal.what for group in groups for goal in group.goals}
        assert all(("payloads as json" in goals[name]) == (name in of_json) for name in cases if name in goals)
        assert set(of_json) <= goals.keys()
    finally:
        server.drop()
