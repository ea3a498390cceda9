"""The PostgreSQL event store, sync, by psycopg."""

from __future__ import annotations

import threading
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar

from mink_core.capability import Capability
from mink_core.errors import CapabilityNotSupportedError, StorageError, StoreClosedError, UsageError
from mink_core.forks import INHERITED, watch
from mink_core.prepare import prepare_append
from mink_core.prepare_substores.outbox import with_messages
from mink_core.runtime.apart import apart
from mink_core.runtime.updating import Updating
from mink_postgres.ahead import pages_ahead
from mink_postgres.backends import sync_psycopg
from mink_postgres.backends.choose import check_given
from mink_postgres.capabilities import ADAPTER, capabilities_of
from mink_postgres.drivers import psycopg_sync
from mink_postgres.following import Following
from mink_postgres.grouping.sync_runner import Grouping
from mink_postgres.options import PostgresOptions
from mink_postgres.programs import appending, json_columns, schema
from mink_postgres.query import Program, Query, ask, run
from mink_postgres.source import ServerSource, Source
from mink_postgres.substores import PostgresSubStores
from mink_postgres.substores.privacy import PostgresPrivacy
from mink_postgres.sync_log import SyncLog
from mink_postgres.transaction import COMMIT, PROBE, READ_ONLY, BoundPostgresTransaction, PostgresTransaction
from mink_postgres.wakeups import Wakeups

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator
    from types import TracebackType

    from psycopg_pool import ConnectionPool

    from mink_core.events import AppendResult, NewEvent
    from mink_core.expected import Expected
    from mink_core.finding import Finding
    from mink_core.outbox import OutboxMessage
    from mink_postgres.programs.reading import Reader

T = TypeVar("T")


class PostgresEventStore(Following, SyncLog, Updating, PostgresSubStores):
    """See `mink_core.EventStore` and `mink_core.Subscriber`. Safe to use from several threads.

    Example:
        ```python
        with PostgresEventStore("postgresql://localhost/app") as store:
            store.initialize()
            store.append("order-1", [NewEvent("OrderPlaced", {"total": 12})], expected_version=ExpectedVersion.NO_STREAM)
        ```
    """

    adapter_name = ADAPTER

    def __init__(
        self,
        conninfo: str | Source | None = None,
        *,
        pool: ConnectionPool[Any] | None = None,
        connection: sync_psycopg.Connection | None = None,
        **options: Any,
    ) -> None:
        """Take where to connect; nothing is opened yet.

        Args:
            conninfo: A libpq URL or connection string: the store opens a pool of its own.
            pool: The caller's pool, borrowed from and never closed.
            connection: The caller's connection: the store works in the caller's transaction and
                never commits, rolls back or closes it (TX-02).
            options: The fields of `PostgresOptions`.

        Raises:
            UsageError: Not exactly one of the three was given, or an option is wrong.
        """
        super().__init__()
        self._options = PostgresOptions.of(options)
        check_given(conninfo, pool, connection, self._options)
        self._context = self._options.context()
        if connection is not None:
            self._backend: sync_psycopg.PsycopgBackend | sync_psycopg.BoundBackend = sync_psycopg.BoundBackend(
                connection
            )
        else:
            source = ServerSource(conninfo) if isinstance(conninfo, str) else conninfo
            self._backend = sync_psycopg.PsycopgBackend(source, pool, self._options)
        self._backend.on_connect = self._context.settled.forget
        self._bound = connection is not None
        self._grouping = (
            Grouping(self._context, self._backend, self._options.max_size if pool is None else 0)
            if self._options.group_commits and isinstance(self._backend, sync_psycopg.PsycopgBackend)
            else None
        )
        self._lock = threading.Lock()
        self._wakeups = Wakeups(self._options.schema, self._session_url) if self._options.wakeups else None
        self._leaving = threading.Lock()
        self._opened = self._checked = self._closed = self._left = self._inherited = False
        watch(self._is_forked)

    @property
    def capabilities(self) -> frozenset[Capability]:
        """See `mink_core.EventStore.capabilities`."""
        return capabilities_of(self._options)

    def initialize(self) -> None:
        """Create or upgrade the schema; idempotent, and safe from several processes at once.

        Raises:
            SchemaError: The schema is newer than this code, was changed by hand, or cannot hold the store.
            StorageError: The database cannot be reached, or the role may not do it.
        """
        self._open()
        with self._transaction(Query("COMMIT", retry_is_safe=True)) as connection:
            run(schema.migrate(self._context), partial(self._backend.fetch, connection))
        self._run_now(json_columns.see_json(self._context))
        self._checked = True

    def append(
        self,
        stream_id: str,
        events: Iterable[NewEvent],
        *,
        expected_version: Expected,
        outbox: OutboxMessage | Iterable[OutboxMessage] = (),
    ) -> AppendResult:
        """See `mink_core.EventLog.append`. Concurrent calls may share a commit (`PostgresOptions.group_commits`)."""
        item = with_messages(prepare_append(stream_id, events, expected_version, self._context.transforms), outbox)
        if self._grouping is None:
            result = self._run(appending.append(self._context, item))
        else:
            if self._closed or not self._checked:
                self._prepare()
            result = self._grouping.append(item)
        self._appended()
        return result

    def ping(self) -> None:
        """See `mink_core.EventStore.ping`."""
        self._open()
        self._run_now(ask(PROBE))

    @contextmanager
    def transaction(self) -> Generator[PostgresTransaction]:
        """See `mink_core.EventStore.transaction`. READ COMMITTED, unless the server's default is another."""
        self._prepare()
        with self._transaction(COMMIT) as connection:
            transaction = PostgresTransaction(self._context, connection, self._backend)
            try:
                yield transaction
            finally:
                transaction.end()
            if transaction.finish():
                self._backend.fetch(connection, PROBE)
        if transaction.has_appended:
            self._appended()

    def _session_url(self) -> str | None:
        return self._options.direct_url or self._backend.conninfo

    @property
    def privacy(self) -> PostgresPrivacy:
        """Operations that take away what was stored; only on a store opened with `privacy=True`."""
        if not self._options.privacy:
            raise CapabilityNotSupportedError(ADAPTER, Capability.PRIVACY, "open the store with privacy=True")
        return PostgresPrivacy(self._context, self._run)

    def bind(self, connection: sync_psycopg.Connection) -> PostgresTransaction:
        """See `mink_core.EventStore.bind`. Takes a `psycopg.Connection`."""
        self._check_open()
        return BoundPostgresTransaction(self._context, sync_psycopg.checked(connection), psycopg_sync)

    @contextmanager
    def _transaction(self, commit: Query) -> Generator[sync_psycopg.Connection]:
        backend, held = self._backend, [None]
        try:
            connection = backend.acquire(held)
            with backend.transaction(connection, commit):
                yield connection
        finally:  # see `thread_leases`
            try:
                backend.release(held)
            except BaseException:
                backend.release(held)
                raise

    def pool_status(self) -> dict[str, int]:
        """Connections of the pool by state: `used`, `idle`, and calls that wait for one; empty without a pool."""
        return self._backend.pool_status()

    def check(self) -> list[Finding]:
        """See `mink_core.Store.check`. Reads the whole of both tables."""
        return self._run(schema.check(self._context))

    def close(self) -> None:
        """See `mink_core.EventStore.close`."""
        if self._inherited:  # nothing here is this process's
            self._closed = True
            return
        with self._lock:
            self._closed = True
        if not self._left:  # else a second call does what an interrupted one has left
            apart(self._leave)

    def _leave(self) -> None:
        with self._leaving:  # who comes meanwhile returns when all is closed
            if self._left:
                return
            with self._lock:
                subscriptions = list(self._followers)
            # Whatever fails of these, the others are closed as well.
            with ExitStack() as closing:
                closing.callback(self._backend.close)
                if self._wakeups is not None:
                    closing.callback(self._wakeups.close)
                if self._grouping is not None:
                    closing.callback(self._grouping.close)
                for subscription in subscriptions:
                    closing.callback(subscription.stop)
            self._left = True

    def __enter__(self) -> Self:
        """Open the pool."""
        self._open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def _check_open(self) -> None:
        if self._closed:
            msg = "the store is closed; nothing was done: open another one"
            raise StoreClosedError(msg)
        if self._inherited:
            raise UsageError(INHERITED)

    def _is_forked(self) -> None:
        """In a process that was forked from this one: what was opened is the parent's, also while it was being opened."""
        if self._opened or self._lock.locked() or self._leaving.locked() or self._backend.is_shared:
            self._inherited, self._checked = True, False  # so that every call comes to `_check_open`
            self._backend.leave_to_parent()

    def _open(self) -> None:
        self._check_open()
        if not self._opened:
            with self._lock:
                self._check_open()  # a close that came first has nothing left to close
                if not self._opened:
                    self._backend.open()
                    self._opened = True

    def _pages(self, reader: Reader[T]) -> Iterator[T]:
        # A connection of the caller's serves one statement at a time, and the next may be the caller's.
        backend = self._backend
        if isinstance(backend, sync_psycopg.PsycopgBackend):
            return pages_ahead(reader, self._run, self._run_whole, backend)
        return super()._pages(reader)

    def _prepare(self) -> None:
        """Open on first use, and refuse a schema that this code does not know."""
        self._open()
        if not self._checked:
            self._run_now(schema.check_version(self._context))
            self._checked = True

    def _run(self, program: Program[T]) -> T:
        if self._closed or not self._checked:
            self._prepare()
        return self._run_now(program)

    def _run_now(self, program: Program[T]) -> T:
        fetch = self._backend.fetch
        try:
            return self._backend.lend(lambda connection: run(program, partial(fetch, connection)))
        except StorageError:
            # The server that answers next may have another history.
            self._context.settled.forget()
            raise

    def _run_whole(self, program: Program[T]) -> T:
        # On a connection of our own, all statements go to one server anyway.
        if not self._options.transaction_pooler or self._bound:
            return self._run(program)
        self._prepare()
        try:
            with self._transaction(READ_ONLY) as connection:
                return run(program, partial(self._backend.fetch, connection))
        except StorageError:
            self._context.settled.forget()
            raise
