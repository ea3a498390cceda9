"""Settings beside what is usual: each is there while it is measured, and gone afterwards."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from mink_benchmarks.cli import main
from mink_benchmarks.reads import Function
from mink_benchmarks.samples import BenchmarkError, Sample
from mink_benchmarks.server import benchmark_server
from mink_benchmarks.targets import OpenStore
from mink_benchmarks.tuning import columns, measure, tuned
from mink_benchmarks.tuning.knobs import KNOBS, Setting
from mink_benchmarks.tuning.tuned import Tuned
from mink_benchmarks.workload import Workload
from mink_postgres.grouping import planner
from tests.benchmarks.measured import QUICK

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mink_benchmarks.server import Server
    from mink_benchmarks.targets import Target


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """One of its own, whose settings may be changed."""
    with benchmark_server(None) as server:
        yield server


class Looking:
    """A work that looks at its store and its server once it is measured."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
        self.seen: list[Any] = []
        self.opened: list[OpenStore] = []
        self._server = server
        monkeypatch.setitem(tuned.WORKS, "look", self._case)

    def look(self) -> Any:
        return None

    def _case(self, name: str, target: Target, _: Workload) -> Function:
        def measure(_: float) -> Sample:
            self.seen.append(self.look())
            return Sample(1, 1.0)

        return Function(
            name,
            measure,
            prepare=lambda: self.opened.append(OpenStore(target)),
            finish=self._close,
        )

    def _close(self) -> None:
        self.opened.pop().close()

    def measured_with(self, setting: Setting) -> Any:
        case = Tuned(setting, "look", self._server, Workload())
        case.open()
        try:
            case.measure(0.0)
        finally:
            case.close()
        return self.seen[-1]


@pytest.fixture
def looking(monkeypatch: pytest.MonkeyPatch, server: Server) -> Looking:
    return Looking(monkeypatch, server)


def test_settings_of_the_server_hold_while_it_is_measured_and_no_longer(server: Server, looking: Looking) -> None:
    names = ["autovacuum_naptime", "commit_delay", "fsync"]

    def settings() -> list[tuple[Any, ...]]:
        return server.run("SELECT setting FROM pg_settings WHERE name = ANY (%s) ORDER BY name", names)

    usual, looking.look = settings(), settings  # type: ignore[method-assign]
    assert usual == [("60",), ("0",), ("on",)]
    setting = Setting("x", server={"fsync": "off", "commit_delay": "50", "autovacuum_naptime": "1"})
    assert looking.measured_with(setting) == [("1",), ("50",), ("off",)]
    assert settings() == usual

    def fails() -> None:
        assert settings() != usual
        raise ZeroDivisionError

    looking.look = fails  # type: ignore[method-assign]
    with pytest.raises(ZeroDivisionError):
        looking.measured_with(setting)
    assert settings() == usual


def test_a_setting_that_the_server_does_not_take_is_not_measured(
    server: Server, looking: Looking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuned, "_PATIENCE", 0.1)
    with pytest.raises(BenchmarkError, match="did not take shared_buffers"):
        looking.measured_with(Setting("needs a restart", server={"shared_buffers": "1000"}))
    assert looking.seen == []
    assert server.run("SELECT count(*) FROM pg_file_settings WHERE name = 'shared_buffers' AND setting = '1000'") == [
        (0,)
    ]


def test_bounds_of_groups_hold_while_it_is_measured_and_no_longer(looking: Looking) -> None:
    usual = planner.GROUP_APPENDS, planner.LANES

    def bounds() -> tuple[int, int, int]:
        return planner.GROUP_APPENDS, planner.LANES, looking.opened[-1].store._grouping._planner.limit

    looking.look = bounds  # type: ignore[method-assign]
    assert looking.measured_with(Setting("x", bounds={"GROUP_APPENDS": 7, "LANES": 3})) == (7, 3, 3)
    assert usual == (planner.GROUP_APPENDS, planner.LANES)


def test_every_setting_of_tables_is_one(server: Server, looking: Looking) -> None:
    """A statement that changes nothing, or a table that is named no longer so, would be measured as no effect."""
    catalog = """
        SELECT c.relname, c.reloptions, (SELECT array_agg(i.indexrelid::regclass::text ORDER BY 1) FROM pg_index i
            WHERE i.indrelid = c.oid), (SELECT array_agg((a.attcompression, a.attstorage)::text ORDER BY a.attnum)
            FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'data')
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = %s AND c.relname IN ('events', 'streams') ORDER BY 1
    """

    def tables() -> str:
        schemas = server.run("SELECT nspname::text FROM pg_namespace WHERE nspname LIKE 'bench_tuning%'")
        (schema,) = schemas[0]
        return repr(server.run(catalog, schema)).replace(schema, "")

    looking.look = tables  # type: ignore[method-assign]
    usual = looking.measured_with(Setting("nothing"))
    for knob in KNOBS:
        seen = [looking.measured_with(it) for it in knob.settings if it.statements]
        assert len({usual, *seen}) == len(seen) + 1, knob.name


def test_a_store_by_a_socket_is_on_the_same_server(server: Server, looking: Looking) -> None:
    clients = "SELECT count(*) FILTER (WHERE client_addr IS NULL) FROM pg_stat_activity WHERE datname IS NOT NULL"
    looking.look = lambda: server.run(clients)  # type: ignore[method-assign]
    assert looking.measured_with(Setting("by socket", by_socket=True)) != [(0,)]
    assert looking.measured_with(Setting("by TCP")) == [(0,)]


def test_a_run_tells_each_setting_beside_the_usual_one(
    postgres_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(columns, "_LOG", 1500)
    order = tmp_path / "order.json"
    order.write_text('{"total": 1}')
    names = ("transaction_pooler", "synchronous_commit", "columns of JSON, bare driver")
    only = [argument for name in names for argument in ("--only", name)]
    result = tmp_path / "tuning.json"
    arguments = ["tuning", *only, "--server", postgres_url, "--payload", str(order), *QUICK, "--json", str(result)]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "synchronous_commit: not measured, as it changes settings of the whole server" in said
    assert "transaction_pooler: 1 task; ratios to false" in said
    kept = json.loads(result.read_text("utf-8"))["tuning"]
    assert [(one["knob"], one["work"]) for one in kept] == [
        ("transaction_pooler", "1 task"),
        ("transaction_pooler", "64 tasks"),
        (names[2], "32 events an INSERT"),
        (names[2], "pages of 1,000 as text"),
    ]
    for one in kept:
        first, *others = one["cases"]
        assert first["ratio"] == {"median": 1.0, "min": 1.0, "max": 1.0}
        assert all(other["ratio"]["max"] >= other["ratio"]["min"] > 0 for other in others)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        left = connection.execute("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'bench_%'").fetchone()
    assert left == (0,)


def test_what_a_server_was_built_without_is_told(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (knob,) = (knob for knob in KNOBS if knob.name == "compression of data")
    monkeypatch.setattr(measure, "KNOBS", [replace(knob, works=("1 task",))])
    monkeypatch.setattr(measure, "_HAS_LZ4", "SELECT false")
    assert main(["tuning", "--only", "compression of data", "--server", postgres_url, *QUICK]) == 0
    said = capsys.readouterr().out
    assert "compression of data: lz4 is not measured" in said
    assert "none (STORAGE EXTERNAL)" in said
    assert "\nlz4 " not in said
