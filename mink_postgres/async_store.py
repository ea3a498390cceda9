"""The PostgreSQL event store for asyncio, by psycopg or asyncpg."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar

from mink_core.capability import Capability
from mink_core.errors import CapabilityNotSupportedError, StorageError, StoreClosedError, UsageError
from mink_core.forks import INHERITED, watch
from mink_core.prepare import prepare_append
from mink_core.prepare_substores.outbox import with_messages
from mink_core.runtime.updating import AsyncUpdating
from mink_postgres.async_ahead import pages_ahead
from mink_postgres.async_log import AsyncLog
from mink_postgres.backends.choose import check_given, choose_backend
from mink_postgres.capabilities import ADAPTER, capabilities_of
from mink_postgres.following import AsyncFollowing
from mink_postgres.grouping.async_runner import AsyncGrouping
from mink_postgres.options import PostgresOptions
from mink_postgres.programs import appending, json_columns, schema
from mink_postgres.query import Program, Query, ask, run_async
from mink_postgres.substores import AsyncPostgresSubStores
from mink_postgres.substores.privacy import AsyncPostgresPrivacy
from mink_postgres.transaction import (
    COMMIT,
    PROBE,
    READ_ONLY,
    AsyncBoundPostgresTransaction,
    AsyncPostgresTransaction,
)
from mink_postgres.wakeups import Wakeups

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterable
    from types import TracebackType

    from mink_core.events import AppendResult, NewEvent
    from mink_core.expected import Expected
    from mink_core.finding import Finding
    from mink_core.outbox import OutboxMessage
    from mink_postgres.programs.reading import Reader
    from mink_postgres.source import Source

T = TypeVar("T")


class AsyncPostgresEventStore(AsyncFollowing, AsyncLog, AsyncUpdating, AsyncPostgresSubStores):
    """See `mink_core.AsyncEventStore` and `mink_core.AsyncSubscriber`. For the tasks of one event loop.

    Example:
        ```python
        async with AsyncPostgresEventStore("postgresql://localhost/app", driver="asyncpg") as store:
            await store.append("order-1", [NewEvent("OrderPlaced", {})], expected_version=ExpectedVersion.ANY)
        ```
    """

    adapter_name = ADAPTER

    def __init__(
        self,
        conninfo: str | Source | None = None,
        *,
        driver: str | None = None,
        pool: Any = None,
        connection: Any = None,
        **options: Any,
    ) -> None:
        """Take where to connect; nothing is opened yet.

        Args:
            conninfo: A libpq URL: the store opens a pool of its own.
            driver: `psycopg` (also without one) or `asyncpg`, for `conninfo`.
            pool: The caller's `psycopg_pool.AsyncConnectionPool` or `asyncpg.Pool`, never closed here.
            connection: The caller's connection of either driver: the store works in the caller's
                transaction and never commits, rolls back or closes it (TX-02).
            options: The fields of `PostgresOptions`.

        Raises:
            UsageError: Not exactly one of the three was given, or an option is wrong.
        """
        super().__init__()
        self._options = PostgresOptions.of(options)
        check_given(conninfo, pool, connection, self._options)
        self._context = self._options.context()
        self._backend = choose_backend(conninfo, driver, pool, connection, self._options)
        self._backend.on_connect = self._context.settled.forget
        self._bound = connection is not None
        known = self._options.max_size if pool is None else 0
        grouped = self._options.group_commits and not self._bound
        self._grouping = AsyncGrouping(self._context, self._backend, known) if grouped else None
        self._opening: asyncio.Lock | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wakeups = Wakeups(self._options.schema, self._session_url) if self._options.wakeups else None
        self._opened = self._checked = self._closed = self._left = self._inherited = False
        watch(self._is_forked)

    @property
    def capabilities(self) -> frozenset[Capability]:
        """See `mink_core.EventStore.capabilities`."""
        return capabilities_of(self._options)

    async def initialize(self) -> None:
        """See `PostgresEventStore.initialize`."""
        await self._open()
        async with self._transaction(Query("COMMIT", retry_is_safe=True)) as connection:
            await run_async(schema.migrate(self._context), partial(self._backend.fetch, connection))
        await self._run_now(json_columns.see_json(self._context))
        self._checked = True

    async def append(
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
            result = await self._run(appending.append(self._context, item))
        else:
            if self._closed or not self._checked or self._loop is not asyncio.get_running_loop():
                await self._prepare()
            result = await self._grouping.append(item)
        self._appended()
        return result

    async def ping(self) -> None:
        """See `mink_core.EventStore.ping`."""
        await self._open()
        await self._run_now(ask(PROBE))

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[AsyncPostgresTransaction]:
        """See `PostgresEventStore.transaction`."""
        await self._prepare()
        async with self._transaction(COMMIT) as connection:
            transaction = AsyncPostgresTransaction(self._context, connection, self._backend)
            try:
                yield transaction
            finally:
                await transaction.end()
            if transaction.finish():
                await self._backend.fetch(connection, PROBE)
        if transaction.has_appended:
            self._appended()

    def _session_url(self) -> str | None:
        return self._options.direct_url or self._backend.conninfo

    @property
    def privacy(self) -> AsyncPostgresPrivacy:
        """Operations that take away what was stored; only on a store opened with `privacy=True`."""
        if not self._options.privacy:
            raise CapabilityNotSupportedError(ADAPTER, Capability.PRIVACY, "open the store with privacy=True")
        return AsyncPostgresPrivacy(self._context, self._run)

    def bind(self, connection: Any) -> AsyncPostgresTransaction:
        """See `mink_core.EventStore.bind`. Takes a `psycopg.AsyncConnection` or an asyncpg connection."""
        self._check_open()
        if connection is None:
            msg = "bind takes a psycopg.AsyncConnection or an asyncpg connection, not None"
            raise UsageError(msg)
        backend = choose_backend(None, None, None, connection, self._options)
        return AsyncBoundPostgresTransaction(self._context, connection, backend)

    @asynccontextmanager
    async def _transaction(self, commit: Query) -> AsyncGenerator[Any]:
        connection = await self._backend.acquire()
        clean = False
        try:
            async with self._backend.transaction(connection, commit):
                yield connection
            clean = True
        finally:
            await self._backend.release(connection, clean=clean)

    def pool_status(self) -> dict[str, int]:
        """See `PostgresEventStore.pool_status`; asyncpg does not tell who waits."""
        return self._backend.pool_status()

    async def check(self) -> list[Finding]:
        """See `PostgresEventStore.check`."""
        return await self._run(schema.check(self._context))

    async def close(self) -> None:
        """See `mink_core.EventStore.close`."""
        self._closed = True
        if self._left or self._inherited:  # else a second call does what an interrupted one has left
            return
        # Whatever interrupts one of them, the others are closed as well.
        async with AsyncExitStack() as closing:
            closing.push_async_callback(self._close_backend)
            if self._wakeups is not None:
                closing.push_async_callback(asyncio.to_thread, self._wakeups.close)
            if self._grouping is not None:
                closing.push_async_callback(self._grouping.close)
            for subscription in list(self._followers):
                closing.callback(subscription.stop)
        self._left = True

    async def _close_backend(self) -> None:
        if self._opening is None:
            await self._backend.close()
            return
        async with self._opening:  # what is being opened is closed once it is there
            await self._backend.close()

    async def __aenter__(self) -> Self:
        """Open the pool."""
        await self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        await self.close()

    def _check_open(self) -> None:
        if self._closed:
            msg = "the store is closed; nothing was done: open another one"
            raise StoreClosedError(msg)
        if self._inherited:
            raise UsageError(INHERITED)

    def _is_forked(self) -> None:
        """See `PostgresEventStore`."""
        if self._loop is not None or self._backend.is_shared:
            self._inherited, self._checked = True, False  # so that every call comes to `_check_open`
            self._backend.leave_to_parent()

    async def _open(self) -> None:
        self._check_open()
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
            self._opening = asyncio.Lock()
        elif self._loop is not loop:
            msg = (
                "the store was opened in another event loop, whose connections cannot be used in this one; "
                "nothing was done: open a store in each loop"
            )
            raise UsageError(msg)
        if not self._opened and self._opening is not None:
            async with self._opening:
                self._check_open()  # a close that came first has nothing left to close
                if not self._opened:
                    await self._backend.open()
                    self._opened = True
                if self._closed:  # and whoever closes it was perhaps interrupted while it waited here
                    await self._backend.close()
                    self._check_open()

    def _pages(self, reader: Reader[T]) -> AsyncIterator[T]:
        # A connection of the caller's serves one statement at a time, and the next may be the caller's.
        return super()._pages(reader) if self._bound else pages_ahead(reader, self._run, self._run_whole)

    async def _prepare(self) -> None:
        """Open on first use, and refuse a schema that this code does not know."""
        await self._open()
        if not self._checked:
            await self._run_now(schema.check_version(self._context))
            self._checked = True

    async def _run(self, program: Program[T]) -> T:
        if self._closed or not self._checked or self._loop is not asyncio.get_running_loop():
            await self._prepare()
        return await self._run_now(program)

    async def _run_now(self, program: Program[T]) -> T:
        try:
            connection = await self._backend.acquire()
            clean = False
            try:
                result = await run_async(program, partial(self._backend.fetch, connection))
                clean = True
                return result
            finally:
                await self._backend.release(connection, clean=clean)
        except StorageError:
            # The server that answers next may have another history.
            self._context.settled.forget()
            raise

    async def _run_whole(self, program: Program[T]) -> T:
        # On a connection of our own, all statements go to one server anyway.
        if not self._options.transaction_pooler or self._bound:
            return await self._run(program)
        await self._prepare()
        try:
            async with self._transaction(READ_ONLY) as connection:
                return await run_async(program, partial(self._backend.fetch, connection))
        except StorageError:
            self._context.settled.forget()
            raise
