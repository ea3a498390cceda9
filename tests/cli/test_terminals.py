"""On a terminal: colours that can be switched off, and completion in each shell."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys

import pytest


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
