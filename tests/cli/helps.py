"""Every command, its help, and the examples in it."""

from __future__ import annotations

import io
import re
import shlex
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

import typer.main
from typer.testing import CliRunner

from mink_core.cli.app import app

if TYPE_CHECKING:
    from collections.abc import Iterator

# Their options are those of another program, which is asked itself in test_help.py.
HANDED_OVER = {"conformance", "bench"}


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that does something, with the words that lead to it."""
    below = getattr(command, "commands", None)
    if below is None:
        yield path, command
    for name, child in sorted((below or {}).items()):
        yield from leaves(child, (*path, name))


ALL = dict(leaves(typer.main.get_command(app)))
OURS = [path for path in ALL if path[0] not in HANDED_OVER]


def help_of(path: tuple[str, ...]) -> str:
    result = CliRunner().invoke(app, [*path, "--help"], prog_name="mink", env={"COLUMNS": "200"})
    assert result.exit_code == 0
    return result.stdout


def examples_in(text: str) -> list[list[str]]:
    """The calls of mink in a help's examples: without the pipe's other programs, redirections and prompts."""
    found: list[list[str]] = []
    for line in re.findall(r"^ +((?:\S+ \S.* \| )?mink .*)$", text, re.MULTILINE):
        words = list(shlex.shlex(line, posix=True, punctuation_chars="|<>"))
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|<>")
        lexer.whitespace_split = True
        words = list(lexer)
        part: list[str] = []
        for word in [*words, "|"]:
            if set(word) <= set("|"):
                if part[:1] == ["mink"]:
                    found.append(part[1:])
                part = []
            elif set(word) <= set("<>"):
                part = part if part[:1] != ["mink"] else [*part, word]
            elif part[-1:] and set(part[-1]) <= set("<>"):
                part = part[:-1]  # the file of a redirection
            else:
                part.append(word)
    return found


def accepted(arguments: list[str]) -> tuple[str, ...]:
    """Which command the arguments lead to; it is not run.

    Raises:
        Exception: The parser's, where they are wrong.
    """
    tree = typer.main.get_command(app)
    called: list[tuple[str, ...]] = []
    for path, command in leaves(tree):
        command.callback = lambda path=path, **_: called.append(path)
    with redirect_stdout(io.StringIO()):
        tree.main(arguments, prog_name="mink", standalone_mode=False)
    [path] = called
    return path
