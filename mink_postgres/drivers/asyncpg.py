"""asyncpg."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import asyncpg

from mink_core.errors import StoreClosedError, TransientStorageError
from mink_postgres.conninfo import check_conninfo
from mink_postgres.reaching import Reach, reach_of
from mink_postgres.sqlstate import LET_GO, READ_ONLY, translate

if TYPE_CHECKING:
    from mink_core.errors import MinkError
    from mink_postgres.query import Query, Rows

# What asyncpg raises: the server's errors, its own, the socket's, and a time-out's.
ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)

_GIVEN_UP = {READ_ONLY, LET_GO}
_NOT_SENT = "connection is closed", "released back to the pool"
"""In what asyncpg raises where it is asked for something on a connection that it knows to have ended."""


class PlainConnection(asyncpg.Connection):  # type: ignore[misc, unused-ignore]
    """A pooled connection without the reset on release: the store leaves nothing to reset, and it is a round trip."""

    is_of_a_store = True
    """A pool's stand-in for the connection answers this too."""

    def get_reset_query(self) -> str:
        """Nothing."""
        return ""


async def fetch(connection: Any, query: Query) -> Rows:
    """See `psycopg_sync.fetch`."""
    try:
        if query.is_script:
            await connection.execute(query.sql)
            return ()
        rows: Rows = await connection.fetch(query.sql, *query.args)
    except ERRORS as error:
        lost = is_closed(connection)
        # Of a statement that the session has let go of, asyncpg would ask again each time.
        if getattr(error, "sqlstate", None) in _GIVEN_UP and is_of_a_store(connection):
            connection.terminate()
        raise translated(error, query, lost=lost) from error
    return rows


def is_of_a_store(connection: Any) -> bool:
    """Whether a connection was opened for a store's own pool, which makes another where it is gone."""
    return getattr(connection, "is_of_a_store", False)


def is_closed(connection: Any) -> bool:
    """Whether a connection is gone. A pool's one that was lost refuses even the question."""
    try:
        return bool(connection.is_closed())
    except asyncpg.InterfaceError:
        return True


def commits_by_itself(connection: Any) -> bool:
    """See `psycopg_sync.commits_by_itself`."""
    try:
        return not connection.is_in_transaction()
    except asyncpg.InterfaceError:  # given back to its pool: what is sent next fails
        return False


async def connect(conninfo: str, **options: Any) -> Any:
    """See `psycopg_sync.connect`."""
    check_conninfo(conninfo)
    try:
        return await connect_to_any(reach_of(conninfo), **options)
    except ERRORS as error:
        raise translated(error, None, lost=not isinstance(error, asyncpg.PostgresError)) from error


async def connect_to_any(reach: Reach, **options: Any) -> Any:
    """Connect to the first host that lets in and is what the URL wants, each in its time.

    Raises:
        OSError: There is none; says what is wrong with each.
        asyncpg.PostgresError: The only one refuses.
    """
    problems: list[str] = []
    for host in reach.hosts:
        where: dict[str, Any] = {"timeout": reach.timeout}
        if host is not None:
            where |= {"host": host[0], "port": host[1]}
        try:
            connection = await asyncpg.connect(reach.url, **where, **options)
        except ERRORS as error:
            if len(reach.hosts) == 1 and isinstance(error, asyncpg.PostgresError):
                raise
            said = str(error) or f"no answer in {reach.timeout} s"
            problems.append(said if host is None else f"{host[0]}:{host[1]}: {said}")
            continue
        reach.keep_alive(connection)
        return connection
    raise ConnectionError("; ".join(problems))


def translated(error: Exception, query: Query | None, *, lost: bool) -> MinkError:
    """The error to raise for asyncpg's."""
    said = str(error) or type(error).__name__
    if isinstance(error, asyncpg.InterfaceError) and any(part in said for part in _NOT_SENT):
        return TransientStorageError(
            f"the connection to PostgreSQL was lost before the call was sent ({said}); nothing was stored: try again"
        )
    # What the server said before it closed the connection is the cause of asyncpg's own error.
    told = error.__cause__ if isinstance(error, asyncpg.ConnectionDoesNotExistError) else None
    sqlstate = getattr(told, "sqlstate", None) or getattr(error, "sqlstate", None)
    return translate(said, sqlstate, query, lost=lost or isinstance(error, OSError))


def pool_error(error: Exception) -> MinkError:
    """The error to raise when the pool gave no connection."""
    if isinstance(error, asyncpg.InterfaceError) and "clos" in str(error):
        return StoreClosedError("the store's connection pool is closed; nothing was stored")
    if isinstance(error, TimeoutError):
        return TransientStorageError(
            "no connection came free in the pool in time; nothing was stored: try again, "
            "or open the store with a larger max_size"
        )
    return translated(error, None, lost=not isinstance(error, asyncpg.PostgresError))
