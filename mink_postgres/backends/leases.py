"""Connections kept between calls, the last one used given out first.

A pool's own lending costs an event loop more than a short statement does. And psycopg's pool lends the connection that
has waited longest: one caller goes round all of them, and finds each server process with cold caches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

KEPT = 4
"""Connections kept at most: what lone appends use at once, or groups."""


class Leases:
    """Stands before a pool of the store's own, for the tasks of one event loop."""

    def __init__(
        self,
        take: Callable[[], Awaitable[Any]],
        give: Callable[[Any], Awaitable[None]],
        is_closed: Callable[[Any], bool],
        *,
        kept: int,
    ) -> None:
        """Borrow nothing yet.

        Args:
            take: Borrows from the pool.
            give: Gives back to the pool.
            is_closed: Whether a connection is known to be of no use.
            kept: How many to keep; 0 for a pool of the caller's.
        """
        self._take = take
        self._give = give
        self._is_closed = is_closed
        self._kept = kept
        self._idle: list[Any] = []
        self._waiting = 0

    @property
    def idle(self) -> int:
        """Connections that are kept and not in use: the pool counts them as lent."""
        return len(self._idle)

    async def acquire(self) -> Any:
        """A connection kept from an earlier call, or one of the pool."""
        while self._idle:
            connection = self._idle.pop()
            if not self._is_closed(connection):
                return connection
            await self._give(connection)
        self._waiting += 1
        try:
            return await self._take()
        finally:
            self._waiting -= 1

    async def release(self, connection: Any, *, clean: bool) -> None:
        """Keep a connection, or give it back.

        Args:
            connection: As `acquire` gave it.
            clean: Whether its last statement ended well. The pool looks after the others.
        """
        # Who waits in the pool would not see one that is kept here. Whether it is closed is asked when it is lent again.
        if clean and not self._waiting and len(self._idle) < self._kept:
            self._idle.append(connection)
        else:
            await self._give(connection)

    async def end(self) -> None:
        """Give all back, and keep none from now on."""
        self._kept = 0
        while self._idle:
            await self._give(self._idle.pop())
