"""What psycopg's pools tell of themselves, sync and async alike: their figures, and their warnings in an outage."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "mink"
"""Of every pool that a store opens for itself."""
_PAUSE = 10.0
"""Seconds between two warnings of one kind."""


class _NowAndThen(logging.Filter):
    """Of our pools' warnings lets one of each kind through now and then.

    Such a pool begins an attempt a second while the server is away (`RECONNECT_SECONDS`), and tells twice of each.
    """

    def __init__(self) -> None:
        super().__init__()
        self._next: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is logged; those of other pools always are."""
        if record.levelno != logging.WARNING or not isinstance(record.args, tuple) or record.args[:1] != (NAME,):
            return True
        kind, now = str(record.msg), time.monotonic()
        if now < self._next.get(kind, 0.0):
            return False
        self._next[kind] = now + _PAUSE
        return True


logging.getLogger("psycopg.pool").addFilter(_NowAndThen())


def pool_figures(stats: Mapping[str, int]) -> dict[str, int]:
    """Connections by state, and calls that wait for one, of a pool's `get_stats`."""
    idle = stats.get("pool_available", 0)
    return {
        "used": stats.get("pool_size", 0) - idle,
        "idle": idle,
        "waiting": stats.get("requests_waiting", 0),
    }
