"""Transactions: programs on one connection between BEGIN and COMMIT, sync and async."""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from msgspec.structs import replace

from mink_core.errors import StorageError, StoreClosedError, UsageError
from mink_core.forks import FORKS
from mink_core.runtime.task_waiting import in_time
from mink_postgres.async_log import AsyncLog
from mink_postgres.capabilities import ADAPTER
from mink_postgres.programs import schema
from mink_postgres.query import Program, Query, run, run_async
from mink_postgres.substores import AsyncPostgresSubStores, PostgresSubStores
from mink_postgres.sync_log import SyncLog

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mink_core.events import AppendResult
    from mink_postgres.context import Context
    from mink_postgres.query import Rows

T = TypeVar("T")
R_co = TypeVar("R_co", covariant=True)

INHERITED = (
    "this process was forked while the transaction was open, which is the parent's; nothing was sent: leave its block, and "
    "open a store in this process"
)

_OVER = (
    "the transaction was ended inside its block, by a COMMIT or ROLLBACK on its connection: what came before is as that left it, "
    "look what is stored; nothing was stored by this call: leave the end to the block"
)

END_SECONDS = 10.0
"""Seconds that the end of a block waits for what other tasks have under way; a rollback has as many."""

# What the caller did on the connection is not known, so a repeated call could do it twice.
COMMIT = Query("COMMIT", retry_is_safe=False)
READ_ONLY = Query("COMMIT")
"""Of a transaction that only reads."""


class Driver(Protocol[R_co]):
    """What a transaction asks of a driver."""

    @property
    def fetch(self) -> Callable[[Any, Query], R_co]:
        """Runs one query on a connection."""
        ...

    @property
    def commits_by_itself(self) -> Callable[[Any], bool]:
        """Whether a statement sent now commits with itself: no transaction is open, and none is begun for it."""
        ...


class _State:
    """Whether a transaction can still be used, the same for both doors."""

    adapter_name = ADAPTER

    def __init__(self, context: Context, connection: Any, driver: Driver[Any]) -> None:
        """Be open."""
        self._context = context.in_transaction()
        self._connection = connection
        self._commits_by_itself = driver.commits_by_itself
        self._lent = self._doubtful = False
        self._forks = FORKS.count
        self.has_appended = False
        self._ended = False
        self._failed: StorageError | None = None

    @property
    def connection(self) -> Any:
        """See `mink_core.Transaction.connection`."""
        self._check_open()
        self._lent = True
        return self._connection

    def wrote(self, result: AppendResult) -> bool:
        """Whether the append was stored by this transaction; False for the repeat of one that was stored before."""
        return self._context.written is not None and result.first_position in self._context.written

    def _appended(self) -> None:
        self.has_appended = True

    def _check_open(self) -> None:
        if self._forks == FORKS.count and self._ended:
            msg = "the transaction has ended; nothing was stored by this call: open another one"
            raise StoreClosedError(msg)
        self._check_sound()

    def _check_sound(self) -> None:
        if self._forks != FORKS.count:
            raise UsageError(INHERITED)
        if self._failed is not None:
            msg = f"the transaction was ended by an earlier error, and nothing of it is stored: {self._failed}"
            raise StorageError(msg, sqlstate=self._failed.sqlstate) from self._failed
        if self._is_over():
            raise StorageError(_OVER)

    def _is_over(self) -> bool:
        """Whether the caller has ended the transaction on the connection: what comes next would be stored by itself."""
        return self._lent and self._commits_by_itself(self._connection)

    def finish(self) -> bool:
        """After `end`, before COMMIT: refuse if it failed, as PostgreSQL answers such a COMMIT with a quiet ROLLBACK.

        Returns:
            Whether the server must be asked as well: the caller had the connection, or a call was interrupted.
        """
        self._check_sound()
        return self._lent or self._doubtful

    def _inside(self, query: Query) -> Query:
        """A statement inside a transaction stores nothing by itself: a lost reply there loses nothing."""
        return query if query.retry_is_safe is None else replace(query, retry_is_safe=None)


PROBE = Query("SELECT 1")
"""Fails in a transaction that has failed."""


class PostgresTransaction(_State, SyncLog, PostgresSubStores):
    """See `mink_core.Transaction`."""

    def __init__(self, context: Context, connection: Any, driver: Driver[Rows]) -> None:
        """Use a connection on which BEGIN was sent."""
        super().__init__(context, connection, driver)
        self._fetch = partial(driver.fetch, connection)
        self._turn = threading.RLock()  # a transform of the store may read by it

    def end(self) -> None:
        """Refuse further use. What another thread has under way is waited for: after the end it would be stored by itself."""
        self._ended = True
        if self._forks == FORKS.count:  # else the turn may be a thread's of the parent's
            with self._turn:
                pass

    def _run(self, program: Program[T]) -> T:
        self._check_open()  # of a process that was forked as well
        with self._turn:
            self._check_open()
            try:
                return run(program, lambda query: self._fetch(self._inside(query)))
            except StorageError as error:
                self._failed = error
                raise
            except BaseException:  # interrupted, or another error of the server's, who alone knows if it can go on
                self._doubtful = True
                raise


class AsyncPostgresTransaction(_State, AsyncLog, AsyncPostgresSubStores):
    """See `mink_core.AsyncTransaction`."""

    def __init__(self, context: Context, connection: Any, driver: Driver[Awaitable[Rows]]) -> None:
        """Use a connection on which BEGIN was sent."""
        super().__init__(context, connection, driver)
        self._fetch = partial(driver.fetch, connection)
        self._turn = asyncio.Lock()

    async def end(self) -> None:
        """Refuse further use; see `PostgresTransaction.end`. A server that says no more is not waited for without end."""
        self._ended = True
        if self._forks == FORKS.count and self._turn.locked():
            await in_time(self._pass_by(), END_SECONDS)

    async def _pass_by(self) -> None:
        async with self._turn:
            pass

    async def _run(self, program: Program[T]) -> T:
        self._check_open()  # as above
        async with self._turn:  # asyncpg refuses a statement beside another task's, which would end the transaction
            self._check_open()
            try:
                return await run_async(program, lambda query: self._fetch(self._inside(query)))
            except StorageError as error:
                self._failed = error
                raise
            except BaseException:  # cancelled, or another error of the server's: only the server knows if it can go on
                self._doubtful = True
                raise


class _Bound(_State):
    """The caller's connection, on which there may be no transaction after all."""

    _checked = False

    def _check_open(self) -> None:
        self._failed = None  # a savepoint may have undone it, or each call commits; else the server refuses
        super()._check_open()

    def _is_over(self) -> bool:
        return False

    def _inside(self, query: Query) -> Query:
        return query if self._commits_by_itself(self._connection) else super()._inside(query)


class BoundPostgresTransaction(_Bound, PostgresTransaction):
    """The caller's transaction: checks the schema's version once, and never ends anything."""

    def _run(self, program: Program[T]) -> T:
        if not self._checked:
            super()._run(schema.check_version(self._context))
            self._checked = True
        return super()._run(program)


class AsyncBoundPostgresTransaction(_Bound, AsyncPostgresTransaction):
    """`BoundPostgresTransaction` for asyncio."""

    async def _run(self, program: Program[T]) -> T:
        if not self._checked:
            await super()._run(schema.check_version(self._context))
            self._checked = True
        return await super()._run(program)
