"""Pooled sessions that are of no more use, though their connections are well: they are given up, and others serve."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import asyncpg
import pytest
from psycopg.conninfo import conninfo_to_dict

from mink_core import NewEvent, StorageError, TransientStorageError
from mink_postgres import AsyncPostgresEventStore, PostgresEventStore
from mink_postgres.backends import async_asyncpg
from tests.postgres.cut_proxy import CutProxy

SPOILED = "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"
"""As a session is that was opened while the role, the database or the server took no writes."""
DRIVERS = pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
GROUPED = pytest.mark.parametrize("grouped", [True, False])
PREPARED = 6
"""So many appends leave their statement prepared, with either driver."""


def made() -> list[NewEvent]:
    return [NewEvent("Made", {})]


def narrow(url: str, driver: Any, schema: str, **options: Any) -> AsyncPostgresEventStore:
    """Of one connection."""
    return AsyncPostgresEventStore(url, driver=driver, schema=schema, min_size=1, max_size=1, **options)


@GROUPED
def test_a_session_that_takes_no_writes_is_not_kept(
    store: PostgresEventStore, postgres_url: str, schema: str, grouped: bool
) -> None:
    with PostgresEventStore(postgres_url, schema=schema, min_size=1, max_size=1, group_commits=grouped) as threads:
        for version in range(PREPARED):
            threads.append("a-1", made(), expected_version=version)
        for version in (6, 7):
            with threads.transaction() as tx:
                tx.connection.execute(SPOILED)
            with pytest.raises(TransientStorageError, match="takes no writes"):
                threads.append("a-1", made(), expected_version=version)
            threads.append("a-1", made(), expected_version=version)
        with pytest.raises(TransientStorageError, match="takes no writes"), threads.transaction() as tx:
            tx.connection.execute("SET TRANSACTION READ ONLY")
            tx.append("a-1", made(), expected_version=8)
        assert threads.append("a-1", made(), expected_version=8).last_version == 9
    assert store.stream_info("a-1").version == 9


@DRIVERS
@GROUPED
@pytest.mark.parametrize(
    ("spoiling", "kind", "says"),
    [
        pytest.param(SPOILED, TransientStorageError, "takes no writes", id="takes no writes"),
        pytest.param("DEALLOCATE ALL", StorageError, "does not exist", id="has no prepared statements"),
    ],
)
def test_a_task_s_session_of_no_more_use_is_not_kept(
    store: PostgresEventStore,
    postgres_url: str,
    schema: str,
    driver: Any,
    grouped: bool,
    spoiling: str,
    kind: type[StorageError],
    says: str,
) -> None:
    """One append is refused; the next one has another session."""

    async def act() -> None:
        async with narrow(postgres_url, driver, schema, group_commits=grouped) as tasks:
            for version in range(PREPARED):
                await tasks.append("a-1", made(), expected_version=version)
            async with tasks.transaction() as tx:
                await tx.connection.execute(spoiling)
            with pytest.raises(kind, match=says):
                await tasks.append("a-1", made(), expected_version=PREPARED)
            await tasks.append("a-1", made(), expected_version=PREPARED)

    asyncio.run(act())
    assert store.stream_info("a-1").version == PREPARED + 1


@pytest.mark.usefixtures("store")
def test_a_cancelled_transaction_is_no_error_of_the_event_loop(postgres_url: str, schema: str) -> None:
    """asyncpg complains there of a transaction that it has to roll back itself, as of one whose BEGIN was cancelled."""
    told: list[str] = []

    async def act() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["message"]))
        async with narrow(postgres_url, "asyncpg", schema) as tasks:
            await tasks.append("a-1", made(), expected_version=0)

            async def work(number: int) -> None:
                async with tasks.transaction() as tx:
                    await tx.append(f"b-{number}", made(), expected_version=0)

            for number in range(200):
                working = asyncio.create_task(work(number))
                for _ in range(number % 40):  # few turns of the loop: it waits for BEGIN
                    await asyncio.sleep(0)
                working.cancel()
                with suppress(asyncio.CancelledError, StorageError):
                    await working
            await tasks.append("a-1", made(), expected_version=1)
            assert tasks.pool_status()["used"] == 0

    asyncio.run(act())
    assert told == []


@pytest.mark.usefixtures("store")
def test_a_cancelled_transaction_ends_though_the_server_says_no_more(
    postgres_url: str, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connection is alive, so that no time-out of the network's ends it."""
    monkeypatch.setattr(async_asyncpg, "ROLLBACK_SECONDS", 0.2)
    place = conninfo_to_dict(postgres_url)

    async def act(proxy: CutProxy) -> None:
        url = url_through(place, proxy.port)
        async with narrow(url, "asyncpg", schema, pool_timeout=60) as tasks:
            await tasks.append("a-1", made(), expected_version=0)

            async def stuck() -> None:
                async with tasks.transaction() as tx:
                    proxy.swallows = True
                    await tx.append("a-1", made(), expected_version=1)

            working = asyncio.create_task(stuck())
            assert await asyncio.to_thread(proxy.swallowed.wait, 60)
            working.cancel()
            ended, _ = await asyncio.wait([working], timeout=60)
            proxy.swallows = False
            if not ended:
                proxy.cut()
            assert ended
            assert working.cancelled()
            await tasks.append("a-1", made(), expected_version=1)

    with CutProxy(int(str(place["port"]))) as proxy:
        asyncio.run(act(proxy))


def test_a_pool_of_the_caller_s_has_its_transaction_rolled_back_however_long_it_takes(
    store: PostgresEventStore, postgres_url: str, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(async_asyncpg, "ROLLBACK_SECONDS", 0)

    async def act() -> None:
        async with asyncpg.create_pool(postgres_url, min_size=1, max_size=1) as pool:
            tasks = AsyncPostgresEventStore(pool=pool, schema=schema)
            before = await pool.fetchval("SELECT pg_backend_pid()")
            with pytest.raises(LookupError):
                async with tasks.transaction() as tx:
                    await tx.append("a-1", made(), expected_version=0)
                    raise LookupError
            assert await pool.fetchval("SELECT pg_backend_pid()") == before

    asyncio.run(act())
    assert list(store.streams()) == []


def url_through(place: dict[str, Any], port: int) -> str:
    secret = f":{place['password']}" if place.get("password") else ""
    return f"postgresql://{place['user']}{secret}@127.0.0.1:{port}/{place['dbname']}"
