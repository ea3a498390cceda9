"""`store.bind`: the store on the caller's connection, in the caller's transaction (TX-01, TX-02)."""

from __future__ import annotations

import asyncio
import importlib.util
import io
import os
import socket
import threading
import time
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import psycopg
import pytest

from mink_core import (
    CapabilityNotSupportedError,
    ExpectedVersion,
    NewEvent,
    OutboxMessage,
    OutcomeUnknownError,
    Saga,
    SchemaError,
    StorageError,
    StoreClosedError,
    TransientStorageError,
    UsageError,
    open_store,
)
from mink_postgres import AsyncPostgresEventStore, PostgresEventStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.postgres.sessions import Session

EVENT = NewEvent("Made", 1)


def test_everything_is_the_caller_s_to_commit(store: PostgresEventStore, postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        bound = store.bind(connection)
        bound.append("a-1", [EVENT], expected_version=0, outbox=[OutboxMessage("t", 1)])
        bound.snapshots.save("a-1", 1, {"n": 1})
        bound.sagas.save(Saga("s", "T"), expected_version=0)
        mine = bound.idempotency.reserve("k")
        bound.idempotency.complete(mine, "r")
        bound.checkpoints.save("c", 1, expected=None)
        assert len(list(bound.read_stream("a-1"))) == 1
        assert list(store.read_stream("a-1")) == []
        assert not connection.closed
        connection.rollback()
        assert (store.snapshots.load("a-1"), store.outbox.list(), store.sagas.load("s")) == (None, [], None)
        assert (store.idempotency.get("k"), store.checkpoints.load("c")) == (None, None)
        store.bind(connection).append("a-1", [EVENT], expected_version=0)
        connection.commit()
    assert store.stream_info("a-1").version == 1


def test_a_block_that_comes_first_commits_nothing(postgres_url: str, schema: str, store: PostgresEventStore) -> None:
    """psycopg's block begins the transaction where no statement has, and would then commit it (TX-02)."""
    with psycopg.connect(postgres_url) as connection:
        bound = PostgresEventStore(connection=connection, schema=schema)
        assert list(bound.read_stream("a-1")) == []
        connection.rollback()
        for block in range(2):
            with bound.transaction() as tx:
                tx.append(f"a-{block}", [EVENT], expected_version=0)
            assert list(store.read_all()) == []
            connection.rollback()
        with pytest.raises(ZeroDivisionError), bound.transaction() as tx:
            tx.append("a-1", [EVENT], expected_version=0)
            raise ZeroDivisionError
        with bound.transaction() as tx:
            tx.append("b-1", [EVENT], expected_version=0)
        connection.commit()
        bound.initialize()
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS

    async def awaited() -> None:
        async with await psycopg.AsyncConnection.connect(postgres_url) as connection:
            bound = AsyncPostgresEventStore(connection=connection, schema=schema)
            assert [event.stream_id async for event in bound.read_stream("b-1")] == ["b-1"]
            await connection.rollback()
            async with bound.transaction() as tx:
                await tx.append("c-1", [EVENT], expected_version=0)
            await connection.rollback()

    asyncio.run(awaited())
    assert [event.stream_id for event in store.read_all()] == ["b-1"]


@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize("driver", ["psycopg", "psycopg async", "asyncpg"])
def test_a_lost_reply_at_the_end_of_a_block(postgres_url: str, schema: str, driver: str, alone: bool) -> None:
    """In the caller's transaction nothing is stored; a block of its own may have been committed."""

    def sync() -> None:
        with psycopg.connect(postgres_url, autocommit=alone) as connection:
            bound = PostgresEventStore(connection=connection, schema=schema)
            bound.initialize()
            with bound.transaction() as tx:
                tx.append("a-1", [NewEvent("Made", 1)], expected_version=0)
                _cut(connection)

    async def awaited() -> None:
        connection: Any
        if driver == "asyncpg":
            connection = await asyncpg.connect(postgres_url)
            if not alone:
                await connection.transaction().start()
        else:
            connection = await psycopg.AsyncConnection.connect(postgres_url, autocommit=alone)
        bound = AsyncPostgresEventStore(connection=connection, schema=schema)
        await bound.initialize()
        async with bound.transaction() as tx:
            await tx.append("a-1", [NewEvent("Made", 1)], expected_version=0)
            _cut(connection)

    with pytest.raises(OutcomeUnknownError if alone else TransientStorageError):
        sync() if driver == "psycopg" else asyncio.run(awaited())


def _cut(connection: Any) -> None:
    """End the session's socket on this side: what is sent next finds nobody."""
    asked = isinstance(connection, asyncpg.Connection)
    number = connection._transport.get_extra_info("socket").fileno() if asked else connection.fileno()
    with socket.socket(fileno=os.dup(number)) as copy:
        copy.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("by", ["itself", "a savepoint"])
def test_an_error_that_the_caller_got_over_is_no_end(
    store: PostgresEventStore, postgres_url: str, schema: str, by: str
) -> None:
    """Where each call commits by itself, or a savepoint was rolled back: what was stored is stored, and more can be."""
    store.append("held-1", [EVENT], expected_version=0)
    with psycopg.connect(postgres_url) as other, psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("SET lock_timeout TO '100ms'")
        other.execute(f"SELECT 1 FROM \"{schema}\".streams WHERE stream_id = 'held-1' FOR UPDATE")
        bound = store.bind(connection)
        with nullcontext() if by == "itself" else connection.transaction():
            bound.append("a-1", [NewEvent("Made", 1)], expected_version=0)
            with (
                pytest.raises(TransientStorageError),
                nullcontext() if by == "itself" else connection.transaction(),
            ):
                bound.append("held-1", [NewEvent("Made", 1)], expected_version=1)
            bound.append("a-1", [NewEvent("Made", 1)], expected_version=1)
    assert store.stream_info("a-1").version == 2


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
def test_the_async_store_takes_either_driver(postgres_url: str, schema: str, driver: str) -> None:
    async def work() -> None:
        async with AsyncPostgresEventStore(postgres_url, schema=schema) as store:
            await store.initialize()
            if driver == "asyncpg":
                connection: Any = await asyncpg.connect(postgres_url)
                block = connection.transaction()
                await block.start()
                await store.bind(connection).append("a-1", [EVENT], expected_version=0, outbox=OutboxMessage("t", 1))
                await block.rollback()
                async with connection.transaction():
                    await store.bind(connection).outbox.add(OutboxMessage("t", 2))
            else:
                connection = await psycopg.AsyncConnection.connect(postgres_url)
                await store.bind(connection).append("a-1", [EVENT], expected_version=0, outbox=OutboxMessage("t", 1))
                await connection.rollback()
                await store.bind(connection).outbox.add(OutboxMessage("t", 2))
                await connection.commit()
            await connection.close()
            assert [item.payload for item in await store.outbox.list()] == [2]
            assert await store.head_position() == 0

    asyncio.run(work())


@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize("driver", ["psycopg", "psycopg async", "asyncpg"])
def test_a_lost_reply_where_no_transaction_is_open(
    store: PostgresEventStore, postgres_url: str, schema: str, session: Callable[..., Session], driver: str, alone: bool
) -> None:
    """What commits by itself may be stored; inside a transaction nothing is."""
    store.append("a-1", [EVENT], expected_version=0)
    holder = session()
    holder.lock("a-1")

    def cut() -> None:
        waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        with psycopg.connect(postgres_url, autocommit=True) as other:
            for _ in range(6000):
                if found := other.execute(waiting).fetchone():
                    other.execute("SELECT pg_terminate_backend(%s)", found)
                    return
                time.sleep(0.01)

    told: list[Exception] = []

    def append() -> None:
        with psycopg.connect(postgres_url, autocommit=alone) as connection:
            try:
                store.bind(connection).append("a-1", [NewEvent("Made", 2)], expected_version=1)
            except StorageError as error:
                told.append(error)

    async def append_async() -> None:
        async with AsyncPostgresEventStore(postgres_url, schema=schema) as opened:
            if driver == "asyncpg":
                connection: Any = await asyncpg.connect(postgres_url)
                if not alone:
                    await connection.transaction().start()
            else:
                connection = await psycopg.AsyncConnection.connect(postgres_url, autocommit=alone)
            try:
                await opened.bind(connection).append("a-1", [NewEvent("Made", 2)], expected_version=1)
            except StorageError as error:
                told.append(error)
            await connection.close()

    work = threading.Thread(target=append if driver == "psycopg" else lambda: asyncio.run(append_async()))
    work.start()
    cut()
    work.join(60)
    assert [type(error) for error in told] == [OutcomeUnknownError if alone else TransientStorageError]


def test_what_cannot_be_bound_is_refused(
    store: PostgresEventStore, postgres_url: str, schema: str, session: Callable[..., Any]
) -> None:
    for wrong in (None, "postgresql://", object()):
        with pytest.raises(UsageError):
            store.bind(wrong)  # type: ignore[arg-type]
        with pytest.raises(UsageError):
            AsyncPostgresEventStore(postgres_url, schema=schema).bind(wrong)
    with open_store("memory://") as memory, pytest.raises(CapabilityNotSupportedError):
        memory.bind(object())
    connection = session().connection
    with PostgresEventStore(postgres_url, schema=f"{schema}_none") as other, pytest.raises(SchemaError):
        other.bind(connection).append("a-1", [EVENT], expected_version=0)
    with pytest.raises(StoreClosedError):
        other.bind(connection)


def test_the_sqlalchemy_example(postgres_url: str, schema: str) -> None:
    path = Path(__file__).parents[2] / "examples" / "sqlalchemy_session.py"
    spec = importlib.util.spec_from_file_location("example", path)
    assert spec is not None
    assert spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS mink CASCADE")  # where pages of the documentation were run
        connection.execute(f"CREATE SCHEMA {schema}")
    try:
        with redirect_stdout(io.StringIO()) as said:
            # Its own table goes to the test's schema.
            example.main(f"{postgres_url}?options=-csearch_path%3D{schema}")
    finally:
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute("DROP SCHEMA IF EXISTS mink CASCADE")
    assert said.getvalue().splitlines() == ["['order-1']", "[{'id': '1', 'total': 1200}]"]


@pytest.mark.parametrize("door", ["psycopg", "psycopg async"])
def test_a_call_in_a_pipeline_is_refused(postgres_url: str, schema: str, door: str) -> None:
    """Its answer would come later: it would be stored and not told, and a read would find nothing."""
    with PostgresEventStore(postgres_url, schema=schema) as store:
        store.initialize()

    def sync() -> list[Any]:
        with PostgresEventStore(postgres_url, schema=schema) as store, psycopg.connect(postgres_url) as connection:
            tx = store.bind(connection)
            with connection.pipeline():
                with pytest.raises(UsageError, match="nothing was sent"):
                    tx.append("a-1", [NewEvent("Made", {})], expected_version=ExpectedVersion.NO_STREAM)
                with pytest.raises(UsageError, match="pipeline"):
                    list(tx.read_stream("a-1"))
            tx.append("a-1", [NewEvent("Made", {})], expected_version=ExpectedVersion.NO_STREAM)
            return list(tx.read_stream("a-1"))

    async def awaited() -> list[Any]:
        connected = psycopg.AsyncConnection.connect(postgres_url)
        async with AsyncPostgresEventStore(postgres_url, schema=schema) as store, await connected as connection:
            tx = store.bind(connection)
            async with connection.pipeline():
                with pytest.raises(UsageError, match="nothing was sent"):
                    await tx.append("a-1", [NewEvent("Made", {})], expected_version=ExpectedVersion.NO_STREAM)
            await tx.append("a-1", [NewEvent("Made", {})], expected_version=ExpectedVersion.NO_STREAM)
            return [event async for event in tx.read_stream("a-1")]

    assert len(sync() if door == "psycopg" else asyncio.run(awaited())) == 1
