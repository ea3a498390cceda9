"""A store whose event loop has ended, or is another one than that of who closes it."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import Any

import pytest

from mink_core import StoreClosedError, UsageError
from mink_postgres import AsyncPostgresEventStore
from mink_postgres.drivers.psycopg_async import PooledConnection
from tests.postgres.test_closing import NAME, connections

DRIVERS = pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
pytestmark = pytest.mark.usefixtures("store")


async def opened(postgres_url: str, schema: str, driver: Any) -> AsyncPostgresEventStore:
    """A store that has both of its connections, some kept by itself, and is making no other."""
    url = f"{postgres_url}?application_name={NAME.replace(' ', '%20')}"
    store = AsyncPostgresEventStore(url, driver=driver, schema=schema, min_size=2, max_size=2)
    await asyncio.gather(*[store.ping() for _ in range(6)])
    try:
        async with asyncio.timeout(30):  # psycopg's pool makes them beside the calls
            while store.pool_status()["idle"] < 2:  # noqa: ASYNC110 -- nothing tells of it
                await asyncio.sleep(0.01)
    except TimeoutError:
        await store.close()  # what a failed test leaves open would be counted by the next one
        raise
    return store


@DRIVERS
# Of asyncpg's connections, which are cut off.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_it_is_closed_once_its_loop_has_ended(postgres_url: str, schema: str, driver: str) -> None:
    async def close(store: AsyncPostgresEventStore) -> None:
        for _ in range(2):
            await store.close()
        with pytest.raises(StoreClosedError):
            await store.ping()

    asyncio.run(close(asyncio.run(opened(postgres_url, schema, driver))))
    assert connections(postgres_url) == 0
    gc.collect()


@DRIVERS
def test_it_is_left_to_the_loop_that_it_was_opened_in(postgres_url: str, schema: str, driver: str) -> None:
    loop = asyncio.new_event_loop()
    store = loop.run_until_complete(opened(postgres_url, schema, driver))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        with pytest.raises(UsageError, match="close it there"):
            asyncio.run(store.close())
        asyncio.run_coroutine_threadsafe(store.close(), loop).result(60)
        assert connections(postgres_url) == 0
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_an_event_loop_ends_with_a_store_left_open_that_is_connecting(
    postgres_url: str, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end of `asyncio.run` cancels what makes the connection, and waits for it."""
    connecting, most = asyncio.Event(), 8

    async def never(*_: Any, **__: Any) -> None:
        connecting.set()
        await asyncio.Event().wait()

    async def left_open() -> None:
        store = AsyncPostgresEventStore(postgres_url, schema=schema, min_size=1, max_size=most)
        async with store.transaction():  # its connections are fewer than its calls now
            monkeypatch.setattr(PooledConnection, "connect", never)
            calling = [asyncio.create_task(store.ping()) for _ in range(most)]
            await connecting.wait()
        for call in calling:
            call.cancel()

    thread = threading.Thread(target=lambda: asyncio.run(left_open()), daemon=True)
    thread.start()
    thread.join(60)
    assert (connecting.is_set(), thread.is_alive()) == (True, False)
