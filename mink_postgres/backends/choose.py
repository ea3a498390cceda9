"""Where a store gets connections from: what the caller gave, and which async backend fits it. asyncpg is imported only when asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mink_core.errors import UsageError
from mink_postgres.source import ServerSource, Source

if TYPE_CHECKING:
    from mink_postgres.backends.async_base import AsyncBackend
    from mink_postgres.options import PostgresOptions


def check_given(conninfo: object, pool: object, connection: object, options: PostgresOptions) -> None:
    """Refuse what is not one place to get connections from.

    Raises:
        UsageError: Not exactly one of the three was given, or the options want another one.
    """
    if sum(given is not None for given in (conninfo, pool, connection)) != 1:
        msg = "give exactly one of conninfo, pool and connection"
        raise UsageError(msg)
    if options.wakeups and conninfo is None:
        msg = "wakeups need connections of their own: give conninfo, not a pool or a connection"
        raise UsageError(msg)


def choose_backend(
    conninfo: str | Source | None, driver: str | None, pool: Any, connection: Any, options: PostgresOptions
) -> AsyncBackend:
    """The backend for a connection string, a pool or a connection.

    Raises:
        UsageError: The driver is unknown.
    """
    given = pool if pool is not None else connection
    name = driver or (type(given).__module__.partition(".")[0] if given is not None else "psycopg")
    source = ServerSource(conninfo) if isinstance(conninfo, str) else conninfo
    if name == "asyncpg":
        from mink_postgres.backends import async_asyncpg  # noqa: PLC0415 -- an extra

        if connection is not None:
            return async_asyncpg.AsyncpgBoundBackend(connection)
        return async_asyncpg.AsyncpgBackend(source, pool, options)
    if name in ("psycopg", "psycopg_pool"):
        from mink_postgres.backends import async_psycopg  # noqa: PLC0415 -- beside the other

        if connection is not None:
            return async_psycopg.AsyncBoundPsycopgBackend(connection)
        return async_psycopg.AsyncPsycopgBackend(source, pool, options)
    msg = f"driver must be 'psycopg' or 'asyncpg', and a pool or connection one of theirs: not {name!r:.60}"
    raise UsageError(msg)
