"""The zoo on the command line: the matrix, its files, and what happens when a member survives."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from conformance_tests.check import Check, all_checks
from conformance_tests.cli import main
from conformance_tests.zoo import Wrapped, matrix, member

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def only(rule: str) -> Callable[[], list[Check]]:
    return lambda: [check for check in all_checks() if check.matches(rule)]


def test_the_matrix_and_its_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matrix, "all_checks", only("READ-0[17]"))
    names = [tmp_path / f"zoo.{suffix}" for suffix in ("json", "md")]
    code = main(
        ["--zoo", "--level", "smoke", "--rules", "ClockOf*", "--json", str(names[0]), "--markdown", str(names[1])]
    )
    assert code == 0
    out = capsys.readouterr().out
    assert "READ-07:timestamps_tell_when" in out
    assert "0 survived" in out
    (one,) = json.loads(names[0].read_text("utf-8"))["members"]
    assert one["verdict"] == "killed"
    assert one["checks"]["READ-07:timestamps_tell_when"] == "failed"
    assert "| `ClockOfTheMoment`: " in names[1].read_text("utf-8")


def test_a_survivor_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    class Harmless(Wrapped):
        """Breaks nothing."""

    known: dict[str, Any] = member._members
    for one in member.all_members():
        monkeypatch.delitem(known, one.name)
    member.breaks("JSON-04")(Harmless)
    monkeypatch.setattr(matrix, "all_checks", only("JSON-04"))
    try:
        assert main(["--zoo", "--level", "smoke"]) == 1
    finally:
        del known["Harmless"]
    assert "1 survived: Harmless" in capsys.readouterr().out


def test_a_member_is_a_target(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    arguments = ["conformance_tests.zoo.stores:AbsentMetadataIsNone", "--level", "smoke", "--rules", "JSON-04"]
    assert main([*arguments, "--failures", str(tmp_path)]) == 1
    assert "JSON-04" in capsys.readouterr().out
    assert main(["conformance_tests.zoo.stores:None_", "--level", "smoke"]) == 2
