"""Closing an async store's connections to the end, also where who closes it is cancelled."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mink_postgres.backends.leases import Leases
    from mink_postgres.source import Source

_under_way: set[asyncio.Future[None]] = set()
"""The event loop alone would not keep them."""


async def closed(leases: Leases, pool: Any, source: Source | None) -> None:
    """Wait for what is lent, close the pool, and let go of the server.

    It goes on by itself where the caller is cancelled: a second `close` would not.

    Args:
        leases: The connections at hand.
        pool: The store's own pool; None where there is none.
        source: Where the server comes from; None where the pool is the caller's.
    """
    closing = asyncio.ensure_future(_close(leases, pool, source))
    _under_way.add(closing)
    closing.add_done_callback(_under_way.discard)
    await asyncio.shield(closing)


async def _close(leases: Leases, pool: Any, source: Source | None) -> None:
    try:
        await leases.end()
    finally:
        try:
            if pool is not None:
                await pool.close()
        finally:
            if source is not None:
                await asyncio.shield(asyncio.to_thread(source.close))  # cancelled with its event loop
