"""Waiting for an event of asyncio, so long at most."""

from __future__ import annotations

import asyncio
from contextlib import suppress


async def wait_until_set(event: asyncio.Event, seconds: float | None) -> None:
    """Wait until it is set, so long at most; None is for ever.

    Not by `asyncio.wait_for`: until Python 3.12 it swallows a cancellation that comes together with the event.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
