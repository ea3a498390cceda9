"""What every command owes its user: examples that work, the same options, JSON where it is asked for."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import shlex
import subprocess
import sys
import threading
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest
import typer.main
from psycopg import sql
from typer.testing import CliRunner

from mink_core import (
    EventFilter,
    ExpectedVersion,
    NewEvent,
    OutboxMessage,
    ParkedEvent,
    Saga,
    SagaStatus,
    Store,
    open_store,
)
from mink_core.cli.app import app

if TYPE_CHECKING:
    from collections.abc import Iterator

# Their options are those of another program, which is asked itself below.
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


@pytest.fixture
def role(admin_url: str) -> Iterator[str]:
    """A role that may nothing yet."""
    name = f"mink_help_{os.getpid()}"
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(name)))
        yield name
        admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


@pytest.fixture
def store(postgres_url: str, schema: str) -> Iterator[tuple[Store, str]]:
    """A store with one of everything in it."""
    url = f"{postgres_url}?schema={schema}"
    with open_store(url) as opened:
        opened.initialize()
        message = OutboxMessage("mail", {"to": "ann"})
        opened.append("order-1", [NewEvent("Placed", {})], expected_version=ExpectedVersion.NO_STREAM, outbox=[message])
        opened.snapshots.save("order-1", 1, {"total": 1})
        opened.idempotency.reserve("key-1")
        opened.sagas.save(Saga("saga-1", "T", {}, SagaStatus.STUCK, "c"), expected_version=0)
        handled = threading.Event()
        with opened.subscription("mailer", lambda event: handled.set()):
            assert handled.wait(60)
        [event] = opened.read_all(where=EventFilter())
        opened.parked.park("mailer", event, attempts=1, error="refused")
        assert isinstance(opened.parked.list()[0], ParkedEvent)
        yield opened, url


def test_json_is_json_and_nothing_is_coloured(
    store: tuple[Store, str], role: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every command once, in an order in which each finds what it needs."""
    opened, url = store
    monkeypatch.chdir(tmp_path)
    [message] = opened.outbox.list()
    calls = [
        "init",
        "append order-2 --expect none --type Placed --data {}",
        "read order-1",
        "tail --after 0 --limit 1",
        "streams",
        "info",
        "info order-1",
        "subscriptions",
        "subscriptions pause mailer",
        "parked list mailer",
        "parked remove mailer --position 1 --yes",
        "subscriptions reset mailer --yes",
        "check",
        "migrate status",
        "migrate up",
        "migrate up --sql",
        f"grants --role {role}",
        "doctor",
        "stats",
        "epoch",
        "epoch --bump",
        "export events.jsonl",
        "import events.jsonl",
        "outbox list",
        f"outbox show {message.message_id}",
        "outbox requeue --all",
        "outbox purge --older-than 0s --dead --yes",
        "snapshots list",
        "snapshots show order-1",
        "snapshots delete order-1",
        "sagas list",
        "sagas show saga-1",
        "sagas requeue saga-1",
        "sagas delete saga-1 --version 2 --yes",
        "idempotency list",
        "idempotency show key-1",
        "idempotency purge",
        f"demo --seconds 0.5 --no-rules --store {url}",
        "partition 2",
    ]
    assert {path for path in OURS if not any(call.startswith(" ".join(path)) for call in calls)} == set()
    silent: list[str] = []
    for call in calls:
        result = CliRunner().invoke(app, ["--store", url, *shlex.split(call), "--json"], prog_name="mink")
        assert result.exit_code in ({0, 1} if call == "doctor" else {0}), (call, result.output)
        assert "\x1b" not in result.output
        records = [json.loads(line) for line in result.stdout.splitlines()]
        assert all(isinstance(record, dict) for record in records)
        if not records:
            silent.append(call)
    # They found nothing to tell, which a line would contradict.
    assert silent == ["parked remove mailer --position 1 --yes", "check"]


@pytest.mark.parametrize(("given", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_colours_on_a_terminal_can_be_switched_off(given: dict[str, str], coloured: bool) -> None:
    controller, terminal = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "FORCE_COLOR"}}
    environment |= {"TERM": "xterm-256color", "COLUMNS": "100", **given}
    script = (
        "from rich.console import Console; from mink_core.cli.commands.doctor import show; "
        "from mink_core.administration import Diagnosis, Level; "
        "show(Console(), [Diagnosis('feed', Level.CRITICAL, 'held back', 'end it', {})])"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=terminal, env=environment)
    os.close(terminal)
    said = b""
    try:
        while part := os.read(controller, 4096):
            said += part
    except OSError:
        pass  # the terminal's other end is closed
    assert process.wait(60) == 0
    os.close(controller)
    assert b"held back" in said
    assert (re.search(rb"\x1b\[[\d;]*3[0-7]m", said) is not None) is coloured


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str) -> None:
    environment = {
        **os.environ,
        "_MINK_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": "mink snap",
        "COMP_CWORD": "1",
        "_TYPER_COMPLETE_ARGS": "mink snap",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    command = [sys.executable, "-m", "mink_core.cli"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=60)
    assert "snapshots" in done.stdout
    assert "Traceback" not in done.stderr
    script = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "_MINK_COMPLETE": f"source_{shell}"},
        timeout=60,
    ).stdout
    assert "_MINK_COMPLETE" in script


def test_help_of_a_mistyped_command(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, [f"sna{uuid4()}"], prog_name="mink")
    assert result.exit_code == 2
    assert "Traceback" not in result.output
