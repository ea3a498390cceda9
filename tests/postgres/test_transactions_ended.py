"""A COMMIT or ROLLBACK of the caller's own inside a transaction's block is told, not passed over (TX-01)."""

from __future__ import annotations

import asyncio

import pytest

from mink_core import NewEvent, StorageError
from mink_postgres import AsyncPostgresEventStore, PostgresEventStore

ENDS = pytest.mark.parametrize("end", ["COMMIT", "ROLLBACK"])


def made() -> list[NewEvent]:
    return [NewEvent("Made", {})]


@ENDS
@pytest.mark.parametrize("goes_on", [True, False])
def test_it_is_told(store: PostgresEventStore, end: str, goes_on: bool) -> None:
    with pytest.raises(StorageError, match="ended inside its block"), store.transaction() as tx:
        tx.append("a-1", made(), expected_version=0)
        tx.connection.execute(end)
        if goes_on:
            with pytest.raises(StorageError, match=r"nothing was stored by this call"):
                tx.append("b-1", made(), expected_version=0)
            with pytest.raises(StorageError, match="ended inside its block"):
                tx.checkpoints.save("c", 1, expected=0)
    assert [event.stream_id for event in store.read_all()] == ["a-1"] * (end == "COMMIT")
    assert store.checkpoints.load("c") is None
    with store.transaction() as tx:
        tx.append("a-2", made(), expected_version=0)
        assert tx.connection.execute("SELECT 1").fetchone() == (1,)
    assert [event.stream_id for event in store.read_all()][-1] == "a-2"


@ENDS
@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
def test_it_is_told_to_tasks(postgres_url: str, schema: str, store: PostgresEventStore, driver: str, end: str) -> None:
    async def act() -> None:
        async with AsyncPostgresEventStore(postgres_url, driver=driver, schema=schema) as tasks:
            with pytest.raises(StorageError, match="ended inside its block"):
                async with tasks.transaction() as tx:
                    await tx.append("a-1", made(), expected_version=0)
                    await tx.connection.execute(end)
                    with pytest.raises(StorageError, match="ended inside its block"):
                        await tx.append("b-1", made(), expected_version=0)
            async with tasks.transaction() as tx:
                await tx.append("a-2", made(), expected_version=0)
                await tx.connection.execute("SELECT 1")

    asyncio.run(act())
    assert [event.stream_id for event in store.read_all()] == ["a-1"] * (end == "COMMIT") + ["a-2"]


def test_a_transaction_of_the_callers_connection_is_the_callers_to_end(store: PostgresEventStore) -> None:
    with store.transaction() as outer:
        bound = store.bind(outer.connection)
        bound.append("a-1", made(), expected_version=0)
        outer.connection.execute("SELECT 1")
        bound.append("a-1", made(), expected_version=1)
    assert len(list(store.read_all())) == 2
