"""psycopg, async."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.rows import tuple_row

from mink_postgres.conninfo import check_conninfo
from mink_postgres.drivers.psycopg_errors import has_rows, refuse_pipeline, translated, unwritable
from mink_postgres.drivers.psycopg_prepared import Preparing
from mink_postgres.reaching import libpq_options
from mink_postgres.sqlstate import READ_ONLY

if TYPE_CHECKING:
    from typing import LiteralString

    from mink_postgres.query import Query, Rows


async def fetch(connection: psycopg.AsyncConnection[Any], query: Query) -> Rows:
    """See `psycopg_sync.fetch`."""
    refuse_pipeline(connection)
    try:
        if isinstance(connection, PooledConnection) and (rows := await _prepared(connection, query)) is not None:
            return rows
        sql: LiteralString = query.sql  # pyright: ignore[reportAssignmentType] -- from our files
        cursor = _cursor(connection)
        if query.is_script:
            await cursor.execute(sql)
            return ()
        await cursor.execute(sql, query.args)
        return await cursor.fetchall() if has_rows(cursor.pgresult) else ()
    except psycopg.Error as error:
        lost = connection.broken
        if error.sqlstate == READ_ONLY and isinstance(connection, PooledConnection):
            await connection.close()
        raise translated(error, query, lost=lost) from error
    except UnicodeEncodeError as error:
        raise unwritable(connection, error) from None


class PooledConnection(Preparing, psycopg.AsyncConnection[Any]):
    """See `psycopg_sync.PooledConnection`."""

    raw_cursor: psycopg.AsyncRawCursor[Any] | None = None


async def _prepared(connection: PooledConnection, query: Query) -> Rows | None:
    """See `psycopg_sync`."""
    async with connection.lock:  # as a cursor does: a transaction may have several callers, and its connection others
        asked = connection.asked(query)
        return None if asked is None else await connection.wait(asked)


def _cursor(connection: psycopg.AsyncConnection[Any]) -> psycopg.AsyncRawCursor[Any]:
    if not isinstance(connection, PooledConnection):
        return psycopg.AsyncRawCursor(connection, row_factory=tuple_row)
    if connection.raw_cursor is None:
        connection.raw_cursor = psycopg.AsyncRawCursor(connection, row_factory=tuple_row)
    return connection.raw_cursor


async def connect(conninfo: str, **options: Any) -> psycopg.AsyncConnection[Any]:
    """See `psycopg_sync.connect`."""
    check_conninfo(conninfo)
    try:
        return await psycopg.AsyncConnection.connect(conninfo, autocommit=True, **(libpq_options(conninfo) | options))
    except psycopg.Error as error:
        raise translated(error, None, lost=error.sqlstate is None) from error
