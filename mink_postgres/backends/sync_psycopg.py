"""psycopg, sync: a pool of our own, the caller's pool, or the caller's connection."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet

import psycopg
from psycopg.pq import TransactionStatus
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout, TooManyRequests

from mink_core.errors import UsageError
from mink_core.forks import FORKS
from mink_postgres.backends.forked import cut_off, keep, quiet, refuse
from mink_postgres.backends.leases import KEPT
from mink_postgres.backends.pooler import RECONNECT_SECONDS, begin, patient, psycopg_options
from mink_postgres.backends.savepoints import FIRST, SAVEPOINT
from mink_postgres.backends.thread_leases import ThreadLeases
from mink_postgres.drivers import psycopg_sync
from mink_postgres.drivers.psycopg_errors import pool_error, translated
from mink_postgres.drivers.psycopg_pools import NAME, pool_figures
from mink_postgres.query import Query
from mink_postgres.reaching import libpq_options

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextlib import AbstractContextManager

    from mink_postgres.backends.thread_leases import Held
    from mink_postgres.options import PostgresOptions
    from mink_postgres.query import Rows
    from mink_postgres.source import Source

Connection = psycopg.Connection[Any]
T = TypeVar("T")


def _is_clean(connection: Connection) -> bool:
    return connection.pgconn.transaction_status == TransactionStatus.IDLE


class PsycopgBackend:
    """Lends connections that commit each statement by itself."""

    commits_by_itself = staticmethod(psycopg_sync.commits_by_itself)

    def __init__(self, source: Source | None, pool: ConnectionPool[Any] | None, options: PostgresOptions) -> None:
        """Open nothing yet. With `pool` given, it is only borrowed from (LIFE-03)."""
        self._source = source
        self.conninfo: str | None = None
        """Where to connect, once it is open."""
        self._pool = pool
        self._owned = pool is None
        self._options = options
        # Of a pool that is not ours, and whose connections do not commit by themselves.
        self._borrowed: set[Connection] = set()
        self._connections: WeakSet[Connection] = WeakSet()
        self._leases = ThreadLeases(self._take, self._give, _is_clean, kept=KEPT if self._owned else 0)
        # Lends connections that commit each statement by itself; see there how to use one.
        self.lend, self.acquire, self.release = self._leases.lend, self._leases.acquire, self._leases.release
        self.on_connect: Callable[[], None] = lambda: None
        """Called for each connection that a pool of the store's own has opened, before it is used."""
        self.fetch: Callable[[Connection, Query], Rows] = (
            self._fetch_patiently if options.transaction_pooler else psycopg_sync.fetch
        )

    def _fetch_patiently(self, connection: Connection, query: Query) -> Rows:
        return psycopg_sync.fetch(connection, patient(query, self._options))

    @contextmanager
    def transaction(self, connection: Connection, commit: Query) -> Generator[None]:
        """BEGIN, then COMMIT, or ROLLBACK when the block raises."""
        with transaction(connection, commit, ours=True):
            if first := begin(self._options, commit):
                psycopg_sync.fetch(connection, Query(first))
            yield

    def open(self) -> None:
        """Reach the server, then open the pool.

        Raises:
            StorageError: The server cannot be reached; says why.
        """
        if not self._owned or self._source is None:
            return
        conninfo = self.conninfo = self._source.open()
        try:
            # A pool only says that it timed out; one connection of our own says why.
            psycopg_sync.connect(conninfo, **psycopg_options(self._options)).close()
        except BaseException:
            self._source.close()
            raise
        options = self._options
        self._pool = ConnectionPool(
            conninfo,
            connection_class=psycopg_sync.PooledConnection,
            kwargs={"autocommit": True, **libpq_options(conninfo), **psycopg_options(options)},
            min_size=options.min_size,
            max_size=options.max_size,
            timeout=options.pool_timeout,
            reconnect_timeout=RECONNECT_SECONDS,
            reconnect_failed=_try_again,
            configure=self._configure,
            open=True,
            name=NAME,
        )

    def _configure(self, connection: Connection) -> None:
        self._connections.add(connection)
        self.on_connect()
        if not self._options.transaction_pooler:
            connection.execute(psycopg_sync.SETTINGS, (self._options.lock_timeout_ms,))

    def _take(self, timeout: float | None) -> Connection:
        pool: Any = self._pool
        assert pool is not None  # noqa: S101 -- the store opens before it runs anything
        try:
            connection: Connection = pool.getconn(self._options.pool_timeout if timeout is None else timeout)
        except (PoolClosed, PoolTimeout, TooManyRequests, psycopg.Error) as error:
            raise pool_error(error) from error
        if not self._owned and not connection.autocommit:
            try:
                connection.autocommit = True
            except psycopg.Error as error:
                pool.putconn(connection)
                raise pool_error(error) from error
            self._borrowed.add(connection)
        return connection

    def _give(self, connection: Connection) -> None:
        if connection in self._borrowed:
            self._borrowed.discard(connection)
            if not connection.closed:
                with suppress(psycopg.Error):
                    connection.autocommit = False
        pool: Any = self._pool
        pool.putconn(connection)

    @property
    def is_shared(self) -> bool:
        """Whether a process that is forked now has connections of the caller's in common with this one."""
        return not self._owned and self._pool is not None and not self._pool.closed

    def leave_to_parent(self) -> None:
        """Refuse all use, as this process was forked from the one whose connections these are."""
        self.lend = self.acquire = self.fetch = refuse
        self.release = keep
        if self._owned and self._pool is not None:
            quiet(self._pool)
            cut_off(self._connections)

    def pool_status(self) -> dict[str, int]:
        """Connections by state, and calls that wait for one."""
        if self._pool is None:
            return {}
        found, kept = pool_figures(self._pool.get_stats()), len(self._leases.idle)
        return {**found, "used": found["used"] - kept, "idle": found["idle"] + kept}

    def close(self) -> None:
        """Close the pool if it is ours, then let go of the server."""
        try:
            self._leases.end()
        finally:
            try:
                if self._owned and self._pool is not None:
                    self._pool.close()
            finally:
                if self._source is not None:
                    self._source.close()


class BoundBackend:
    """The caller's connection: never committed, rolled back or closed here (TX-02)."""

    conninfo = None
    is_shared = True
    commits_by_itself = staticmethod(psycopg_sync.commits_by_itself)

    def __init__(self, connection: Connection) -> None:
        """Keep it."""
        self._connection = connection
        self.fetch: Callable[[Connection, Query], Rows] = psycopg_sync.fetch
        self.on_connect: Callable[[], None] = lambda: None

    @staticmethod
    def transaction(connection: Connection, commit: Query) -> AbstractContextManager[None]:
        """A savepoint in the caller's transaction; one of its own only where each statement commits by itself."""
        if psycopg_sync.commits_by_itself(connection):
            return transaction(connection, commit)
        if _is_clean(connection):  # a block that begins the transaction would commit it, too
            psycopg_sync.fetch(connection, FIRST)
        return transaction(connection, SAVEPOINT)

    def open(self) -> None:
        """Nothing to open."""

    def leave_to_parent(self) -> None:
        """See `PsycopgBackend.leave_to_parent`; the connection stays the caller's here, too."""
        self.fetch = refuse

    def lend(self, work: Callable[[Connection], T]) -> T:
        """What work makes of the connection."""
        return work(self._connection)

    def acquire(self, held: Held) -> Connection:
        """The connection, as it is; it stays the caller's, and so `held` stays empty."""
        del held
        return self._connection

    def release(self, held: Held) -> None:
        """Nothing is held."""

    def pool_status(self) -> dict[str, int]:
        """There is no pool."""
        return {}

    def close(self) -> None:
        """Nothing of ours to close."""


def _try_again(pool: ConnectionPool[Any]) -> None:
    """Begin another attempt, for as long as there is no connection: a standby may be promoted at any moment."""
    with suppress(PoolClosed):
        pool.check()


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
def transaction(connection: Connection, commit: Query, *, ours: bool = False) -> Generator[None]:
    """BEGIN (a savepoint inside the caller's transaction), then COMMIT, or ROLLBACK when the block raises.

    `commit` tells what a reply lost at COMMIT means; errors of the block pass through as they are. A connection that is
    `ours` is closed where Ctrl-C came while psycopg took note of the transaction: it would refuse all later ones.
    In a process that was forked in the block, the transaction is the parent's to end.
    """
    noting, forks = True, FORKS.count
    try:
        block = connection.transaction()
        try:
            block.__enter__()
        except psycopg.Error as error:
            raise translated(error, None, lost=connection.broken) from error
        noting = False
        try:
            yield
        except BaseException as error:
            noting = True
            if forks != FORKS.count:
                cut_off([connection])
            # A connection that is gone has rolled back by itself.
            with suppress(psycopg.Error):
                block.__exit__(type(error), error, error.__traceback__)
            noting = False
            raise
        noting = True
        try:
            block.__exit__(None, None, None)
        except psycopg.Error as error:
            raise translated(error, commit, lost=connection.broken) from error
    except Exception:
        raise
    except BaseException:
        if noting and ours:
            connection.close()
        raise
