"""psycopg, sync: a pool of our own, the caller's pool, or the caller's connection."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout, TooManyRequests

from mink_core.errors import UsageError
from mink_postgres.drivers import psycopg_sync
from mink_postgres.drivers.psycopg_errors import pool_error, translated

if TYPE_CHECKING:
    from collections.abc import Generator

    from mink_postgres.options import PostgresOptions
    from mink_postgres.query import Query
    from mink_postgres.source import Source

fetch = psycopg_sync.fetch
Connection = psycopg.Connection[Any]


class PsycopgBackend:
    """Lends connections that commit each statement by itself."""

    def __init__(self, source: Source | None, pool: ConnectionPool[Any] | None, options: PostgresOptions) -> None:
        """Open nothing yet. With `pool` given, it is only borrowed from (LIFE-03)."""
        self._source = source
        self._pool = pool
        self._owned = pool is None
        self._options = options

    def open(self) -> None:
        """Reach the server, then open the pool.

        Raises:
            StorageError: The server cannot be reached; says why.
        """
        if not self._owned or self._source is None:
            return
        conninfo = self._source.open()
        try:
            # A pool only says that it timed out; one connection of our own says why.
            psycopg_sync.connect(conninfo).close()
        except BaseException:
            self._source.close()
            raise
        options = self._options
        self._pool = ConnectionPool(
            conninfo,
            kwargs={"autocommit": True},
            min_size=options.min_size,
            max_size=options.max_size,
            timeout=options.pool_timeout,
            configure=self._configure,
            open=True,
            name="mink",
        )

    def _configure(self, connection: Connection) -> None:
        connection.execute("SELECT set_config('lock_timeout', %s, false)", (self._options.lock_timeout_ms,))

    @contextmanager
    def session(self) -> Generator[Connection]:
        """Borrow a connection."""
        pool = self._pool
        assert pool is not None  # noqa: S101 -- the store opens before it runs anything
        try:
            connection = pool.getconn(self._options.pool_timeout)
        except (PoolClosed, PoolTimeout, TooManyRequests, psycopg.Error) as error:
            raise pool_error(error) from error
        ours = connection.autocommit
        try:
            if not ours:
                connection.autocommit = True
            yield connection
        finally:
            if not ours and not connection.closed:
                with suppress(psycopg.Error):
                    connection.autocommit = False
            pool.putconn(connection)

    def close(self) -> None:
        """Close the pool if it is ours, then let go of the server."""
        if self._owned and self._pool is not None:
            self._pool.close()
        if self._source is not None:
            self._source.close()


class BoundBackend:
    """The caller's connection: never committed, rolled back or closed here (TX-02)."""

    def __init__(self, connection: Connection) -> None:
        """Keep it."""
        self._connection = connection

    def open(self) -> None:
        """Nothing to open."""

    @contextmanager
    def session(self) -> Generator[Connection]:
        """The connection, as it is."""
        yield self._connection

    def close(self) -> None:
        """Nothing of ours to close."""


def checked(connection: object) -> Connection:
    """Refuse what is no connection of this driver.

    Raises:
        UsageError: It is something else.
    """
    if not isinstance(connection, psycopg.Connection):
        msg = f"bind takes a psycopg.Connection, not {type(connection).__module__}.{type(connection).__name__}"
        raise UsageError(msg)
    return connection


@contextmanager
def transaction(connection: Connection, commit: Query) -> Generator[None]:
    """BEGIN (a savepoint inside the caller's transaction), then COMMIT, or ROLLBACK when the block raises.

    `commit` tells what a reply lost at COMMIT means; errors of the block pass through as they are.
    """
    block = connection.transaction()
    try:
        block.__enter__()
    except psycopg.Error as error:
        raise translated(error, None, lost=connection.broken) from error
    try:
        yield
    except BaseException as error:
        # A connection that is gone has rolled back by itself.
        with suppress(psycopg.Error):
            block.__exit__(type(error), error, error.__traceback__)
        raise
    try:
        block.__exit__(None, None, None)
    except psycopg.Error as error:
        raise translated(error, commit, lost=connection.broken) from error
