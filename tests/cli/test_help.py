"""What every command's help owes its user: examples that work, and the same options everywhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from mink_core.cli.app import app
from tests.cli.helps import ALL, OURS, accepted, examples_in, help_of


def test_the_parts_are_found() -> None:
    assert len(OURS) >= 30
    assert {("init",), ("outbox", "purge"), ("sagas", "delete")} <= set(OURS)
    line = "  echo '{\"a\": 1}' | mink read a | mink append b --expect none > file.jsonl\n"
    assert examples_in(line) == [["read", "a"], ["append", "b", "--expect", "none"]]


@pytest.mark.parametrize("path", OURS, ids="-".join)
def test_help_has_examples_of_the_command_and_they_parse(path: tuple[str, ...]) -> None:
    text = help_of(path)
    assert "Exit codes:" in text
    led = [accepted(example) for example in examples_in(text)]
    assert path in led


def test_the_first_steps_and_handed_over_commands_parse() -> None:
    led = [accepted(example) for example in examples_in(help_of(()))]
    assert {("demo",), ("init",), ("append",), ("read",), ("tail",)} <= set(led)
    with pytest.raises(Exception, match="No such option"):
        accepted(["read", "a-1", "--no-such-option"])


def test_the_help_of_a_group_has_an_example_of_each_of_its_commands() -> None:
    for group in {path[0] for path in OURS if len(path) > 1}:
        led = {accepted(example) for example in examples_in(help_of((group,)))}
        assert led == {path for path in OURS if path[0] == group}


def test_help_names_values_by_words_and_not_by_types() -> None:
    for path in OURS:
        for line in help_of(path).splitlines():
            assert not re.match(r" +--\S+ +<(int|float|str|list)", line), (path, line)


@pytest.mark.parametrize("path", OURS, ids="-".join)
def test_the_same_options_everywhere(path: tuple[str, ...]) -> None:
    text = help_of(path)
    for option in ("--store URL", "--json ", "--debug "):
        assert text.count(f"  {option}") == 1
    options = {name for parameter in ALL[path].params for name in parameter.opts if name.startswith("--")}
    # One name for one thing.
    assert options.isdisjoint({"--url", "--max", "--count", "--force", "--format", "--output", "--dry-run", "--name"})


@pytest.mark.parametrize(
    "command", [["conformance_tests"], ["mink_benchmarks"], ["mink_benchmarks.faults"], ["mink_core.cli"]], ids=str
)
def test_the_other_programs_help_has_examples(command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command, "--help"], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "examples:" in done.stdout.lower() or "first steps:" in done.stdout.lower()


def test_help_of_a_mistyped_command(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, [f"sna{uuid4()}"], prog_name="mink")
    assert result.exit_code == 2
    assert "Traceback" not in result.output
