"""Processor time of a PostgreSQL server on this machine, taken from /proc."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import psycopg

from mink_benchmarks.samples import BenchmarkError

if TYPE_CHECKING:
    from types import TracebackType

_PROC = Path("/proc")
# Of /proc/PID/stat, counted from the first field behind the name; see proc(5).
_PARENT, _OWN, _ENDED, _STARTED = 1, slice(11, 13), slice(13, 15), 19
_SAME_START = 5.0
"""Seconds between a session's start as PostgreSQL tells it and as the system does."""
_LOOKS = 100


class NotCountedError(BenchmarkError):
    """Processor time could not be counted; says why."""


class ServerClock:
    """How long a server's processes have computed: those that live, and those that have ended.

    It keeps one session open, whose parent is the server. A number alone does not tell: the session that it belonged
    to may have ended, and another server's may have it now.
    """

    def __init__(self, url: str) -> None:
        """Find the server.

        Raises:
            NotCountedError: It runs elsewhere, or this system has no /proc.
        """
        if not (_PROC / "self" / "stat").exists():
            msg = "this system has no /proc"
            raise NotCountedError(msg)
        self._tick = os.sysconf("SC_CLK_TCK")
        self._session: psycopg.Connection[Any] = psycopg.connect(url, autocommit=True)
        try:
            self._server = self._find()
        except BaseException:
            self._session.close()
            raise

    def seconds(self) -> float:
        """Seconds of user and system time, up to now.

        Raises:
            NotCountedError: The server has ended, or its sessions come and go without a pause.
        """
        for _ in range(_LOOKS):
            # The time of a session that ends moves to the server's: a look at one process after the other may find it
            # twice or not at all. Where the server's did not change meanwhile, it found each once.
            server, sessions = self._of_server(), self._of_sessions()
            if self._of_server()[_ENDED] == server[_ENDED]:
                ticks = server[_OWN] + server[_ENDED] + [tick for fields in sessions for tick in fields[_OWN]]
                return sum(map(int, ticks)) / self._tick
            time.sleep(0.01)
        msg = "the server's sessions come and go without a pause"
        raise NotCountedError(msg)

    def close(self) -> None:
        """End the session."""
        self._session.close()

    def __enter__(self) -> Self:
        """The clock itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def _find(self) -> int:
        statement = (
            "SELECT pid, extract(epoch FROM clock_timestamp() - backend_start)::float8 "
            "FROM pg_stat_activity WHERE pid = pg_backend_pid()"
        )
        row: Any = self._session.execute(statement).fetchone()
        pid, age = int(row[0]), float(row[1])
        fields = _fields(pid)
        if fields is not None:
            started = int(fields[_STARTED]) / self._tick
            if abs(time.clock_gettime(time.CLOCK_BOOTTIME) - started - age) < _SAME_START:
                return int(fields[_PARENT])
        msg = "the server's processes are not on this machine, or not to be seen from here"
        raise NotCountedError(msg)

    def _of_server(self) -> list[str]:
        fields = _fields(self._server)
        if fields is None or self._session.broken:
            msg = "the server has ended"
            raise NotCountedError(msg)
        return fields

    def _of_sessions(self) -> list[list[str]]:
        """Every child of the server that lives, or that the server has not seen end yet."""
        found = (_fields(int(path.name)) for path in _PROC.glob("[0-9]*"))
        return [fields for fields in found if fields is not None and int(fields[_PARENT]) == self._server]


def _fields(pid: int) -> list[str] | None:
    """What /proc tells of a process behind its name; None if there is none."""
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(") ")[2].split()
    except OSError:  # also while it is being read
        return None
