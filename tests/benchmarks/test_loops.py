"""Whose event loops a run makes: for stores and floors alike, and told in its result."""

from __future__ import annotations

import asyncio
import json
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from mink_benchmarks import loops
from mink_benchmarks.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Another(asyncio.SelectorEventLoop):
    """Stands for uvloop, which need not be installed."""

    made = 0

    def __init__(self) -> None:
        super().__init__()
        Another.made += 1


@pytest.fixture(autouse=True)
def _afterwards() -> Iterator[None]:
    yield
    loops.choose(uvloop=False)


def run(path: Path, *options: str) -> str:
    told = ["--writers", "2", "--events", "200", "--rounds", "1", "--seconds", "0.05", "--quiet", "--json", str(path)]
    assert main(["run", "append-1", "replay", "--async-store", "memory://", *told, *options]) == 0
    return str(json.loads(path.read_text())["environment"]["event_loop"])


def test_stores_run_in_the_loops_that_were_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", SimpleNamespace(new_event_loop=Another))
    assert run(tmp_path / "usual.json") == "asyncio"
    assert Another.made == 0
    assert run(tmp_path / "other.json", "--uvloop") == "uvloop"
    assert Another.made == 3  # one of each scenario, and of the look whether the store is in use
    assert run(tmp_path / "usual.json") == "asyncio"
    assert Another.made == 3


def test_a_floor_runs_in_the_same_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    async def which() -> type[asyncio.AbstractEventLoop]:
        return type(asyncio.get_running_loop())

    monkeypatch.setitem(sys.modules, "uvloop", SimpleNamespace(new_event_loop=Another))
    loops.choose(uvloop=True)
    assert loops.run(which()) is Another


def test_without_uvloop_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    for command in (["run", "append-1", "--async-store", "memory://"], ["goals", "--only", "one"]):
        assert main([*command, "--uvloop", "--json", str(tmp_path / "none.json")]) == 2
        assert "mink-eventstore[peers]" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
