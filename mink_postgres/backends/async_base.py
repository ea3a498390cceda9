"""What an async driver does for a store."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias
from weakref import WeakSet

from mink_core.errors import UsageError
from mink_core.runtime.task_waiting import in_time
from mink_postgres.backends.forked import cut_off, keep_async, refuse_async
from mink_postgres.backends.leases import KEPT, Leases
from mink_postgres.backends.pooler import patient

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from contextlib import AbstractAsyncContextManager

    from mink_postgres.options import PostgresOptions
    from mink_postgres.query import Query, Rows
    from mink_postgres.source import Source

CLOSE_SECONDS = 10.0
"""Seconds that what is under way may take as a store is closed. asyncpg waits for connections that are lent, and for the server's
farewell on the others, without a limit: a block that closes its own store would wait for itself."""

Fetch: TypeAlias = "Callable[[Any, Query], Coroutine[Any, Any, Rows]]"
"""Runs one query on a connection."""


class AsyncBackend(Protocol):
    """A driver's connections, for asyncio."""

    on_connect: Callable[[], None]
    """Called for each connection that a pool of the store's own has opened, before it is used."""

    @property
    def conninfo(self) -> str | None:
        """Where to connect, once it is open; None where the caller gave a pool or a connection."""
        ...

    def pool_status(self) -> dict[str, int]:
        """Connections by state, and calls that wait for one; empty without a pool."""
        ...

    def array(self, values: list[Any]) -> Any:
        """An array argument, in the form that costs the driver least."""
        ...

    @property
    def is_shared(self) -> bool:
        """Whether a process that is forked now has connections of the caller's in common with this one."""
        ...

    def leave_to_parent(self) -> None:
        """Refuse all use, as this process was forked from the one whose connections these are."""
        ...

    async def open(self) -> None:
        """Reach the server, then open the pool."""
        ...

    async def acquire(self) -> Any:
        """Borrow a connection that commits each statement by itself; `release` it."""
        ...

    async def release(self, connection: Any, *, clean: bool) -> None:
        """Give a connection back; `clean` when its last statement ended well."""
        ...

    @property
    def fetch(self) -> Fetch:
        """Runs one query on a connection."""
        ...

    def commits_by_itself(self, connection: Any) -> bool:
        """Whether a statement sent now commits with itself: no transaction is open, and none is begun for it."""
        ...

    def transaction(self, connection: Any, commit: Query) -> AbstractAsyncContextManager[None]:
        """BEGIN, then COMMIT, or ROLLBACK when the block raises."""
        ...

    async def close(self) -> None:
        """Release what was opened here."""
        ...


class AsyncPooled(ABC):
    """A pool of the store's own, or the caller's: what does not depend on the driver."""

    def __init__(
        self, source: Source | None, pool: Any, options: PostgresOptions, fetch: Fetch, is_closed: Callable[[Any], bool]
    ) -> None:
        """Open nothing yet.

        Args:
            source: Where the server comes from; None where the pool is the caller's.
            pool: The caller's; None for one of the store's own.
            options: The store's.
            fetch: The driver's.
            is_closed: Whether a connection is known to be of no use.
        """
        self._source = source
        self.conninfo: str | None = None
        """Where to connect, once it is open."""
        self._pool: Any = pool
        self._owned = pool is None
        self._options = options
        self._connections: WeakSet[Any] = WeakSet()
        self._closing: asyncio.Future[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._leases = Leases(self._take, self._give, is_closed, kept=KEPT if self._owned else 0)
        self.acquire, self.release = self._leases.acquire, self._leases.release
        self._fetch = fetch
        self.fetch: Fetch = self._fetch_patiently if options.transaction_pooler else fetch
        self.on_connect: Callable[[], None] = lambda: None

    @abstractmethod
    async def _take(self) -> Any:
        """Borrow from the pool."""

    @abstractmethod
    async def _give(self, connection: Any) -> None:
        """Give back to the pool."""

    async def _fetch_patiently(self, connection: Any, query: Query) -> Rows:
        return await self._fetch(connection, patient(query, self._options))

    def leave_to_parent(self) -> None:
        """See `sync_psycopg.PsycopgBackend.leave_to_parent`."""
        self.acquire = self.fetch = refuse_async
        self.release = keep_async
        if self._owned:
            cut_off(self._connections)

    async def close(self) -> None:
        """Close the pool if it is ours, then let go of the server.

        It goes on by itself where the caller is cancelled, and who calls again waits for the same.

        Raises:
            UsageError: It was opened in another event loop, which goes on.
        """
        if self._loop not in (None, asyncio.get_running_loop()) and not self._is_left:
            msg = "the store was opened in another event loop, which has its connections: close it there; nothing was closed"
            raise UsageError(msg)
        if self._closing is None or self._closing.cancelled():
            self._closing = asyncio.ensure_future(self._close())
        await asyncio.shield(self._closing)

    @property
    def _is_left(self) -> bool:
        """Whether the event loop that it was opened in has ended."""
        return self._loop is not None and self._loop.is_closed()

    async def _close(self) -> None:
        try:
            if self._is_left:  # no farewell can be said any more
                cut_off(self._connections)
            else:
                await self._close_pool()
        finally:
            if self._source is not None:
                await asyncio.shield(asyncio.to_thread(self._source.close))  # cancelled with its event loop

    async def _close_pool(self) -> None:
        try:
            await self._leases.end()
        finally:
            if self._owned and self._pool is not None:
                await in_time(self._pool.close(), CLOSE_SECONDS)  # cancelled, asyncpg's cuts off what is left


class AsyncBound:
    """The caller's connection: never committed, rolled back or closed here (TX-02)."""

    conninfo = None
    is_shared = True

    def __init__(self, connection: Any, fetch: Fetch) -> None:
        """Keep it, and what the driver fetches by."""
        self._connection = connection
        self.fetch = fetch
        self.on_connect: Callable[[], None] = lambda: None

    async def open(self) -> None:
        """Nothing to open."""

    def leave_to_parent(self) -> None:
        """See `sync_psycopg.BoundBackend.leave_to_parent`."""
        self.fetch = refuse_async

    async def acquire(self) -> Any:
        """The connection, as it is."""
        return self._connection

    async def release(self, connection: Any, *, clean: bool) -> None:
        """It stays the caller's."""

    def pool_status(self) -> dict[str, int]:
        """There is no pool."""
        return {}

    async def close(self) -> None:
        """Nothing of ours to close."""
