"""psycopg's errors as ours, for its sync and async connections."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.pq import ExecStatus, PipelineStatus

from mink_core.errors import StorageError, StoreClosedError, TransientStorageError, UsageError
from mink_postgres.sqlstate import NOT_LET_IN, translate

if TYPE_CHECKING:
    from psycopg.pq.abc import PGresult

    from mink_core.errors import MinkError
    from mink_postgres.query import Query


def has_rows(result: PGresult | None) -> bool:
    """Whether a statement gave rows, were it none. A cursor's `description` would build a value a column."""
    return result is not None and result.status == ExecStatus.TUPLES_OK


def refuse_pipeline(connection: psycopg.Connection[Any] | psycopg.AsyncConnection[Any]) -> None:
    """Refuse a call inside a pipeline of the caller's.

    Raises:
        UsageError: It is one: the answer would not be there when the store looks at it.
    """
    if connection.pgconn.pipeline_status != PipelineStatus.OFF:
        msg = (
            "the connection is in a pipeline, where answers come later, and the store needs its own at once; "
            "nothing was sent: call the store before `with connection.pipeline()` or after it"
        )
        raise UsageError(msg)


_NOT_LET_IN = re.compile(
    r'FATAL: +(password authentication failed|(role|database) ".*" does not exist|no pg_hba\.conf entry)'
    "|no password supplied"
)
_TRIED = re.compile(r"host: ('[^']*', port: [^,]*)")


def translated(error: psycopg.Error, query: Query | None, *, lost: bool) -> MinkError:
    """The error to raise for psycopg's."""
    sqlstate = error.sqlstate
    if query is None and sqlstate is None and _is_refused(str(error)):
        sqlstate = NOT_LET_IN
    lost = lost or (isinstance(error, psycopg.OperationalError) and error.sqlstate is None)
    return translate(error.diag.message_primary or str(error), sqlstate, query, lost=lost)


def _is_refused(said: str) -> bool:
    # libpq tells no code of what a connection failed of, only the server's words: in other languages than English it is taken
    # for a server that is gone. Of several hosts another one may let in later; of one host's addresses none will.
    return _NOT_LET_IN.search(said) is not None and len(set(_TRIED.findall(said))) <= 1


def unwritable(
    connection: psycopg.Connection[Any] | psycopg.AsyncConnection[Any], error: UnicodeEncodeError
) -> UsageError:
    """The error to raise where a connection of the caller's speaks an encoding that has not got a character."""
    character = error.object[error.start]
    return UsageError(
        f"the connection's client_encoding cannot write {character!r} (Python's name of it is "
        f"{connection.info.encoding}); nothing was sent: SET client_encoding TO 'UTF8' on the connection, as the store does "
        "on its own"
    )


def pool_error(error: Exception) -> MinkError:
    """The error to raise when the pool gave no connection."""
    if type(error).__name__ == "PoolClosed":
        return StoreClosedError("the store's connection pool is closed; nothing was stored")
    if isinstance(error, psycopg.OperationalError):
        return TransientStorageError(
            f"no connection could be had from the pool ({error}); nothing was stored: try again, "
            "or open the store with a larger max_size"
        )
    return StorageError(f"the connection pool failed ({error}); nothing was stored")
