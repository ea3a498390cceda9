"""Kill a server the way a crash does."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path


def kill_with_children(pid: int) -> None:
    """SIGKILL a process, then those that it had started.

    The parent first, so that it starts no new ones. Where there is no /proc only the parent is
    killed; PostgreSQL's backends end by themselves when they notice.
    """
    children = _children(pid)
    for process in (pid, *children):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def _children(parent: int) -> list[int]:
    found: list[int] = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            # After the name in brackets, which may hold anything: state, then the parent's id.
            fields = entry.read_text("utf-8", errors="replace").rpartition(")")[2].split()
            if int(fields[1]) == parent:
                found.append(int(entry.parent.name))
    return found
