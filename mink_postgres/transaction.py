"""Transactions: programs on one connection between BEGIN and COMMIT, sync and async."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from msgspec.structs import replace

from mink_core.errors import StorageError, StoreClosedError, UsageError
from mink_core.forks import FORKS
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
        if self._forks != FORKS.count:
            raise UsageError(INHERITED)
        if self._ended:
            msg = "the transaction has ended; nothing was stored by this call: open another one"
            raise StoreClosedError(msg)
        if self._failed is not None:
            msg = f"the transaction was ended by an earlier error, and nothing of it is stored: {self._failed}"
            raise StorageError(msg, sqlstate=self._failed.sqlstate) from self._failed
        if self._is_over():
            raise StorageError(_OVER)

    def _is_over(self) -> bool:
        """Whether the caller has ended the transaction on the connection: what comes next would be stored by itself."""
        return self._lent and self._commits_by_itself(self._connection)

    def finish(self) -> bool:
        """Before COMMIT: refuse if it failed, as PostgreSQL answers such a COMMIT with a quiet ROLLBACK.

        Returns:
            Whether the server must be asked as well: the caller had the connection, or a call was interrupted.
        """
        self._check_open()
        return self._lent or self._doubtful

    def end(self) -> None:
        """Refuse further use."""
        self._ended = True

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

    def _run(self, program: Program[T]) -> T:
        self._check_open()
        try:
            return run(program, lambda query: self._fetch(self._inside(query)))
        except StorageError as error:
            self._failed = error
            raise
        except BaseException:  # interrupted, or another error of the server's: only the server knows if it can go on
            self._doubtful = True
            raise


class AsyncPostgresTransaction(_State, AsyncLog, AsyncPostgresSubStores):
    """See `mink_core.AsyncTransaction`."""

    def __init__(self, context: Context, connection: Any, driver: Driver[Awaitable[Rows]]) -> None:
        """Use a connection on which BEGIN was sent."""
        super().__init__(context, connection, driver)
        self._fetch = partial(driver.fetch, connection)

    async def _run(self, program: Program[T]) -> T:
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
