"""Starting what takes seconds and blocks, such as a server, from an event loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


async def started(start: Callable[[], T], stop: Callable[[T], None]) -> T:
    """What `start` gives, in a thread.

    A thread goes on where the caller is cancelled: then what it has started is stopped, and the caller ends after that.
    """
    starting = asyncio.ensure_future(asyncio.to_thread(start))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        await asyncio.wait([starting])
        if not starting.cancelled() and starting.exception() is None:
            await asyncio.to_thread(stop, starting.result())
        raise
