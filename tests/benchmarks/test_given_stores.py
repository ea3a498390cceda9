"""Stores that a user names: what is in them already, and measurements that come to little."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from mink_benchmarks.cli import main
from mink_benchmarks.samples import BenchmarkError
from mink_core import NewEvent, open_store

if TYPE_CHECKING:
    from pathlib import Path


from tests.benchmarks.measured import QUICK, series


@pytest.mark.parametrize("door", ["--store", "--async-store"])
def test_a_store_in_use_is_left_alone(door: str, capsys: pytest.CaptureFixture[str]) -> None:
    with open_store(f"memory://in-use{door}") as store:
        store.append("order-1", [NewEvent("OrderPlaced", {})], expected_version=0)
        assert main(["run", "append-1", "replay", door, f"memory://in-use{door}", *QUICK]) == 2
        assert "no benchmark wrote" in capsys.readouterr().err
        assert store.head_position() == 1


def test_scenarios_follow_one_another_on_a_store_and_so_do_runs(tmp_path: Path) -> None:
    target = tmp_path / "run.json"
    with open_store("memory://measured-twice"):
        for scenarios in (
            ["append-1", "read-stream", "filtered-replay"],
            ["subscribe-latency", "read-stream", "replay"],
        ):
            arguments = ["--store", "memory://measured-twice", "--writers", "1", "--events", "100"]
            assert main(["run", *scenarios, *arguments, *QUICK, "--json", str(target)]) == 0
            groups = json.loads(target.read_text())["groups"]
            assert all(case["min"] > 0 for group in groups.values() for case in group["cases"])


@pytest.mark.timeout(60)
def test_the_shortest_measurement_of_a_delivery_ends() -> None:
    run = ["run", "subscribe-latency", "--store", "memory://", "--async-store", "memory://", "--rounds", "1", "--quiet"]
    assert main([*run, "--seconds", "0.001"]) == 0


def test_no_ratio_is_taken_to_what_came_to_nothing() -> None:
    with pytest.raises(BenchmarkError, match="base came to nothing"):
        series("own", 1, 2).ratios(series("base", 3, 0))


def test_a_payload_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    payload = tmp_path / "payload.json"
    payload.write_text('{"a": 1}', encoding="utf-8-sig")
    arguments = ["run", "append-1", "--store", "memory://", "--writers", "1", "--payload", str(payload)]
    assert main([*arguments, *QUICK]) == 0
