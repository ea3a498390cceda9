"""Statements sent prepared and without a cursor answer as by a cursor, and only where that is safe."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from msgspec.structs import replace

from mink_core import EventFilter, NewEvent, StorageError, UsageError
from mink_postgres import PostgresEventStore
from mink_postgres.drivers import psycopg_async, psycopg_sync
from mink_postgres.drivers.psycopg_prepared import LIMIT, THRESHOLD
from mink_postgres.query import Query

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = Query("SELECT name::text FROM pg_prepared_statements ORDER BY prepare_time")
KINDS = Query(
    "SELECT $1::text, $2::bigint, $3::jsonb::text, $1::text::uuid, ARRAY[$2::int], now(), NULL",
    ("6f2c4c4e-9d9f-4a53-8f5e-0a7a4d0c9e11", 7, '{"ü": "\\"x"}'),
)


@pytest.fixture
def pooled(postgres_url: str) -> Iterator[psycopg_sync.PooledConnection]:
    with psycopg_sync.PooledConnection.connect(postgres_url, autocommit=True) as connection:
        yield connection


def warmed(connection: psycopg_sync.PooledConnection, query: Query) -> None:
    for _ in range(THRESHOLD - 1):
        psycopg_sync.fetch(connection, query)


def test_rows_are_those_of_a_cursor(pooled: psycopg_sync.PooledConnection) -> None:
    by_cursor = psycopg_sync.fetch(pooled, KINDS)
    warmed(pooled, KINDS)
    prepared = [psycopg_sync.fetch(pooled, KINDS) for _ in range(3)]
    assert [row[:5] + row[6:] for (row,) in prepared] == [by_cursor[0][:5] + by_cursor[0][6:]] * 3
    assert [type(value) for value in prepared[0][0]] == [type(value) for value in by_cursor[0]]
    (name,) = [name for (name,) in psycopg_sync.fetch(pooled, NAMES) if not name.startswith("_pg3")]
    assert name.startswith("mink_")


def test_no_two_connections_have_a_name_in_common(postgres_url: str) -> None:
    """A pooler that lends sessions by the transaction must never find another statement by that name."""
    names: set[str] = set()
    for _ in range(2):
        with psycopg_sync.PooledConnection.connect(postgres_url, autocommit=True) as connection:
            for _ in range(THRESHOLD):
                psycopg_sync.fetch(connection, KINDS)
            names.update(name for (name,) in psycopg_sync.fetch(connection, NAMES))
    assert len(names) == 2


def test_rows_are_those_of_a_cursor_async(postgres_url: str) -> None:
    async def asked() -> list[Any]:
        connected = psycopg_async.PooledConnection.connect(postgres_url, autocommit=True)
        async with await connected as connection:
            rows = [(await psycopg_async.fetch(connection, KINDS))[0] for _ in range(THRESHOLD + 2)]
            rows.append([name for (name,) in await psycopg_async.fetch(connection, NAMES)])
        return rows

    *rows, names = asyncio.run(asked())
    assert len({row[:2] for row in rows}) == 1
    assert len(names) == 1
    assert names[0].startswith("mink_")


def test_text_is_not_cut_off_at_nul(pooled: psycopg_sync.PooledConnection) -> None:
    """libpq takes text as it ends: 'a' and the byte nought and 'b' would be stored as 'a'."""
    query = Query("SELECT $1::text", ("a",))
    warmed(pooled, query)
    assert psycopg_sync.fetch(pooled, query) == [("a",)]
    with pytest.raises(StorageError, match="NUL"):
        psycopg_sync.fetch(pooled, replace(query, args=("a\0b",)))
    assert psycopg_sync.fetch(pooled, query) == [("a",)]


def test_a_connection_in_another_encoding_is_left_to_its_driver(postgres_url: str) -> None:
    with psycopg_sync.PooledConnection.connect(postgres_url, autocommit=True, client_encoding="latin1") as connection:
        query = Query("SELECT $1::text, length($1::text)", ("é",))
        assert [psycopg_sync.fetch(connection, query) for _ in range(THRESHOLD + 1)] == [[("é", 1)]] * (THRESHOLD + 1)


def test_arguments_of_other_kinds_are_left_to_the_driver(pooled: psycopg_sync.PooledConnection) -> None:
    query = Query("SELECT $1::text[]", (["a", 'b"'],))
    assert [psycopg_sync.fetch(pooled, query) for _ in range(THRESHOLD + 1)] == [[(["a", 'b"'],)]] * (THRESHOLD + 1)


def test_a_failure_leaves_the_connection_as_it_was(pooled: psycopg_sync.PooledConnection) -> None:
    query = Query("SELECT 1 / $1::int", (1,))
    warmed(pooled, query)
    for _ in range(2):
        with pytest.raises(StorageError, match="division by zero") as caught:
            psycopg_sync.fetch(pooled, replace(query, args=(0,)))
        assert isinstance(caught.value.__cause__, psycopg.Error)
        assert psycopg_sync.fetch(pooled, query) == [(1,)]


def test_what_somebody_deallocated_is_prepared_anew(pooled: psycopg_sync.PooledConnection) -> None:
    for _ in range(THRESHOLD):
        psycopg_sync.fetch(pooled, KINDS)
    pooled.execute("DEALLOCATE ALL")
    with pytest.raises(StorageError) as caught:
        psycopg_sync.fetch(pooled, KINDS)
    assert caught.value.sqlstate == "26000"
    for _ in range(THRESHOLD):
        assert len(psycopg_sync.fetch(pooled, KINDS)) == 1


def test_a_rollback_that_makes_psycopg_deallocate_all_is_not_noticed(postgres_url: str, schema: str) -> None:
    """As it does where its cursors have prepared any: here the caller's own statement, in the caller's transaction."""
    with PostgresEventStore(postgres_url, schema=schema, min_size=1, max_size=1) as store:
        store.initialize()
        for number in range(THRESHOLD + 1):
            store.append(f"a-{number}", [NewEvent("A", {})], expected_version=0)
        with pytest.raises(ZeroDivisionError), store.transaction() as transaction:
            for _ in range(THRESHOLD + 2):
                transaction.connection.execute("SELECT %s::int", (1,))
            assert names_prepared(transaction.connection, "_pg3") == 1
            raise ZeroDivisionError
        with store.transaction() as transaction:
            assert names_prepared(transaction.connection, "") == 0
        assert store.append("b-1", [NewEvent("A", {})], expected_version=0).last_version == 1


def test_a_rollback_after_a_cursor_prepared_a_filter_is_not_noticed(postgres_url: str, schema: str) -> None:
    """As above, without a statement of the caller's: a list of types is left to a cursor."""
    with PostgresEventStore(postgres_url, schema=schema, min_size=1, max_size=1) as store:
        store.initialize()
        for number in range(THRESHOLD + 2):
            store.append(f"a-{number}", [NewEvent("A", {})], expected_version=0)
            store.poll(0, where=EventFilter(event_types=("A",)))
        with pytest.raises(ZeroDivisionError), store.transaction():
            raise ZeroDivisionError
        assert store.append("b-1", [NewEvent("A", {})], expected_version=0).last_version == 1


def names_prepared(connection: psycopg.Connection[Any], beginning: str) -> int:
    rows = connection.execute("SELECT name::text FROM pg_prepared_statements").fetchall()
    return sum(name.startswith(beginning) for (name,) in rows)


SLOW = Query("SELECT $1::text, pg_sleep(0.05)", ("a",))


def test_a_connection_serves_one_caller_after_another(pooled: psycopg_sync.PooledConnection) -> None:
    warmed(pooled, SLOW)
    with ThreadPoolExecutor(3) as threads:
        found = list(threads.map(lambda _: psycopg_sync.fetch(pooled, SLOW)[0][0], range(3)))
    assert found == ["a"] * 3


def test_each_of_several_callers_has_the_rows_of_its_own_statement(
    pooled: psycopg_sync.PooledConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also by a cursor, where the threads of one transaction stand still between a statement and its rows."""
    both = threading.Barrier(2)
    has_rows = psycopg_sync.has_rows

    def late(result: Any) -> bool:
        both.wait(10)
        return has_rows(result)

    def asked(text: str) -> Any:
        return psycopg_sync.fetch(pooled, Query("SELECT $1::text", (text,)))

    asked("first")
    monkeypatch.setattr(psycopg_sync, "has_rows", late)
    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(asked, "ab")) == [[("a",)], [("b",)]]


def test_a_connection_serves_one_caller_after_another_async(postgres_url: str) -> None:
    async def asked() -> list[Any]:
        connected = psycopg_async.PooledConnection.connect(postgres_url, autocommit=True)
        async with await connected as connection:
            for _ in range(THRESHOLD):
                await psycopg_async.fetch(connection, SLOW)
            found = [psycopg_async.fetch(connection, SLOW) for _ in range(3)]
            await asyncio.gather(*found[:2], connection.execute("SELECT 1"))
            return [row[0] for row in await found[2]]

    assert asyncio.run(asked()) == ["a"]


@pytest.mark.timeout(20)
def test_a_call_in_a_pipeline_of_the_callers_is_refused(pooled: psycopg_sync.PooledConnection) -> None:
    """Its reply would come later, and nothing else may wait for it."""
    for _ in range(THRESHOLD):
        psycopg_sync.fetch(pooled, KINDS)
    with pooled.pipeline(), pytest.raises(UsageError, match="nothing was sent"):
        psycopg_sync.fetch(pooled, KINDS)
    assert len(psycopg_sync.fetch(pooled, KINDS)) == 1


def test_settings_that_the_caller_changes_are_gone_by(pooled: psycopg_sync.PooledConnection) -> None:
    """What loads a row keeps the encoding and the form of dates that it was made for."""
    text, day = Query("SELECT $1::text, length($1::text)", ("é",)), Query("SELECT make_date(2026, 2, 1)")
    for query in (text, day):
        warmed(pooled, query)
    for style in ("'SQL, DMY'", "'SQL, MDY'", "ISO"):
        pooled.execute(f"SET DateStyle TO {style}")
        assert psycopg_sync.fetch(pooled, day) == [(date(2026, 2, 1),)]
    for encoding in ("latin1", "UTF8"):
        pooled.execute(f"SET client_encoding TO {encoding}")
        assert [psycopg_sync.fetch(pooled, text) for _ in range(2)] == [[("é", 1)]] * 2


def test_a_statement_whose_rows_have_other_types_now_is_prepared_anew(
    pooled: psycopg_sync.PooledConnection,
) -> None:
    pooled.execute("CREATE TEMPORARY TABLE changing AS SELECT 1 AS a")
    query = Query("SELECT a FROM changing")
    for _ in range(THRESHOLD):
        assert psycopg_sync.fetch(pooled, query) == [(1,)]
    pooled.execute("ALTER TABLE changing ALTER a TYPE text")
    with pytest.raises(StorageError, match="cached plan"):
        psycopg_sync.fetch(pooled, query)
    assert psycopg_sync.fetch(pooled, query) == [("1",)]


def test_what_is_refused_each_time_is_prepared_once(pooled: psycopg_sync.PooledConnection) -> None:
    """A trigger of the user's may say that something is not supported, by the same code as the server."""
    pooled.execute(
        "CREATE FUNCTION pg_temp.refuse() RETURNS int LANGUAGE plpgsql AS "
        "$$BEGIN RAISE 'not here' USING ERRCODE = 'feature_not_supported'; END$$"
    )
    query = Query("SELECT pg_temp.refuse()")
    for _ in range(2 * THRESHOLD):
        with pytest.raises(StorageError, match="not here"):
            psycopg_sync.fetch(pooled, query)
    assert names_prepared(pooled, "mink_") == 1


@pytest.mark.parametrize("told", [True, False])
def test_what_is_prepared_anew_gives_rows_of_the_types_that_there_are_now(
    pooled: psycopg_sync.PooledConnection, *, told: bool
) -> None:
    """What loads a row is of the statement that was let go of: here its table was changed in between."""
    pooled.execute("CREATE TEMPORARY TABLE changing AS SELECT 1 AS a")
    query = Query("SELECT * FROM changing")
    for _ in range(THRESHOLD):
        assert psycopg_sync.fetch(pooled, query) == [(1,)]
    pooled.execute("ALTER TABLE changing ALTER a TYPE text, ADD b text DEFAULT 'b', ADD c int DEFAULT 3")
    if told:  # by psycopg
        pooled.execute("SELECT 1", prepare=True)
        with pytest.raises(ZeroDivisionError), pooled.transaction():
            raise ZeroDivisionError
    else:
        pooled.execute("DEALLOCATE ALL")
        with pytest.raises(StorageError):
            psycopg_sync.fetch(pooled, query)
    assert psycopg_sync.fetch(pooled, query) == [("1", "b", 3)]


def test_no_more_are_prepared_than_a_session_can_bear(pooled: psycopg_sync.PooledConnection) -> None:
    for number in range(LIMIT + 5):
        for _ in range(THRESHOLD):
            assert psycopg_sync.fetch(pooled, Query(f"SELECT {number} + $1::int", (1,))) == [(number + 1,)]
    names = [name for (name,) in psycopg_sync.fetch(pooled, NAMES)]
    assert sum(name.startswith("mink_") for name in names) == LIMIT
