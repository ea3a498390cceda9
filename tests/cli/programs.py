"""Real processes, for what a runner inside this one cannot show: pipes, signals, terminals."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

MEMORY = """
import signal, sys, threading, time
signal.signal(signal.SIGINT, signal.default_int_handler)
from mink_core import ExpectedVersion, NewEvent, open_store
from mink_core.cli import main
store = open_store("memory://shared")

def put(count, stream="order-1", **data):
    for _ in range(count):
        event = NewEvent("Put", {"n": len(list(store.read_stream(stream))) + 1, **data})
        store.append(stream, [event], expected_version=ExpectedVersion.ANY)

def mink(*args):
    sys.argv[1:] = ["--store", "memory://shared", *args]
    return main()
"""
"""Goes before a test's own code: `put` writes to the store that `mink` then works on."""


def start(code: str, **options: Any) -> subprocess.Popen[bytes]:
    return _run(["-c", MEMORY + code], **options)


def start_mink(*args: str, url: str, **options: Any) -> subprocess.Popen[bytes]:
    return _run(["-m", "mink_core.cli", *args], extra={"MINK_STORE_URL": url}, **options)


def _run(args: list[str], extra: Mapping[str, str] | None = None, **options: Any) -> subprocess.Popen[bytes]:
    environment = os.environ | dict(extra or {})
    # It would flush for the command what the command must flush itself.
    environment.pop("PYTHONUNBUFFERED", None)
    given = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.Popen([sys.executable, *args], env=environment, **given)


def finish(process: subprocess.Popen[bytes], given: bytes | None = None) -> tuple[int, str, str]:
    out, err = process.communicate(given, timeout=60)
    return process.returncode, (out or b"").decode(), (err or b"").decode()
