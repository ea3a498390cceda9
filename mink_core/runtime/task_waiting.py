"""Waiting in a task, so long at most."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable


async def in_time(waited: Awaitable[object], seconds: float | None) -> bool:
    """Whether it came within so many seconds; None is for ever.

    Not by `asyncio.wait_for`: until Python 3.12 it swallows a cancellation that comes together with what is waited for.
    """
    task, limit = asyncio.current_task(), asyncio.timeout(seconds)
    before = task.cancelling() if task else 0
    try:
        async with limit:
            await waited
    except TimeoutError:
        return False
    except asyncio.CancelledError:
        # The first releases of Python 3.11 say so of a time-out in a task that was cancelled before, and went on.
        if not limit.expired() or (task and task.cancelling() > before):
            raise
        return False
    return True


async def wait_until_set(event: asyncio.Event, seconds: float | None) -> None:
    """Wait until it is set, so long at most; None is for ever."""
    await in_time(event.wait(), seconds)
