"""psycopg, async: a pool of our own, the caller's pool, or the caller's connection."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.pq import TransactionStatus
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout, TooManyRequests

from mink_core.forks import FORKS
from mink_core.runtime.starting import started
from mink_postgres.backends.async_base import AsyncBound, AsyncPooled
from mink_postgres.backends.forked import cut_off
from mink_postgres.backends.pooler import RECONNECT_SECONDS, begin, psycopg_options
from mink_postgres.backends.savepoints import FIRST, SAVEPOINT
from mink_postgres.drivers import psycopg_async
from mink_postgres.drivers.psycopg_errors import pool_error, translated
from mink_postgres.drivers.psycopg_pools import NAME, pool_figures
from mink_postgres.drivers.psycopg_sync import SETTINGS, commits_by_itself
from mink_postgres.programs.append_group import array_literal
from mink_postgres.query import Query
from mink_postgres.reaching import libpq_options

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from mink_postgres.options import PostgresOptions
    from mink_postgres.source import Source

Connection = psycopg.AsyncConnection[Any]


class _PsycopgDriver:
    """What a pool and a single connection have in common."""

    array = staticmethod(array_literal)

    commits_by_itself = staticmethod(commits_by_itself)

    @asynccontextmanager
    async def transaction(self, connection: Connection, commit: Query) -> AsyncGenerator[None]:
        """See `sync_psycopg.transaction`."""
        block, forks = connection.transaction(), FORKS.count
        try:
            await block.__aenter__()
        except psycopg.Error as error:
            raise translated(error, None, lost=connection.broken) from error
        try:
            yield
        except BaseException as error:
            if forks != FORKS.count:
                cut_off([connection])
            with suppress(psycopg.Error):
                await block.__aexit__(type(error), error, error.__traceback__)
            raise
        try:
            await block.__aexit__(None, None, None)
        except psycopg.Error as error:
            raise translated(error, commit, lost=connection.broken) from error


async def _try_again(pool: AsyncConnectionPool[Any]) -> None:
    """See `sync_psycopg`."""
    with suppress(PoolClosed):
        await pool.check()


async def _close_with_the_loop(pool: AsyncConnectionPool[Any]) -> None:
    """Close a pool that its program has not closed, once the event loop ends.

    `asyncio.run` cancels what is left and waits for it. A worker of the pool that is connecting then takes that for a
    connection that failed, and goes on: the program would neither end nor show what it failed with.
    """
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        await pool.close()


class AsyncPsycopgBackend(_PsycopgDriver, AsyncPooled):
    """See `sync_psycopg.PsycopgBackend`."""

    def __init__(self, source: Source | None, pool: AsyncConnectionPool[Any] | None, options: PostgresOptions) -> None:
        """Open nothing yet."""
        super().__init__(source, pool, options, psycopg_async.fetch, lambda connection: bool(connection.closed))
        # Of a pool that is not ours, and whose connections do not commit by themselves.
        self._borrowed: set[Connection] = set()
        self._giving: set[asyncio.Future[None]] = set()
        self._watching: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def transaction(self, connection: Connection, commit: Query) -> AsyncGenerator[None]:
        """See `sync_psycopg.PsycopgBackend.transaction`."""
        async with super().transaction(connection, commit):
            if first := begin(self._options, commit):
                await psycopg_async.fetch(connection, Query(first))
            yield

    async def open(self) -> None:
        """Reach the server, then open the pool."""
        if not self._owned or self._source is None:
            return
        source, self._loop = self._source, asyncio.get_running_loop()
        conninfo = self.conninfo = await started(source.open, lambda _: source.close())
        try:
            await (await psycopg_async.connect(conninfo, **psycopg_options(self._options))).close()
        except BaseException:
            await asyncio.to_thread(self._source.close)
            raise
        options = self._options
        self._pool = AsyncConnectionPool(
            conninfo,
            connection_class=psycopg_async.PooledConnection,
            kwargs={"autocommit": True, **libpq_options(conninfo), **psycopg_options(options)},
            min_size=options.min_size,
            max_size=options.max_size,
            timeout=options.pool_timeout,
            reconnect_timeout=RECONNECT_SECONDS,
            reconnect_failed=_try_again,
            configure=self._configure,
            open=False,
            name=NAME,
        )
        await self._pool.open()
        self._watching = asyncio.create_task(_close_with_the_loop(self._pool))

    async def _close_pool(self) -> None:
        try:
            await super()._close_pool()
        finally:
            if self._watching is not None and self._watching.cancel():
                await asyncio.sleep(0)  # it ends before a loop that is closed right afterwards

    async def _configure(self, connection: Connection) -> None:
        self._connections.add(connection)
        self.on_connect()
        if not self._options.transaction_pooler:
            await connection.execute(SETTINGS, (self._options.lock_timeout_ms,))

    async def _take(self) -> Connection:
        try:
            connection: Connection = await self._pool.getconn(self._options.pool_timeout)
        except (PoolClosed, PoolTimeout, TooManyRequests, psycopg.Error) as error:
            raise pool_error(error) from error
        if not self._owned and not connection.autocommit:
            self._borrowed.add(connection)
            try:
                await connection.set_autocommit(True)
            except BaseException as error:
                await self._give(connection)
                if isinstance(error, psycopg.Error):
                    raise pool_error(error) from error
                raise
        return connection

    async def _give(self, connection: Connection) -> None:
        # A task of its own: cancelled half-way, neither psycopg nor its pool would have the connection.
        giving = asyncio.ensure_future(self._give_back(connection))
        self._giving.add(giving)
        giving.add_done_callback(self._giving.discard)
        await asyncio.shield(giving)

    async def _give_back(self, connection: Connection) -> None:
        if connection in self._borrowed:
            self._borrowed.discard(connection)
            if not connection.closed:
                with suppress(psycopg.Error):
                    await connection.set_autocommit(False)
        await self._pool.putconn(connection)

    @property
    def is_shared(self) -> bool:
        """See `sync_psycopg.PsycopgBackend.is_shared`."""
        return not self._owned and self._pool is not None and not self._pool.closed

    def pool_status(self) -> dict[str, int]:
        """See `sync_psycopg.PsycopgBackend.pool_status`."""
        if self._pool is None:
            return {}
        found, kept = pool_figures(self._pool.get_stats()), self._leases.idle
        return {**found, "used": found["used"] - kept, "idle": found["idle"] + kept}


class AsyncBoundPsycopgBackend(_PsycopgDriver, AsyncBound):
    """See `AsyncBound`."""

    def __init__(self, connection: Connection) -> None:
        """Keep it."""
        super().__init__(connection, psycopg_async.fetch)

    @asynccontextmanager
    async def transaction(self, connection: Connection, commit: Query) -> AsyncGenerator[None]:
        """See `sync_psycopg.BoundBackend.transaction`."""
        if not commits_by_itself(connection):
            commit = SAVEPOINT
            if connection.pgconn.transaction_status == TransactionStatus.IDLE:
                await psycopg_async.fetch(connection, FIRST)
        async with super().transaction(connection, commit):
            yield
