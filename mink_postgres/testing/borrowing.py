"""Lends a store a pool of the caller's own, which it must not close."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg import Error
from psycopg_pool import AsyncConnectionPool, ConnectionPool, PoolClosed

from mink_postgres.async_store import AsyncPostgresEventStore
from mink_postgres.backends.pooler import asyncpg_options, psycopg_options
from mink_postgres.store import PostgresEventStore
from mink_postgres.testing.place import place_of

if TYPE_CHECKING:
    from mink_core.testing import AsyncBorrowing, Borrowing
    from mink_postgres.testing.place import Place

_SIZE = 2


class _Borrowing:
    """See `mink_core.testing.Borrowing`."""

    def __init__(self, place: Place, kind: type[Any]) -> None:
        self._kind = kind
        self._options = place.options.as_keywords()
        self._pool: ConnectionPool[Any] = ConnectionPool(
            place.conninfo, kwargs=psycopg_options(place.options), min_size=1, max_size=_SIZE, open=True
        )

    def open(self) -> Any:
        return self._kind(pool=self._pool, **self._options)

    def works(self) -> bool:
        try:
            with self._pool.connection() as connection:
                return bool(connection.execute("SELECT 1").fetchone() == (1,))
        except (PoolClosed, Error):
            return False

    def close(self) -> None:
        self._pool.close()


class _AsyncBorrowing:
    """See `mink_core.testing.AsyncBorrowing`; by psycopg."""

    def __init__(self, place: Place, kind: type[Any]) -> None:
        self._kind = kind
        self._options = place.options.as_keywords()
        self._place = place
        self._pool: AsyncConnectionPool[Any] | None = None

    async def open(self) -> Any:
        self._pool = AsyncConnectionPool(
            self._place.conninfo,
            kwargs=psycopg_options(self._place.options),
            min_size=1,
            max_size=_SIZE,
            open=False,
        )
        await self._pool.open()
        return self._kind(pool=self._pool, **self._options)

    async def works(self) -> bool:
        assert self._pool is not None  # noqa: S101 -- opened first
        try:
            async with self._pool.connection() as connection:
                cursor = await connection.execute("SELECT 1")
                return bool(await cursor.fetchone() == (1,))
        except (PoolClosed, Error):
            return False

    async def close(self) -> None:
        if self._pool is not None:
            await self._pool.close()


class _AsyncpgBorrowing:
    """See `mink_core.testing.AsyncBorrowing`; by asyncpg."""

    def __init__(self, place: Place, kind: type[Any]) -> None:
        self._kind = kind
        self._options = place.options.as_keywords()
        self._place = place
        self._pool: Any = None

    async def open(self) -> Any:
        import asyncpg  # noqa: PLC0415 -- an extra

        self._pool = await asyncpg.create_pool(
            self._place.conninfo, min_size=1, max_size=_SIZE, **asyncpg_options(self._place.options)
        )
        return self._kind(pool=self._pool, **self._options)

    async def works(self) -> bool:
        import asyncpg  # noqa: PLC0415 -- an extra

        try:
            return bool(await self._pool.fetchval("SELECT 1") == 1)
        except asyncpg.InterfaceError:
            return False

    async def close(self) -> None:
        if self._pool is not None:
            await self._pool.close()


def borrowing(store: Any) -> Borrowing | AsyncBorrowing | None:
    """See `mink_core.testing.ConformanceHooks.borrowing`."""
    place = place_of(store)
    if place is None:
        return None
    if isinstance(store, PostgresEventStore):
        return _Borrowing(place, type(store))
    if isinstance(store, AsyncPostgresEventStore):
        return (_AsyncpgBorrowing if place.door == "asyncpg" else _AsyncBorrowing)(place, type(store))
    return None
