"""A redaction or purge whose snapshot is older than what others keep of the event would leave that, and is refused (PRIV-05)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import asyncpg
import psycopg
import pytest

from mink_core import ExpectedVersion, NewEvent, UsageError
from mink_postgres import AsyncPostgresEventStore, PostgresEventStore

if TYPE_CHECKING:
    from collections.abc import Iterator

OLD = pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])


@pytest.fixture
def private(postgres_url: str, schema: str) -> Iterator[PostgresEventStore]:
    with PostgresEventStore(postgres_url, schema=schema, privacy=True, min_size=1) as store:
        store.initialize()
        store.append("a-1", [NewEvent("Made", {"name": "Ada"})], expected_version=0)
        yield store


def is_whole(store: PostgresEventStore) -> bool:
    """Whether nothing was erased."""
    [event] = store.read_stream("a-1")
    return event.data == {"name": "Ada"} and store.snapshots.load("a-1") is not None and not store.privacy.audit()


@OLD
def test_in_a_transaction_of_a_thread_s(
    private: PostgresEventStore, postgres_url: str, schema: str, level: str
) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        bound = PostgresEventStore(connection=connection, schema=schema, privacy=True)
        connection.execute(f"BEGIN ISOLATION LEVEL {level}")
        list(bound.read_stream("a-1"))
        private.snapshots.save("a-1", 1, {"name": "Ada"})  # after the transaction's snapshot was taken
        for refused in (
            lambda: bound.privacy.purge("a-1", by="me"),
            lambda: bound.privacy.redact("a-1", 1, by="me"),
            lambda: bound.privacy.purge("no-1", by="me"),
        ):
            with pytest.raises(UsageError, match=r"nothing was done.*READ COMMITTED"):
                refused()
        bound.append("b-1", [NewEvent("Made", {})], expected_version=ExpectedVersion.ANY)  # it goes on (TX-03)
        connection.execute("COMMIT")
        assert is_whole(private)
        assert private.stream_info("b-1").version == 1

        connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
        list(bound.read_stream("a-1"))
        private.snapshots.save("a-1", 2, {"name": "Ada"})
        bound.privacy.purge("a-1", by="me")
        connection.execute("COMMIT")
    assert not list(private.read_stream("a-1"))
    assert private.snapshots.load("a-1") is None


@OLD
@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
def test_in_a_transaction_of_a_task_s(
    private: PostgresEventStore, postgres_url: str, schema: str, level: str, driver: str
) -> None:
    async def main() -> None:
        connection: Any
        if driver == "asyncpg":
            connection = await asyncpg.connect(postgres_url)
        else:
            connection = await psycopg.AsyncConnection.connect(postgres_url, autocommit=True)
        bound = AsyncPostgresEventStore(connection=connection, schema=schema, privacy=True)
        await connection.execute(f"BEGIN ISOLATION LEVEL {level}")
        assert [event async for event in bound.read_stream("a-1")]
        await asyncio.to_thread(private.snapshots.save, "a-1", 1, {"name": "Ada"})
        with pytest.raises(UsageError, match="READ COMMITTED"):
            await bound.privacy.purge("a-1", by="me")
        with pytest.raises(UsageError, match="READ COMMITTED"):
            await bound.privacy.redact("a-1", 1, by="me")
        await connection.execute("COMMIT")
        await connection.close()

    asyncio.run(main())
    assert is_whole(private)


def test_in_a_session_whose_default_it_is(private: PostgresEventStore, postgres_url: str, schema: str) -> None:
    private.snapshots.save("a-1", 1, {"name": "Ada"})
    sign = "&" if "?" in postgres_url else "?"
    options = "options=-c%20default_transaction_isolation%3Dserializable"
    store = PostgresEventStore(f"{postgres_url}{sign}{options}", schema=schema, privacy=True)
    with store, pytest.raises(UsageError, match="READ COMMITTED"):
        store.privacy.purge("a-1", by="me")
    assert is_whole(private)
