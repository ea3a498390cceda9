"""A store that is closed while it is opened, or by somebody who is interrupted, leaves nothing open (SUB-04, LIFE-01)."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from contextlib import suppress
from itertools import count
from typing import Any

import psycopg
import pytest

from mink_core import StoreClosedError
from mink_postgres import AsyncPostgresEventStore, PostgresEventStore
from mink_postgres.wakeups import Wakeups
from tests.interrupts import interrupted

DRIVERS = pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
NAME = "mink closing"


class SlowSource:
    """A server that takes its time to start."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}?application_name={NAME.replace(' ', '%20')}"
        self.asked, self.there = threading.Event(), threading.Event()
        self.users = 0

    def open(self) -> str:
        self.asked.set()
        assert self.there.wait(60)
        self.users += 1
        return self._url

    def close(self) -> None:
        """Idempotent."""
        self.users = 0


def connections(url: str) -> int:
    """How many are left; the server takes a moment to notice the end of one."""
    asked = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s"
    end, left = time.monotonic() + 30, -1
    with psycopg.connect(url, autocommit=True) as other:
        while left != 0 and time.monotonic() < end:
            [(left,)] = other.execute(asked, (NAME,)).fetchall()
            time.sleep(0.01)
    return left


@DRIVERS
def test_a_server_whose_start_is_cancelled_is_let_go_of(postgres_url: str, schema: str, driver: str) -> None:
    """A thread starts it, which no cancellation ends."""
    source = SlowSource(postgres_url)

    async def scenario() -> None:
        store = AsyncPostgresEventStore(source, driver=driver, schema=schema, min_size=1)
        opening = asyncio.create_task(store.ping())
        await asyncio.to_thread(source.asked.wait, 60)
        opening.cancel()
        await asyncio.sleep(0.05)
        source.there.set()
        await asyncio.wait([opening], timeout=60)
        assert (opening.cancelled(), source.users) == (True, 0)
        await store.ping()
        assert source.users == 1
        await store.close()
        assert source.users == 0

    asyncio.run(scenario())


@DRIVERS
def test_closed_while_it_is_opened(postgres_url: str, schema: str, driver: str) -> None:
    source = SlowSource(postgres_url)

    async def scenario() -> None:
        store = AsyncPostgresEventStore(source, driver=driver, schema=schema, min_size=1)
        opening = asyncio.create_task(store.ping())
        await asyncio.to_thread(source.asked.wait, 60)
        closing = asyncio.create_task(store.close())
        await asyncio.sleep(0.05)
        source.there.set()
        with suppress(StoreClosedError):
            await opening
        await closing
        with pytest.raises(StoreClosedError):
            await store.ping()

    asyncio.run(scenario())
    assert connections(postgres_url) == 0


@DRIVERS
def test_a_close_that_is_cancelled_closes_all_the_same(postgres_url: str, schema: str, driver: str) -> None:
    async def scenario() -> None:
        source = SlowSource(postgres_url)
        source.there.set()
        store: Any = AsyncPostgresEventStore(source, driver=driver, schema=schema, min_size=1)
        await store.ping()
        never = asyncio.Event()
        store._grouping.close = never.wait  # as if a group took long
        closing = asyncio.create_task(store.close())
        await asyncio.sleep(0.05)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing

    asyncio.run(scenario())
    assert connections(postgres_url) == 0


@DRIVERS
def test_a_close_that_is_cancelled_while_the_store_is_opened(postgres_url: str, schema: str, driver: str) -> None:
    source = SlowSource(postgres_url)

    async def scenario() -> None:
        store: Any = AsyncPostgresEventStore(source, driver=driver, schema=schema, min_size=1, wakeups=True)
        opening = asyncio.create_task(store.ping())
        await asyncio.to_thread(source.asked.wait, 30)
        closing = asyncio.create_task(store.close())
        await asyncio.sleep(0.05)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        source.there.set()
        with pytest.raises(StoreClosedError):
            await opening
        assert store._wakeups._closed.is_set()

    asyncio.run(scenario())
    assert connections(postgres_url) == 0


@DRIVERS
def test_a_second_close_ends_what_a_cancelled_one_has_left(postgres_url: str, schema: str, driver: str) -> None:
    source = SlowSource(postgres_url)
    source.there.set()

    async def scenario() -> None:
        store: Any = AsyncPostgresEventStore(source, driver=driver, schema=schema, min_size=1)
        await store.ping()
        close, store._backend.close = store._backend.close, asyncio.Event().wait  # as if the pool took long
        closing = asyncio.create_task(store.close())
        await asyncio.sleep(0.05)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        assert source.users == 1
        store._backend.close = close
        await store.close()

    asyncio.run(scenario())
    assert source.users == 0
    assert connections(postgres_url) == 0


def test_a_second_close_ends_what_an_interrupted_one_has_left(postgres_url: str, schema: str) -> None:
    """At each moment of the first one, also of those that it spends on the subscriptions."""
    source = SlowSource(postgres_url)
    source.there.set()
    for moment in count(1):
        store = PostgresEventStore(source, schema=schema, min_size=1)
        store._wakeups = wakeups = Wakeups(schema, lambda: None)
        store.ping()
        subscriptions = [store.subscribe() for _ in range(2)]
        was_interrupted = interrupted(store.close, moment)
        store.close()
        assert source.users == 0, moment
        assert wakeups._closed.is_set(), moment
        assert all(subscription._closed for subscription in subscriptions), moment
        if not was_interrupted:
            assert moment > 5, "it counted nothing"
            break
    assert connections(postgres_url) == 0


def test_opened_by_a_thread_that_comes_after_the_close(postgres_url: str, schema: str) -> None:
    source = SlowSource(postgres_url)
    source.there.set()
    store = PostgresEventStore(source, schema=schema, min_size=1)
    told: list[BaseException] = []

    def ping() -> None:
        try:
            store.ping()
        except StoreClosedError as error:
            told.append(error)

    with store._lock:  # as if `close` had it
        late = threading.Thread(target=ping)
        late.start()
        late.join(0.1)
        store._closed = True
    late.join(60)
    assert len(told) == 1
    assert connections(postgres_url) == 0


@DRIVERS
@pytest.mark.parametrize("again", [True, False])
def test_a_close_that_is_cancelled_lets_go_of_the_server(
    postgres_url: str, schema: str, driver: str, again: bool
) -> None:
    """At whatever turn of the loop it is, and whether or not somebody closes again."""

    async def scenario(turns: int) -> bool:
        source = SlowSource(postgres_url)
        source.there.set()
        store = AsyncPostgresEventStore(source, driver=driver, schema=schema, min_size=1)
        await store.initialize()
        closing = asyncio.create_task(store.close())
        for _ in range(turns):
            await asyncio.sleep(0)
        ended = closing.done()
        closing.cancel()
        await asyncio.wait([closing])
        if again:
            await store.close()
        for _ in range(1000):
            if not source.users:
                break
            await asyncio.sleep(0.01)
        assert not source.users, turns
        return ended

    turns = 1
    while not asyncio.run(scenario(turns)):
        turns += 1
    assert connections(postgres_url) == 0


_NOT_CLOSED = """
import asyncio, sys
from mink_core import NewEvent, open_async_store

async def main():
    store = open_async_store(sys.argv[1], min_size=20, max_size=20)
    await store.append("order-1", [NewEvent("OrderPlaced", {})], expected_version=0)

asyncio.run(main())
"""


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+asyncpg"])
def test_a_program_that_fails_without_closing_its_store_ends_and_says_why(postgres_url: str, scheme: str) -> None:
    """Its pool is still connecting when the event loop ends."""
    url = f"{scheme}://{postgres_url.partition('://')[2]}?schema=nothing_there"
    program = [sys.executable, "-c", _NOT_CLOSED, url]
    ended = subprocess.run(program, capture_output=True, text=True, check=False, timeout=60)
    assert (ended.returncode, "SchemaError" in ended.stderr) == (1, True), ended.stderr
    assert "never retrieved" not in ended.stderr
    assert "was destroyed" not in ended.stderr
