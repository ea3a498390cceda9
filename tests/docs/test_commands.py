"""Commands that no test runs, as they take minutes or a cluster, are at least commands that there are."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from typing import Any

import pytest
import typer.main

from conformance_tests.cli import app as kit
from mink_benchmarks.cli import _parser as bench
from tests.cli.helps import accepted
from tests.docs.blocks import blocks_of, pages

OURS = ("conformance_tests", "mink_", "tests")


def commands(source: str) -> list[list[str]]:
    """The simple commands of a script: without comments, redirections, and the pipes and conditions between them."""
    found: list[list[str]] = []
    for line in source.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|&<>")
        lexer.whitespace_split = True
        words: list[str] = []
        for word in [*lexer, "|"]:
            if set(word) <= set("|&"):
                found += [words[: _end(words)]] if words else []
                words = []
            else:
                words.append(word)
    return found


def _end(words: list[str]) -> int:
    return next((place for place, word in enumerate(words) if set(word) <= set("<>")), len(words))


def is_ours(words: list[str]) -> bool:
    """Whether a command is one of this repository."""
    return words[0] == "mink" or (words[:2] == ["python", "-m"] and words[2].startswith(OURS))


def check(words: list[str]) -> None:
    """Parse a command of ours as its program would, and do nothing.

    Raises:
        BaseException: The parser's, where it would be refused.
    """
    if words[0] == "python" and words[2] == "conformance_tests":
        _parse_kit(words[3:])
    elif words[0] == "python":
        _look_into_help(words[2], words[3:])
    elif words[1] == "bench":
        bench().parse_args(words[2:])
    elif words[1] == "conformance":
        _parse_kit(words[2:])
    else:
        accepted(words[1:])


def _parse_kit(arguments: list[str]) -> None:
    command: Any = typer.main.get_command(kit)
    command.callback = lambda **_: None
    command.main(arguments, standalone_mode=False)


def _look_into_help(module: str, arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, "--help"], capture_output=True, text=True, check=False, timeout=60
    )
    if missing := re.search(r"ModuleNotFoundError: No module named '(\w+)", done.stderr):
        # What the page says to install before; none of ours.
        assert not missing[1].startswith(OURS), done.stderr
        return
    assert done.returncode == 0, done.stderr
    for word in arguments:
        assert not word.startswith("--") or word in done.stdout, f"python -m {module} has no {word}"


def test_what_is_no_command_is_seen() -> None:
    assert commands("a b > c  # d\nmink x | mink y 'z | z' || true && w \\\n  v\n") == [
        ["a", "b"],
        ["mink", "x"],
        ["mink", "y", "z | z"],
        ["true"],
        ["w", "v"],
    ]
    for wrong in (
        "mink bench run append-1 --no-such-option",
        "mink conformance memory:// --no-such-option",
        "mink migrate sideways",
        "python -m conformance_tests --no-such-option",
        "python -m mink_benchmarks.faults --no-such-option",
        "python -m mink_benchmarks.nothing",
    ):
        with pytest.raises((Exception, SystemExit)):
            check(shlex.split(wrong))


UNRUN = [block for page in pages() for block in blocks_of(page) if block.mark in {"not run", "run by"}]


@pytest.mark.parametrize("block", UNRUN, ids=[block.place for block in UNRUN])
def test_commands_that_are_not_run_are_accepted(block: Any) -> None:
    if block.language == "sh":
        for words in filter(is_ours, commands(block.source)):
            check(words)


def test_they_are_found() -> None:
    found = [words for block in UNRUN if block.language == "sh" for words in commands(block.source)]
    assert len(list(filter(is_ours, found))) >= 30
