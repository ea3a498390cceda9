"""Sessions that the server has ended because they were idle: what meets that was not executed, and nothing of it is stored."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import asyncpg
import psycopg
import pytest

from mink_core import (
    ExpectedVersion,
    NewEvent,
    OutcomeUnknownError,
    StreamAppend,
    TransientStorageError,
    open_async_store,
    open_store,
)
from mink_postgres.drivers.asyncpg import translated
from mink_postgres.query import Query
from mink_postgres.sqlstate import translate

if TYPE_CHECKING:
    from collections.abc import Callable

    from mink_postgres import PostgresEventStore

ANY = ExpectedVersion.ANY
PID = "SELECT pg_backend_pid()"
WAYS: dict[str, Callable[[Any], Any]] = {
    "one event": lambda store: store.append("a-1", made(), expected_version=ANY),
    "two events": lambda store: store.append("a-1", made(2), expected_version=ANY),
    "batch": lambda store: store.append_batch([StreamAppend("a-1", made(), ANY), StreamAppend("b-1", made(), ANY)]),
    "snapshot": lambda store: store.snapshots.save("a-1", 1, {}),
}
WITH = pytest.mark.parametrize("way", WAYS)
GROUPED = pytest.mark.parametrize("grouped", [True, False])
DRIVERS = pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])


def made(count: int = 1) -> list[NewEvent]:
    return [NewEvent("Made", n) for n in range(count)]


def url_with(postgres_url: str, schema: str, setting: str, *, driver: str = "psycopg") -> str:
    scheme = "postgresql+asyncpg://" if driver == "asyncpg" else "postgresql://"
    options = f"-c application_name=idle_{schema} -c {setting}=200"
    return f"{postgres_url.replace('postgresql://', scheme)}?schema={schema}&min_size=1&max_size=1&options={quote(options)}"


def wait_until_ended(postgres_url: str, schema: str, process: int | None = None) -> None:
    """Without the event loop of the one whose session it is: it must not know yet."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        for _ in range(6000):
            left = connection.execute(
                "SELECT FROM pg_stat_activity WHERE application_name = %s AND pid = coalesce(%s::integer, pid)",
                (f"idle_{schema}", process),
            )
            if not left.fetchall():
                return
            time.sleep(0.01)
    raise AssertionError("the server has not ended the session")


def stored(store: PostgresEventStore) -> list[tuple[str, int]]:
    return [(info.stream_id, info.version) for info in store.streams()]


def connected(store: Any) -> Any:
    """A look whose session may have ended before: pools open theirs early."""
    for _ in range(5):
        try:
            return store.stream_info("a-1")
        except TransientStorageError:
            continue
    return store.stream_info("a-1")


async def connected_async(store: Any) -> Any:
    for _ in range(5):
        try:
            return await store.stream_info("a-1")
        except TransientStorageError:
            continue
    return await store.stream_info("a-1")


@WITH
@GROUPED
def test_threads_are_told_that_nothing_was_stored(
    store: PostgresEventStore, postgres_url: str, schema: str, way: str, grouped: bool
) -> None:
    store.append("a-1", made(), expected_version=0)
    url = url_with(postgres_url, schema, "idle_session_timeout")
    with open_store(url, group_commits=grouped) as other:
        connected(other)
        wait_until_ended(postgres_url, schema)
        with pytest.raises(TransientStorageError, match="idle for longer than the database allows") as caught:
            WAYS[way](other)
        assert caught.value.sqlstate == "57P05"
        assert stored(store) == [("a-1", 1)]
        assert store.snapshots.load("a-1") is None
        WAYS[way](other)


@WITH
@DRIVERS
def test_tasks_are_told_that_nothing_was_stored(
    store: PostgresEventStore, postgres_url: str, schema: str, driver: str, way: str
) -> None:
    store.append("a-1", made(), expected_version=0)

    async def scenario() -> None:
        url = url_with(postgres_url, schema, "idle_session_timeout", driver=driver)
        async with open_async_store(url) as other:
            await connected_async(other)
            wait_until_ended(postgres_url, schema)
            with pytest.raises(TransientStorageError, match="idle for longer than the database allows") as caught:
                await WAYS[way](other)
            assert caught.value.sqlstate == "57P05"
            assert stored(store) == [("a-1", 1)]
            await WAYS[way](other)

    asyncio.run(scenario())


@pytest.mark.parametrize("further", [True, False], ids=["a statement", "the commit"])
def test_a_transaction_that_was_idle_is_not_stored(
    store: PostgresEventStore, postgres_url: str, schema: str, further: bool
) -> None:
    with open_store(url_with(postgres_url, schema, "idle_in_transaction_session_timeout")) as other:
        with pytest.raises(TransientStorageError, match="transaction was idle") as caught, other.transaction() as tx:
            tx.append("a-1", made(), expected_version=0)
            wait_until_ended(postgres_url, schema)
            if further:
                tx.append("a-1", made(), expected_version=1)
        assert caught.value.sqlstate == "25P03"
        assert stored(store) == []


@DRIVERS
@pytest.mark.parametrize("knows", [True, False], ids=["known before", "not known before"])
@pytest.mark.parametrize("further", [True, False], ids=["a statement", "the commit"])
def test_a_task_s_transaction_that_was_idle_is_not_stored(
    store: PostgresEventStore, postgres_url: str, schema: str, driver: str, further: bool, knows: bool
) -> None:
    """asyncpg is told of it while the loop runs, and then sends nothing."""

    async def scenario() -> None:
        url = url_with(postgres_url, schema, "idle_in_transaction_session_timeout", driver=driver)
        async with open_async_store(url) as other:
            with pytest.raises(TransientStorageError, match="nothing was stored"):
                async with other.transaction() as tx:
                    await tx.append("a-1", made(), expected_version=0)
                    if knows:  # asyncpg's pool then opens another one
                        process = (
                            await tx.connection.fetchval(PID) if driver == "asyncpg" else tx.connection.info.backend_pid
                        )
                        await asyncio.to_thread(wait_until_ended, postgres_url, schema, process)
                        await asyncio.sleep(0.1)
                    else:
                        wait_until_ended(postgres_url, schema)
                    if further:
                        await tx.append("a-1", made(), expected_version=1)

    asyncio.run(scenario())
    assert stored(store) == []


def test_a_session_that_runs_a_statement_is_not_idle(postgres_url: str) -> None:
    """The timers stand still: else a statement that was executed could meet their end."""
    with psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute("SET idle_session_timeout = 100")
        other.execute("SET idle_in_transaction_session_timeout = 100")
        assert other.execute("SELECT 1 FROM pg_sleep(0.5)").fetchone() == (1,)
        other.execute("BEGIN")
        assert other.execute("SELECT 1 FROM pg_sleep(0.5)").fetchone() == (1,)
        other.execute("COMMIT")


@pytest.mark.parametrize("sqlstate", ["57P01", "57P02", "57P04", "25P04", "08006", None])
def test_of_others_nobody_knows(sqlstate: str | None) -> None:
    """A server that shuts down, or a transaction_timeout, may end a session at any moment, also when it has committed."""
    append = Query("SELECT 1", retry_is_safe=False)
    assert isinstance(translate("terminating connection", sqlstate, append, lost=True), OutcomeUnknownError)
    lost = asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")
    assert isinstance(translated(lost, append, lost=True), OutcomeUnknownError)
