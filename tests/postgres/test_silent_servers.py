"""A server that says no more, over connections that are alive: no time-out of the network's ends what waits for it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest
from psycopg.conninfo import conninfo_to_dict

from mink_core import ExpectedVersion, NewEvent, OutcomeUnknownError, TransientStorageError
from mink_postgres import AsyncPostgresEventStore
from mink_postgres.backends import async_asyncpg, async_base
from mink_postgres.grouping import async_runner
from tests.postgres.cut_proxy import CutProxy
from tests.postgres.test_spent_sessions import url_through

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mink_core import AppendResult

pytestmark = pytest.mark.usefixtures("store")
ANY = ExpectedVersion.ANY
SOON = 0.2


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in (
        (async_asyncpg, "ROLLBACK_SECONDS"),
        (async_base, "CLOSE_SECONDS"),
        (async_runner, "CLOSE_SECONDS"),
    ):
        monkeypatch.setattr(module, name, SOON)


@pytest.fixture
def proxy(postgres_url: str) -> Iterator[CutProxy]:
    with CutProxy(int(str(conninfo_to_dict(postgres_url)["port"]))) as made:
        yield made


def tasks_through(proxy: CutProxy, postgres_url: str, schema: str, **options: Any) -> AsyncPostgresEventStore:
    """A store of which one call has been made."""
    url = url_through(conninfo_to_dict(postgres_url), proxy.port)
    return AsyncPostgresEventStore(url, driver="asyncpg", schema=schema, **({"min_size": 1} | options))


def appending(tasks: AsyncPostgresEventStore, stream_id: str) -> asyncio.Task[AppendResult]:
    return asyncio.create_task(tasks.append(stream_id, [NewEvent("A", {})], expected_version=ANY))


async def ends(waited: Any, proxy: CutProxy) -> bool:
    """Whether it does by itself."""
    ended, _ = await asyncio.wait([asyncio.ensure_future(waited)], timeout=60)
    if not ended:
        proxy.cut()
    return bool(ended)


def test_a_store_is_closed(proxy: CutProxy, postgres_url: str, schema: str) -> None:
    async def act() -> None:
        tasks = tasks_through(proxy, postgres_url, schema)
        await tasks.ping()
        proxy.swallows = True
        assert await ends(tasks.close(), proxy)

    asyncio.run(act())


def test_a_store_is_closed_with_groups_under_way(proxy: CutProxy, postgres_url: str, schema: str) -> None:
    """Each caller of them is told that nobody knows."""

    async def act() -> None:
        tasks = tasks_through(proxy, postgres_url, schema)
        await tasks.ping()
        proxy.swallows = True
        callers = [appending(tasks, f"a-{number}") for number in range(12)]
        assert await asyncio.to_thread(proxy.swallowed.wait, 60)
        assert await ends(tasks.close(), proxy)
        answers = await asyncio.wait_for(asyncio.gather(*callers, return_exceptions=True), 60)
        assert {type(answer) for answer in answers} <= {OutcomeUnknownError, TransientStorageError}

    asyncio.run(act())


def test_a_store_is_closed_by_who_has_a_transaction_of_it(proxy: CutProxy, postgres_url: str, schema: str) -> None:
    """The server is well: it is the block that would wait for its own end."""

    async def act() -> None:
        tasks = tasks_through(proxy, postgres_url, schema)

        async def close_within() -> None:
            async with tasks.transaction() as tx:
                await tx.append("a-1", [NewEvent("A", {})], expected_version=ANY)
                await tasks.close()

        closing = asyncio.create_task(close_within())
        assert await ends(closing, proxy)
        assert isinstance(closing.exception(), TransientStorageError)

    asyncio.run(act())


def test_an_append_that_is_cancelled_ends(proxy: CutProxy, postgres_url: str, schema: str) -> None:
    """However long a connection may be waited for."""

    async def act() -> None:
        tasks = tasks_through(proxy, postgres_url, schema, pool_timeout=600)
        await tasks.ping()
        proxy.swallows = True
        working = appending(tasks, "a-1")
        assert await asyncio.to_thread(proxy.swallowed.wait, 60)
        working.cancel()
        assert await ends(working, proxy)
        proxy.swallows = False
        await asyncio.wait_for(appending(tasks, "a-1"), 60)
        assert await ends(tasks.close(), proxy)

    asyncio.run(act())


def test_a_connection_whose_settings_are_not_answered_is_given_up(
    proxy: CutProxy, postgres_url: str, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made for a call that waits as long as it may for one."""
    connect = async_asyncpg.driver.connect_to_any

    async def act() -> None:
        async def connected(*args: Any, **options: Any) -> Any:
            connection = await connect(*args, **options)
            proxy.swallows = True
            return connection

        tasks = tasks_through(proxy, postgres_url, schema, pool_timeout=0.5)
        async with tasks.transaction():  # has the connection that is there
            monkeypatch.setattr(async_asyncpg.driver, "connect_to_any", connected)
            working = appending(tasks, "a-1")
            assert await ends(working, proxy)
            assert isinstance(working.exception(), TransientStorageError)
            proxy.swallows = False
        monkeypatch.setattr(async_asyncpg.driver, "connect_to_any", connect)
        began = time.monotonic()
        await tasks.close()
        assert time.monotonic() - began < 60

    asyncio.run(act())
