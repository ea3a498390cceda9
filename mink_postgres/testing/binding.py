"""Binds a store to a connection of the caller's own, inside a transaction that the caller began and ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg

from mink_postgres.async_store import AsyncPostgresEventStore
from mink_postgres.backends.pooler import asyncpg_options, psycopg_options
from mink_postgres.store import PostgresEventStore
from mink_postgres.testing.place import place_of

if TYPE_CHECKING:
    from mink_core.testing import AsyncBinding, Binding
    from mink_postgres.testing.place import Place


class _Binding:
    """See `mink_core.testing.Binding`."""

    def __init__(self, place: Place, kind: type[Any]) -> None:
        self._place = place
        self._kind = kind
        self._connection: psycopg.Connection[Any] | None = None

    def open(self) -> Any:
        self._connection = psycopg.connect(self._place.conninfo, **psycopg_options(self._place.options))
        self._connection.execute("SELECT 1")
        return self._kind(connection=self._connection, **self._place.options.as_keywords())

    def end(self, *, commit: bool) -> None:
        assert self._connection is not None  # noqa: S101 -- opened first
        if self._connection.info.transaction_status is not psycopg.pq.TransactionStatus.INTRANS:
            msg = "the caller's transaction is gone"
            raise psycopg.OperationalError(msg)
        (self._connection.commit if commit else self._connection.rollback)()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


class _AsyncBinding:
    """See `mink_core.testing.AsyncBinding`; by psycopg."""

    def __init__(self, place: Place, kind: type[Any]) -> None:
        self._place = place
        self._kind = kind
        self._connection: psycopg.AsyncConnection[Any] | None = None

    async def open(self) -> Any:
        self._connection = await psycopg.AsyncConnection.connect(
            self._place.conninfo, **psycopg_options(self._place.options)
        )
        await self._connection.execute("SELECT 1")
        return self._kind(connection=self._connection, **self._place.options.as_keywords())

    async def end(self, *, commit: bool) -> None:
        assert self._connection is not None  # noqa: S101 -- opened first
        if self._connection.info.transaction_status is not psycopg.pq.TransactionStatus.INTRANS:
            msg = "the caller's transaction is gone"
            raise psycopg.OperationalError(msg)
        await (self._connection.commit if commit else self._connection.rollback)()

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()


class _AsyncpgBinding:
    """See `mink_core.testing.AsyncBinding`; by asyncpg."""

    def __init__(self, place: Place, kind: type[Any]) -> None:
        self._place = place
        self._kind = kind
        self._connection: Any = None
        self._transaction: Any = None

    async def open(self) -> Any:
        import asyncpg  # noqa: PLC0415 -- an extra

        self._connection = await asyncpg.connect(self._place.conninfo, **asyncpg_options(self._place.options))
        self._transaction = self._connection.transaction()
        await self._transaction.start()
        return self._kind(connection=self._connection, **self._place.options.as_keywords())

    async def end(self, *, commit: bool) -> None:
        await (self._transaction.commit if commit else self._transaction.rollback)()

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()


def binding(store: Any) -> Binding | AsyncBinding | None:
    """See `mink_core.testing.ConformanceHooks.binding`."""
    place = place_of(store)
    if place is None:
        return None
    if isinstance(store, PostgresEventStore):
        return _Binding(place, type(store))
    if isinstance(store, AsyncPostgresEventStore):
        return (_AsyncpgBinding if place.door == "asyncpg" else _AsyncBinding)(place, type(store))
    return None
