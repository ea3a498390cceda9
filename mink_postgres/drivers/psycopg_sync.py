"""psycopg, sync."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

from mink_postgres.conninfo import check_conninfo
from mink_postgres.drivers.psycopg_errors import has_rows, refuse_pipeline, translated, unwritable
from mink_postgres.drivers.psycopg_prepared import Preparing
from mink_postgres.reaching import libpq_options
from mink_postgres.sqlstate import READ_ONLY

if TYPE_CHECKING:
    from typing import LiteralString

    from mink_postgres.query import Query, Rows


SETTINGS = "SELECT set_config('lock_timeout', %s, false), set_config('TimeZone', 'UTC', false)"
"""Of a connection of the store's own pool. In any other time zone psycopg gives timestamps that must be converted."""


def fetch(connection: psycopg.Connection[Any], query: Query) -> Rows:
    """Run one query on a connection of anybody's making, and return its rows.

    Raises:
        UsageError: The connection is in a pipeline of the caller's, or of an encoding that cannot write the arguments.
        MinkError: The driver's error, translated.
    """
    refuse_pipeline(connection)
    try:
        if isinstance(connection, PooledConnection) and (rows := _prepared(connection, query)) is not None:
            return rows
        sql: LiteralString = query.sql  # pyright: ignore[reportAssignmentType] -- from our files
        cursor = _cursor(connection)
        if query.is_script:
            cursor.execute(sql)
            return ()
        cursor.execute(sql, query.args)
        found: Rows = cursor.fetchall() if has_rows(cursor.pgresult) else ()
    except psycopg.Error as error:
        lost = connection.broken
        if error.sqlstate == READ_ONLY and isinstance(connection, PooledConnection):
            connection.close()
        raise translated(error, query, lost=lost) from error
    except UnicodeEncodeError as error:
        raise unwritable(connection, error) from None
    if isinstance(connection, PooledConnection):
        connection.raw_cursor = cursor  # for the next
    return found


def commits_by_itself(connection: psycopg.Connection[Any] | psycopg.AsyncConnection[Any]) -> bool:
    """Whether a statement sent now commits with itself: no transaction is open, and none is begun for it."""
    return connection.autocommit and connection.pgconn.transaction_status == TransactionStatus.IDLE


class PooledConnection(Preparing, psycopg.Connection[Any]):
    """A connection of the store's own pool. Keeps one cursor: making one costs a third of what using it costs."""

    raw_cursor: psycopg.RawCursor[Any] | None = None


def _prepared(connection: PooledConnection, query: Query) -> Rows | None:
    """The rows of a prepared statement; None where a cursor has to run it."""
    with connection.lock:  # as a cursor does: a transaction may have several callers, and its connection others
        asked = connection.asked(query)
        return None if asked is None else connection.wait(asked)


def _cursor(connection: psycopg.Connection[Any]) -> psycopg.RawCursor[Any]:
    # Raw: PostgreSQL's own $1, the same text that asyncpg takes. The one that is kept is taken out in one step: of several
    # threads in a transaction each must find its own rows.
    kept: psycopg.RawCursor[Any] | None = None
    if isinstance(connection, PooledConnection):
        kept = vars(connection).pop("raw_cursor", None)
    return psycopg.RawCursor(connection, row_factory=tuple_row) if kept is None else kept


def connect(conninfo: str, **options: Any) -> psycopg.Connection[Any]:
    """Open one connection.

    Args:
        conninfo: Where to.
        options: The driver's own, such as whether it prepares statements.

    Raises:
        UsageError: The connection string cannot be read.
        StorageError: It cannot be opened; says why, without the password.
    """
    check_conninfo(conninfo)
    try:
        return psycopg.Connection.connect(conninfo, autocommit=True, **(libpq_options(conninfo) | options))
    except psycopg.Error as error:
        raise translated(error, None, lost=error.sqlstate is None) from error
