"""The kit's command: its list of rules, and what is wrong or cannot be told, in a line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from conformance_tests.__main__ import main
from conformance_tests.check import all_checks
from conformance_tests.rules import RULES


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name what to test"),
        (["nope://x"], "no adapter is registered"),
        (["memory://", "--rules", "NOPE-*"], "no check is named"),
        (["--replay", "/nowhere/at/all.json"], "no failure kept"),
        (["--levl", "1"], "No such option"),
        (["memory://", "--html", "/nowhere/at/all.html"], "no folder /nowhere/at; nothing was run"),
    ],
)
def test_wrong_use_is_one_line(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    told = capsys.readouterr().err
    assert said in told
    assert "Traceback" not in told


@pytest.mark.parametrize(
    ("opener", "said"),
    [
        ("giving_none", "gave a NoneType; it must give an EventStore"),
        ("giving_the_class", "gave the class MemoryEventStore"),
        ("awaited", "make it a plain function"),
        ("failing_to_open", "cannot be opened, initialized and closed: OSError: no database for kit_"),
        ("ending_the_program", "SystemExit: no kit_"),
        ("never_closing", "OSError: cannot close"),
        ("other_capabilities", "no frozenset of Capability"),
    ],
)
def test_what_cannot_be_opened_is_one_line(opener: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"tests.conformance.stores:{opener}", "--rules", "READ-01"]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"check": "no_such_check", "kit": "0.0.1"}, "kept by version 0.0.1"),
        ({"check": None}, "no fitting 'check'"),
        ({"seed": "1"}, "no fitting 'seed'"),
        ({"target": 5}, "no fitting 'target'"),
        ({"level": "HUGE"}, "no level 'HUGE'"),
    ],
)
def test_a_file_of_another_kit_is_told(
    changed: dict[str, Any], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = {
        "target": "memory://",
        "check": "a_missing_stream_reads_as_empty",
        "level": "SMOKE",
        "seed": 1,
        "what": "",
        "expected": "",
        "seen": "",
        "replay": None,
    }
    path = tmp_path / "failure.json"
    path.write_text(json.dumps(whole | changed), "utf-8")
    assert main(["--replay", str(path)]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("where", ["/nowhere/at/all.html", "/"])
def test_what_cannot_be_written_is_told_before_the_run(where: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["memory://", "--rules", "READ-01", "--html", where]) == 2
    assert capsys.readouterr().err.endswith("nothing was run\n")


@pytest.mark.parametrize(
    ("opener", "said"), [("wordless", "a _WordlessError whose text"), ("unprintable", r"\ud800 [bold]")]
)
def test_errors_that_cannot_be_told_are_failures(
    opener: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "a file"
    kept.touch()
    spec = f"tests.conformance.stores:{opener}"
    assert main([spec, "--rules", "*:a_missing_stream_reads_as_empty", "--failures", str(kept)]) == 1
    told = capsys.readouterr().out
    assert said in told
    assert "could not be kept" in told


def test_the_list_names_every_rule(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    told = capsys.readouterr().out
    for rule in RULES.values():
        assert rule.number in told
    for check in all_checks():
        assert check.name in told
        assert check.claim.endswith((".", ":")), f"{check.name} claims {check.claim!r}"
