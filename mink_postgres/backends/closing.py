"""Closing an async store's connections to the end, also where who closes it is cancelled."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mink_postgres.backends.leases import Leases
    from mink_postgres.source import Source


class Closing:
    """One store's. It goes on by itself where the caller is cancelled, and who calls again waits for the same."""

    def __init__(self) -> None:
        """Nothing is under way."""
        self._task: asyncio.Future[None] | None = None

    async def run(self, leases: Leases, pool: Any, source: Source | None) -> None:
        """Wait for what is lent, close the pool, and let go of the server.

        Args:
            leases: The connections at hand.
            pool: The store's own pool; None where there is none.
            source: Where the server comes from; None where the pool is the caller's.
        """
        if self._task is None or self._task.cancelled():
            self._task = asyncio.ensure_future(_close(leases, pool, source))
        await asyncio.shield(self._task)


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
