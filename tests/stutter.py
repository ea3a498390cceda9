"""Runs a command on a machine that stands still now and then: what a test must bear that is about time.

    python -m tests.stutter -- pytest -q tests/adapters

Again and again all of the command's processes are stopped for up to a second, or its own, or some of them: the server
and not its client, a worker and not the others. A test that fails here and passes elsewhere expects something of the
machine. Linux only. Exits with the command's status.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from pathlib import Path

_MARK = "MINK_STUTTER"


def marked(mark: bytes) -> list[int]:
    """The processes with this in their environment: also those whose parent has gone, as servers have."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                if mark in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
    return found


def send(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def stand_still(pids: list[int], seconds: float) -> None:
    try:
        send(pids, signal.SIGSTOP)
        time.sleep(seconds)
    finally:
        send(pids, signal.SIGCONT)


def run(command: list[str], *, shortest: float = 0.2, longest: float = 1.0, every: float = 1.0) -> int:
    """Run the command.

    Args:
        command: What to run.
        shortest: Seconds of the shortest standstill.
        longest: Of the longest.
        every: Seconds between two, on average.

    Returns:
        Its exit status.
    """
    mark = uuid.uuid4().hex
    process = subprocess.Popen(command, env=os.environ | {_MARK: mark})
    try:
        while process.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(random.uniform(0.1, 2 * every))
            pids = marked(f"{_MARK}={mark}".encode())
            some = random.sample(pids, -(-len(pids) // 3))
            stand_still(random.choice([pids, pids, [process.pid], some]), random.uniform(shortest, longest))
    except BaseException:
        process.terminate()
        process.wait()
        raise
    return process.returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shortest", type=float, default=0.2, help="seconds of the shortest standstill")
    parser.add_argument("--longest", type=float, default=1.0, help="seconds of the longest")
    parser.add_argument("--every", type=float, default=1.0, help="seconds between two, on average")
    parser.add_argument("command", nargs="+")
    given = parser.parse_args()
    # Ended, it lets nobody stand still for ever.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    return run(given.command, shortest=given.shortest, longest=given.longest, every=given.every)


if __name__ == "__main__":
    sys.exit(main())
