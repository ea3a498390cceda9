"""Pooled sessions that are of no more use, though their connections are well: they are given up, and others serve."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from psycopg.conninfo import conninfo_to_dict

from mink_core import NewEvent, StorageError, TransientStorageError
from mink_postgres import AsyncPostgresEventStore, PostgresEventStore
from mink_postgres.backends import async_asyncpg
from tests.postgres.cut_proxy import CutProxy

if TYPE_CHECKING:
    from collections.abc import Callable

SPOILED = "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"
"""As a session is that was opened while the role, the database or the server took no writes."""
DRIVERS = pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
GROUPED = pytest.mark.parametrize("grouped", [True, False])


def made() -> list[NewEvent]:
    return [NewEvent("Made", {})]


@GROUPED
def test_a_session_that_takes_no_writes_is_not_kept(
    store: PostgresEventStore, postgres_url: str, schema: str, grouped: bool
) -> None:
    with PostgresEventStore(postgres_url, schema=schema, min_size=1, max_size=1, group_commits=grouped) as narrow:
        for version in range(6):
            narrow.append("a-1", made(), expected_version=version)
        for version in (6, 7):
            with narrow.transaction() as tx:
                tx.connection.execute(SPOILED)
            with pytest.raises(TransientStorageError, match="takes no writes"):
                narrow.append("a-1", made(), expected_version=version)
            narrow.append("a-1", made(), expected_version=version)
        with pytest.raises(TransientStorageError, match="takes no writes"), narrow.transaction() as tx:
            tx.connection.execute("SET TRANSACTION READ ONLY")
            tx.append("a-1", made(), expected_version=8)
        assert narrow.append("a-1", made(), expected_version=8).last_version == 9
    assert store.stream_info("a-1").version == 9


async def refused_once(
    url: str, schema: str, grouped: bool, driver: Any, spoil: Callable[[Any], Any], error: type[StorageError]
) -> str:
    """What an append says after its session was spoiled; the next one has to succeed."""
    async with AsyncPostgresEventStore(
        url, driver=driver, schema=schema, min_size=1, max_size=1, group_commits=grouped
    ) as narrow:
        for version in range(6):
            await narrow.append("a-1", made(), expected_version=version)
        async with narrow.transaction() as tx:
            await spoil(tx.connection)
        with pytest.raises(error) as caught:
            await narrow.append("a-1", made(), expected_version=6)
        await narrow.append("a-1", made(), expected_version=6)
        assert (await narrow.stream_info("a-1")).version == 7
    return str(caught.value)


@DRIVERS
@GROUPED
@pytest.mark.usefixtures("store")
def test_a_session_that_takes_no_writes_is_not_kept_async(
    postgres_url: str, schema: str, driver: str, grouped: bool
) -> None:
    said = asyncio.run(
        refused_once(postgres_url, schema, grouped, driver, lambda it: it.execute(SPOILED), TransientStorageError)
    )
    assert "takes no writes" in said


@DRIVERS
@GROUPED
@pytest.mark.usefixtures("store")
def test_a_session_without_its_prepared_statements_serves_again(
    postgres_url: str, schema: str, driver: str, grouped: bool
) -> None:
    said = asyncio.run(
        refused_once(postgres_url, schema, grouped, driver, lambda it: it.execute("DEALLOCATE ALL"), StorageError)
    )
    assert "does not exist" in said


@pytest.mark.usefixtures("store")
def test_a_cancelled_transaction_is_no_error_of_the_event_loop(postgres_url: str, schema: str) -> None:
    """asyncpg complains there of a transaction that it has to roll back itself, as of one whose BEGIN was cancelled."""
    told: list[str] = []

    async def act() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["message"]))
        async with AsyncPostgresEventStore(
            postgres_url, driver="asyncpg", schema=schema, min_size=1, max_size=1
        ) as narrow:
            await narrow.append("a-1", made(), expected_version=0)
            for number in range(600):
                with suppress(TimeoutError, StorageError):
                    async with asyncio.timeout(number * 0.000005), narrow.transaction() as tx:
                        await tx.append(f"b-{number}", made(), expected_version=0)
            await narrow.append("a-1", made(), expected_version=1)
            assert narrow.pool_status()["used"] == 0

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
        async with AsyncPostgresEventStore(
            url, driver="asyncpg", schema=schema, min_size=1, max_size=1, pool_timeout=60
        ) as narrow:
            await narrow.append("a-1", made(), expected_version=0)

            async def stuck() -> None:
                async with narrow.transaction() as tx:
                    proxy.swallows = True
                    await tx.append("a-1", made(), expected_version=1)

            working = asyncio.create_task(stuck())
            await asyncio.sleep(0.3)
            working.cancel()
            ended, _ = await asyncio.wait([working], timeout=30)
            proxy.swallows = False
            if not ended:
                proxy.cut()
            assert ended
            assert working.cancelled()
            await narrow.append("a-1", made(), expected_version=1)

    with CutProxy(int(str(place["port"]))) as proxy:
        asyncio.run(act(proxy))


def url_through(place: dict[str, Any], port: int) -> str:
    secret = f":{place['password']}" if place.get("password") else ""
    return f"postgresql://{place['user']}{secret}@127.0.0.1:{port}/{place['dbname']}"
