"""asyncpg: a pool of our own, the caller's pool, or the caller's connection."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import asyncpg

from mink_core.forks import FORKS
from mink_core.runtime.starting import started
from mink_postgres.backends.async_base import AsyncBound, AsyncPooled
from mink_postgres.backends.forked import cut_off
from mink_postgres.backends.pooler import asyncpg_options, begin
from mink_postgres.backends.savepoints import SAVEPOINT
from mink_postgres.drivers import asyncpg as driver
from mink_postgres.query import Query
from mink_postgres.reaching import reach_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from mink_postgres.options import PostgresOptions
    from mink_postgres.source import Source

ROLLBACK_SECONDS = 10.0
"""Seconds that the server may take to end a statement that was cancelled, or a transaction whose block has failed; psycopg waits so long."""


class _AsyncpgDriver:
    """What a pool and a single connection have in common."""

    @staticmethod
    def array(values: list[Any]) -> list[Any]:
        """A list as it is."""
        return values

    commits_by_itself = staticmethod(driver.commits_by_itself)

    @asynccontextmanager
    async def transaction(self, connection: Any, commit: Query) -> AsyncGenerator[None]:
        """See `sync_psycopg.transaction`."""
        block, forks = connection.transaction(), FORKS.count
        try:
            await block.__aenter__()
        except driver.ERRORS as error:
            raise driver.translated(error, None, lost=driver.is_closed(connection)) from error
        try:
            yield
        except BaseException as error:
            if forks != FORKS.count:  # nor is anything waited for, as the event loop is the parent's, too
                cut_off([connection])
                raise
            await _roll_back(connection, block, error)
            raise
        try:
            await block.__aexit__(None, None, None)
        except driver.ERRORS as error:
            raise driver.translated(error, commit, lost=driver.is_closed(connection)) from error


async def _roll_back(connection: Any, block: Any, error: BaseException) -> None:
    # Of a statement that was cancelled, asyncpg first waits for the server to end it, and without a limit. What is the caller's
    # must be rolled back, however long it takes.
    limit = asyncio.timeout(ROLLBACK_SECONDS if driver.is_of_a_store(connection) else None)
    try:
        with suppress(*driver.ERRORS):
            async with limit:
                await block.__aexit__(type(error), error, error.__traceback__)
    finally:  # the first releases of Python 3.11 raise no TimeoutError in a task that was cancelled before
        if limit.expired():
            connection.terminate()


class AsyncpgBackend(_AsyncpgDriver, AsyncPooled):
    """See `sync_psycopg.PsycopgBackend`."""

    def __init__(self, source: Source | None, pool: Any, options: PostgresOptions) -> None:
        """Open nothing yet."""
        super().__init__(source, pool, options, driver.fetch, driver.is_closed)

    @asynccontextmanager
    async def transaction(self, connection: Any, commit: Query) -> AsyncGenerator[None]:
        """See `sync_psycopg.PsycopgBackend.transaction`."""
        async with super().transaction(connection, commit):
            if first := begin(self._options, commit):
                await driver.fetch(connection, Query(first))
            yield

    async def open(self) -> None:
        """Reach the server, then open the pool."""
        if not self._owned or self._source is None:
            return
        source, self._loop = self._source, asyncio.get_running_loop()
        conninfo = self.conninfo = await started(source.open, lambda _: source.close())
        try:
            await (await driver.connect(conninfo, **asyncpg_options(self._options))).close()
            self._pool = await asyncpg.create_pool(
                connect=self._connect,
                **asyncpg_options(self._options),
                min_size=self._options.min_size,
                max_size=self._options.max_size,
                connection_class=driver.PlainConnection,
                init=self._configure,
            )
        except BaseException as error:
            await asyncio.to_thread(self._source.close)
            if isinstance(error, driver.ERRORS):
                raise driver.pool_error(error) from error
            raise

    async def _connect(self, _: str | None, **options: Any) -> Any:
        connection = await driver.connect_to_any(reach_of(self.conninfo or ""), **options)
        self._connections.add(connection)
        return connection

    async def _configure(self, connection: Any) -> None:
        self.on_connect()
        if not self._options.transaction_pooler:
            try:
                await connection.execute("SELECT set_config('lock_timeout', $1, false)", self._options.lock_timeout_ms)
            except BaseException:
                connection.terminate()  # the pool would wait without a limit for a server that says no more to close it
                raise

    async def _take(self) -> Any:
        try:
            return await self._pool.acquire(timeout=self._options.pool_timeout)
        except driver.ERRORS as error:
            raise driver.pool_error(error) from error

    async def _give(self, connection: Any) -> None:
        # A connection that the server has ended cannot be reset, and one whose statement was cancelled may not end it: the pool
        # drops both.
        limit = min(ROLLBACK_SECONDS, self._options.pool_timeout) if self._owned else None
        with suppress(*driver.ERRORS):
            await self._pool.release(connection, timeout=limit)

    @property
    def is_shared(self) -> bool:
        """See `sync_psycopg.PsycopgBackend.is_shared`."""
        return not self._owned and bool(getattr(self._pool, "_initialized", True))

    def pool_status(self) -> dict[str, int]:
        """Connections by state; asyncpg does not tell who waits."""
        if self._pool is None:
            return {}
        idle: int = self._pool.get_idle_size() + self._leases.idle
        return {"used": self._pool.get_size() - idle, "idle": idle}


class AsyncpgBoundBackend(_AsyncpgDriver, AsyncBound):
    """See `AsyncBound`."""

    def __init__(self, connection: Any) -> None:
        """Keep it."""
        super().__init__(connection, driver.fetch)

    @asynccontextmanager
    async def transaction(self, connection: Any, commit: Query) -> AsyncGenerator[None]:
        """A savepoint in the caller's transaction; one of its own where there is none."""
        async with super().transaction(connection, commit if driver.commits_by_itself(connection) else SAVEPOINT):
            yield
