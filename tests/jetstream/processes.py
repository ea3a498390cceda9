"""Looking at processes that others started."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest

_IGNORED = pytest.mark.filterwarnings(
    "ignore:.*unclosed <(StreamWriter|socket):ResourceWarning",
    "ignore:Exception ignored in.*(StreamWriter|Transport|socket):pytest.PytestUnraisableExceptionWarning",
)


def LEFT_BY_NATS(test: Any) -> Any:  # noqa: N802 -- a mark
    """Nats-py leaves the socket of a reconnect that failed to the garbage collector: which finds it in this test."""
    return pytest.mark.usefixtures("_collected")(_IGNORED(test))


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def gone_within(pid: int, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while runs(pid) and time.monotonic() < end:
        time.sleep(0.05)
    return not runs(pid)
