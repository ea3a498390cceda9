"""Waiting for an idempotency key that somebody else has: how long between looks."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mink_core.backoff import chance

if TYPE_CHECKING:
    from collections.abc import Iterator

_FIRST, _MOST = 0.005, 0.1


def pauses(seconds: float) -> Iterator[float]:
    """Pauses between looks until the time is over; growing, and with jitter, so that callers spread."""
    end = time.monotonic() + seconds
    pause = _FIRST
    while (left := end - time.monotonic()) > 0:
        yield min(left, pause * (0.5 + chance() / 2))
        pause = min(pause * 1.5, _MOST)
