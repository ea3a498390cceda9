"""Transactions, the caller's own connection, and the caller's own pool (TX-01 to TX-04, LIFE-03)."""

from __future__ import annotations

import asyncio
import random
import threading
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import asyncpg
import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from mink_core import (
    ConcurrencyError,
    DuplicateEventError,
    ExpectedVersion,
    NewEvent,
    SchemaError,
    StorageError,
    StoreClosedError,
    StreamAppend,
    StreamNotFoundError,
    TransientStorageError,
)
from mink_postgres import AsyncPostgresEventStore, PostgresEventStore
from mink_postgres.query import Query

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.postgres.sessions import Session

ANY = ExpectedVersion.ANY


def made(count: int = 1) -> list[NewEvent]:
    return [NewEvent("Made", {"n": n}) for n in range(count)]


def test_appends_and_own_sql_commit_together(store: PostgresEventStore, schema: str) -> None:
    with store.transaction() as tx:
        tx.append("a-1", made(), expected_version=0)
        tx.connection.execute(f'CREATE TABLE "{schema}".balances (x int)')
        tx.connection.execute(f'INSERT INTO "{schema}".balances VALUES (1)')
        tx.append("b-1", made(2), expected_version=0)
    with pytest.raises(ZeroDivisionError), store.transaction() as tx:
        tx.append("c-1", made(), expected_version=0)
        tx.connection.execute(f'INSERT INTO "{schema}".balances VALUES (2)')
        raise ZeroDivisionError
    with store.transaction() as tx:
        assert tx.connection.execute(f'SELECT x FROM "{schema}".balances').fetchall() == [(1,)]
    assert [event.stream_id for event in store.read_all()] == ["a-1", "b-1", "b-1"]


def test_a_refused_append_leaves_it_usable(store: PostgresEventStore) -> None:
    first = made()
    store.append("a-1", first, expected_version=0)
    with store.transaction() as tx:
        tx.append("b-1", made(), expected_version=0)
        with pytest.raises(ConcurrencyError):
            tx.append("a-1", made(), expected_version=7)
        with pytest.raises(DuplicateEventError):
            tx.append("a-1", [*first, *made()], expected_version=0)
        with pytest.raises(ValueError, match="at least one event"):
            tx.append("b-1", [], expected_version=ANY)
        tx.append("b-1", made(), expected_version=1)
        assert [event.version for event in tx.read_stream("b-1")] == [1, 2]
        with pytest.raises(StreamNotFoundError):
            store.stream_info("b-1")
    assert store.stream_info("b-1").version == 2


def test_a_failed_transaction_is_never_reported_as_committed(store: PostgresEventStore, schema: str) -> None:
    """PostgreSQL answers COMMIT of a failed transaction with a quiet ROLLBACK."""
    with pytest.raises(StorageError), store.transaction() as tx:
        tx.append("a-1", made(), expected_version=0)
        with pytest.raises(psycopg.Error):
            tx.connection.execute("SELECT 1 / 0")
    blocker = psycopg.connect(store._backend._source.open())  # type: ignore[union-attr]
    store.append("held-1", made(), expected_version=0)
    blocker.execute(f"SELECT 1 FROM \"{schema}\".streams WHERE stream_id = 'held-1' FOR UPDATE")
    quick = PostgresEventStore(store._backend._source.open(), schema=schema, lock_timeout=0.2, min_size=1)  # type: ignore[union-attr]
    with quick, pytest.raises(StorageError, match="ended by an earlier error"), quick.transaction() as tx:
        tx.append("a-1", made(), expected_version=0)
        with pytest.raises(TransientStorageError, match="lock"):
            tx.append("held-1", made(), expected_version=1)
    blocker.close()
    assert list(store.read_stream("a-1")) == []


def test_waiting_for_a_locked_stream_ends(postgres_url: str, schema: str, store: PostgresEventStore) -> None:
    store.append("a-1", made(), expected_version=0)
    with (
        PostgresEventStore(postgres_url, schema=schema, lock_timeout=0.2, min_size=1) as quick,
        store.transaction() as tx,
    ):
        tx.append("a-1", made(), expected_version=1)
        with pytest.raises(TransientStorageError, match="nothing was stored") as waited:
            quick.append("a-1", made(), expected_version=ANY)
        assert waited.value.sqlstate == "55P03"
        quick.append("b-1", made(), expected_version=ANY)


def test_an_ended_transaction_is_closed(store: PostgresEventStore) -> None:
    with store.transaction() as tx:
        pass
    with pytest.raises(StoreClosedError):
        tx.append("a-1", made(), expected_version=ANY)
    with pytest.raises(StoreClosedError):
        _ = tx.connection


def test_the_callers_connection_stays_the_callers(postgres_url: str, schema: str, store: PostgresEventStore) -> None:
    """TX-02, with a connection as a caller has it: no autocommit, rows as dicts."""
    with psycopg.connect(postgres_url, row_factory=dict_row) as connection:
        bound = PostgresEventStore(connection=connection, schema=schema)
        bound.append("a-1", made(), expected_version=0)
        with bound.transaction() as tx:
            tx.append("a-1", made(), expected_version=1)
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS
        assert list(store.read_stream("a-1")) == []
        bound.close()
        assert not connection.closed
        connection.rollback()
        again = PostgresEventStore(connection=connection, schema=schema)
        again.append("b-1", made(), expected_version=0)
        connection.commit()
    assert [event.stream_id for event in store.read_all()] == ["b-1"]


def test_a_borrowed_pool_is_given_back_as_it_was(postgres_url: str, schema: str, store: PostgresEventStore) -> None:
    with ConnectionPool(postgres_url, min_size=1, max_size=2, open=True) as pool:
        with PostgresEventStore(pool=pool, schema=schema) as borrowing:
            borrowing.append("a-1", made(), expected_version=0)
            with borrowing.transaction() as tx:
                tx.append("a-1", made(), expected_version=1)
            with pytest.raises(ConcurrencyError):
                borrowing.append("a-1", made(), expected_version=1)
        with pool.connection() as connection:
            assert not connection.autocommit
        assert pool.get_stats()["requests_num"] > 0
    assert store.stream_info("a-1").version == 2


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
def test_async_callers_keep_their_connection_and_pool(
    postgres_url: str, schema: str, store: PostgresEventStore, driver: str
) -> None:
    async def with_connection() -> None:
        connection: Any
        if driver == "psycopg":
            connection = await psycopg.AsyncConnection.connect(postgres_url, row_factory=dict_row)
            begin, rollback = connection.execute("SELECT 1"), connection.rollback
        else:
            connection = await asyncpg.connect(postgres_url)
            block = connection.transaction()
            begin, rollback = block.start(), block.rollback
        await begin
        bound = AsyncPostgresEventStore(connection=connection, schema=schema)
        await bound.append("a-1", made(), expected_version=0)
        async with bound.transaction() as tx:
            await tx.append("a-1", made(), expected_version=1)
        await bound.close()
        await rollback()
        await connection.close()

    async def with_pool() -> None:
        pool: Any
        if driver == "psycopg":
            pool = AsyncConnectionPool(postgres_url, min_size=1, open=False)
            await pool.open()
        else:
            pool = await asyncpg.create_pool(postgres_url, min_size=1)
        async with AsyncPostgresEventStore(pool=pool, schema=schema) as borrowing:
            await borrowing.append("b-1", made(), expected_version=0)
            with pytest.raises(RuntimeError, match="undone"):
                async with borrowing.transaction() as tx:
                    await tx.append("b-1", made(), expected_version=1)
                    raise RuntimeError("undone")
        if driver == "psycopg":
            async with pool.connection() as connection:
                assert not connection.autocommit
        else:
            assert await pool.fetchval("SELECT 1") == 1
        await pool.close()

    asyncio.run(with_connection())
    asyncio.run(with_pool())
    assert [event.stream_id for event in store.read_all()] == ["b-1"]


def test_batches_never_deadlock(postgres_url: str, schema: str, store: PostgresEventStore) -> None:
    """Existing and new streams in every order: locks are taken in code point order (APPEND-11)."""
    errors: list[BaseException] = []

    def work(seed: int) -> None:
        rng = random.Random(seed)
        try:
            for number in range(60):
                names = rng.sample([f"{letter}-{number // 3}" for letter in "aBcÄé🎈zZ"], 5)
                store.append_batch([StreamAppend(name, made(), ANY) for name in names])
        except BaseException as error:  # noqa: BLE001 -- told below
            errors.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with psycopg.connect(postgres_url) as connection:
        deadlocks = connection.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        assert deadlocks.fetchone() == (0,)
    assert store.head_position() == 12 * 60 * 5


def test_a_refused_batch_leaves_no_trace(store: PostgresEventStore, session: Callable[..., Session]) -> None:
    with pytest.raises(ConcurrencyError) as refused:
        store.append_batch([StreamAppend("new-1", made(), ANY), StreamAppend("old-1", made(), 3)])
    assert (refused.value.stream_id, refused.value.actual) == ("old-1", 0)
    assert session().value("SELECT count(*) FROM {schema}.streams") == 0


def test_what_an_interrupted_call_has_undone_is_not_told_as_committed(
    postgres_url: str, schema: str, store: PostgresEventStore
) -> None:
    """The caller catches the interruption and goes on, but PostgreSQL has given the transaction up."""
    store.append("held-1", made(), expected_version=0)
    fetch: Any = None

    def interrupted(connection: Any, query: Any) -> Any:
        with suppress(StorageError):
            fetch(connection, Query("SELECT 1 / 0"))  # as the server does with a statement that is cancelled
        raise KeyboardInterrupt

    with pytest.raises(StorageError, match="nothing was stored"), store.transaction() as tx:
        tx.append("a-1", made(), expected_version=0)
        fetch = tx._fetch.func  # type: ignore[attr-defined]
        whole, tx._fetch = tx._fetch, partial(interrupted, tx._connection)  # type: ignore[attr-defined]
        with suppress(KeyboardInterrupt):
            tx.append("b-1", made(), expected_version=0)
        tx._fetch = whole  # type: ignore[attr-defined]
    with psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute(f'ALTER TABLE "{schema}".checkpoints RENAME TO elsewhere')
        with pytest.raises(StorageError, match="nothing was stored"), store.transaction() as tx:
            tx.append("a-1", made(), expected_version=0)
            with pytest.raises(SchemaError):
                tx.checkpoints.load("p")
    assert [it.stream_id for it in store.read_all()] == ["held-1"]
    # Interrupted before anything was sent: it goes on.
    with store.transaction() as tx:
        tx.append("c-1", made(), expected_version=0)
        with pytest.raises(ConcurrencyError):
            tx.append("c-1", made(), expected_version=7)
    assert store.stream_info("c-1").version == 1


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
def test_what_a_cancelled_call_has_undone_is_not_told_as_committed(
    postgres_url: str, schema: str, store: PostgresEventStore, driver: str
) -> None:
    store.append("held-1", made(), expected_version=0)

    async def play() -> None:
        async with AsyncPostgresEventStore(postgres_url, schema=schema, driver=driver, lock_timeout=60) as own:
            with psycopg.connect(postgres_url) as other:
                other.execute(f"SELECT 1 FROM \"{schema}\".streams WHERE stream_id = 'held-1' FOR UPDATE")
                with pytest.raises(StorageError, match="nothing was stored"):
                    async with own.transaction() as tx:
                        await tx.append("a-1", made(), expected_version=0)
                        with pytest.raises(TimeoutError):
                            async with asyncio.timeout(0.2):
                                await tx.append("held-1", made(), expected_version=1)

    asyncio.run(play())
    assert [it.stream_id for it in store.read_all()] == ["held-1"]
