"""The benchmark that puts PostgreSQL beside one node and three."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mink_benchmarks.cli import main

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

QUICK = ["--rounds", "1", "--seconds", "0.02", "--quiet"]
STORES = ["PostgreSQL", "JetStream, 1 node", "JetStream, 3 nodes"]


def test_postgresql_and_jetstream_are_measured_in_one_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "run.json"
    assert main(["scale-out", "--writers", "2", "--events", "1000", "--json", str(target), *QUICK]) == 0
    result = json.loads(target.read_text())
    appends = [*STORES, "JetStream, 3 nodes, 3 stores"]
    for group, names, tail in (("append-1, 2 writers", appends, " async, 2"), ("replay", STORES, " async")):
        assert [case["name"] for case in result["groups"][group]["cases"]] == [f"{name}{tail}" for name in names]
        assert all(case["min"] > 0 for case in result["groups"][group]["cases"])
    assert all(200 < size < 5000 for size in result["bytes"].values())
    assert result["environment"]["server"]["sync_interval"] == "always"
    assert "each of 3 nodes" in capsys.readouterr().out


def test_stores_of_one_scheme_are_told_apart_by_labels(tmp_path: Path) -> None:
    target = tmp_path / "run.json"
    stores = ["--store", "one=memory://", "--store", "two=memory://?unique_event_ids=true"]
    assert main(["run", "append-1", "--writers", "1", *stores, "--json", str(target), *QUICK]) == 0
    cases = json.loads(target.read_text())["groups"]["append-1"]["cases"]
    assert [case["name"] for case in cases] == ["one sync, 1", "two sync, 1"]
