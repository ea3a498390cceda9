"""Connections kept between calls, and what must not be kept."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import TYPE_CHECKING, Any

import asyncpg
import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from mink_core import ConcurrencyError, ExpectedVersion, NewEvent, StorageError
from mink_postgres import AsyncPostgresEventStore, PostgresEventStore
from mink_postgres.backends.leases import KEPT, Leases
from mink_postgres.backends.thread_leases import ThreadLeases
from mink_postgres.query import Query, ask

if TYPE_CHECKING:
    from collections.abc import Callable

ANY = ExpectedVersion.ANY


class Pool:
    """Lends numbers."""

    def __init__(self, size: int) -> None:
        self.free = asyncio.Semaphore(size)
        self.lent = 0
        self.closed: set[int] = set()

    async def take(self) -> int:
        await self.free.acquire()
        self.lent += 1
        return self.lent

    async def give(self, connection: int) -> None:
        self.free.release()

    def leases(self, kept: int = KEPT) -> Leases:
        return Leases(self.take, self.give, lambda connection: connection in self.closed, kept=kept)


def test_a_clean_connection_is_kept_and_no_other() -> None:
    async def scenario() -> None:
        pool = Pool(10)
        leases = pool.leases()
        first = await leases.acquire()
        await leases.release(first, clean=True)
        assert (await leases.acquire(), leases.idle) == (first, 0)
        await leases.release(first, clean=False)
        second = await leases.acquire()
        assert second != first
        await leases.release(second, clean=True)
        pool.closed.add(second)
        assert await leases.acquire() not in (first, second)
        many = [await leases.acquire() for _ in range(KEPT + 2)]
        for connection in many:
            await leases.release(connection, clean=True)
        assert leases.idle == KEPT
        await leases.end()
        assert leases.idle == 0
        lender = pool.leases(kept=0)
        await lender.release(await lender.acquire(), clean=True)
        assert lender.idle == 0

    asyncio.run(scenario())


def test_nobody_waits_in_the_pool_for_what_is_kept() -> None:
    """The last connection comes back while somebody waits for one: kept here, it would never reach them."""

    async def scenario() -> None:
        pool = Pool(1)
        leases = pool.leases()
        held = await leases.acquire()
        waiting = asyncio.create_task(leases.acquire())
        await asyncio.sleep(0)
        await leases.release(held, clean=True)
        await asyncio.wait_for(waiting, 60)

    asyncio.run(scenario())


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
def test_one_connection_serves_many_callers(postgres_url: str, schema: str, driver: str) -> None:
    async def scenario() -> None:
        options: dict[str, Any] = {"schema": schema, "driver": driver, "min_size": 1, "max_size": 1, "pool_timeout": 60}
        async with AsyncPostgresEventStore(postgres_url, **options) as store:
            await store.initialize()

            async def both(number: int) -> None:
                await store.append(f"a-{number}", [NewEvent("Made", number)], expected_version=ANY)
                assert [event.data async for event in store.read_stream(f"a-{number}")] == [number]
                async with store.transaction() as transaction:
                    await transaction.append(f"a-{number}", [NewEvent("Made", None)], expected_version=1)

            await asyncio.wait_for(asyncio.gather(*(both(number) for number in range(20))), 60)
            assert len([event async for event in store.read_all()]) == 40
            status = store.pool_status()
            assert (status["used"], status["idle"]) == (0, 1)

    asyncio.run(scenario())


@pytest.mark.parametrize("grouped", [False, True])
def test_a_pool_with_json_codecs_of_its_own(postgres_url: str, schema: str, grouped: bool) -> None:
    """Many set codecs for json and jsonb on their asyncpg pool: ours are sent as text, whatever these do."""

    async def set_codecs(connection: Any) -> None:
        for kind in ("json", "jsonb"):
            await connection.set_type_codec(kind, encoder=json.dumps, decoder=json.loads, schema="pg_catalog")

    async def scenario() -> None:
        async with asyncpg.create_pool(postgres_url, init=set_codecs, min_size=1, max_size=3) as pool:
            store = AsyncPostgresEventStore(pool=pool, schema=schema)
            await store.initialize()
            if grouped:
                grouping: Any = store._grouping
                grouping._planner.go_directly = lambda: False
            calls = [(1, {"one": 1}), (3, {"many": [1.0]})]
            await asyncio.gather(*(append(store, f"a-{count}", count, data) for count, data in calls))
            async for event in store.read_all():
                assert event.data == dict(calls)[int(event.stream_id[2:])]
            await store.close()
            assert await pool.fetchval("SELECT 1") == 1  # lent, and still the caller's

    async def append(store: Any, stream: str, count: int, data: Any) -> None:
        await store.append(stream, [NewEvent("Made", data, {"k": 1}) for _ in range(count)], expected_version=ANY)

    asyncio.run(scenario())


def test_reading_stops_without_a_trace(postgres_url: str, schema: str, caplog: pytest.LogCaptureFixture) -> None:
    """A reader that is closed early has asked for a page ahead: that is taken back, and the connection serves again."""

    async def scenario(check: Callable[[AsyncPostgresEventStore], Any]) -> None:
        options: dict[str, Any] = {"schema": schema, "driver": "asyncpg", "min_size": 1, "max_size": 2}
        async with AsyncPostgresEventStore(postgres_url, **options) as store:
            await store.initialize()
            for _ in range(3):
                await store.append("a-1", [NewEvent("Made", n) for n in range(1500)], expected_version=ANY)
            await check(store)
            await asyncio.sleep(0)
            assert len(asyncio.all_tasks()) == 1
            assert len([event async for event in store.read_stream("a-1")]) == 4500

    async def check(store: AsyncPostgresEventStore) -> None:
        for read in (1, 999, 1000, 1001):
            reader: Any = store.read_stream("a-1")
            for _ in range(read):
                await anext(reader)
            await reader.aclose()

    asyncio.run(scenario(check))
    assert not caplog.records


class ThreadPool:
    """Lends numbers to threads."""

    def __init__(self, size: int) -> None:
        self.free = threading.Semaphore(size)
        self.asked = threading.Event()
        self.lent = 0
        self.given: list[int] = []
        self.dirty: set[int] = set()

    def take(self, timeout: float | None) -> int:
        self.asked.set()
        if not self.free.acquire(timeout=60 if timeout is None else timeout):
            raise TimeoutError
        self.lent += 1
        return self.lent

    def give(self, connection: int) -> None:
        self.given.append(connection)
        self.free.release()

    def leases(self, kept: int = KEPT) -> ThreadLeases:
        return ThreadLeases(self.take, self.give, lambda connection: connection not in self.dirty, kept=kept)


def release(leases: ThreadLeases, connection: int) -> None:
    leases.idle.append(connection)
    leases.settle()


def test_threads_get_the_connection_that_was_used_last() -> None:
    pool = ThreadPool(10)
    leases = pool.leases()
    first, second = leases.acquire([None]), leases.acquire([None])
    release(leases, first)
    release(leases, second)
    assert [leases.acquire([None]) for _ in range(3)] == [second, first, 3]
    many = [second, first, 3, *(leases.acquire([None]) for _ in range(KEPT))]
    for connection in many:
        release(leases, connection)
    assert (len(leases.idle), len(pool.given)) == (KEPT, len(many) - KEPT)
    pool.dirty.add(leases.acquire([None]))
    release(leases, next(iter(pool.dirty)))
    assert pool.given[-1] in pool.dirty, "what is in a transaction, or broken, is the pool's to look after"
    leases.end()
    assert (leases.idle, len(pool.given)) == ([], len(many))
    late = leases.acquire([None])
    release(leases, late)
    assert pool.given[-1] == late, "kept after the end"


def test_a_thread_that_waits_in_the_pool_is_served_first() -> None:
    pool = ThreadPool(1)
    leases = pool.leases()
    only, got = leases.acquire([None]), list[int]()
    pool.asked.clear()
    waiter = threading.Thread(target=lambda: got.append(leases.acquire([None])))
    waiter.start()
    assert pool.asked.wait(60)
    release(leases, only)
    waiter.join(60)
    assert (got, pool.given) == ([2], [only])


def test_one_caller_keeps_to_one_connection_and_gives_a_broken_one_back(postgres_url: str, schema: str) -> None:
    with PostgresEventStore(postgres_url, schema=schema, min_size=3, max_size=3) as store:
        store.initialize()

        def process() -> int:
            with store.transaction() as transaction:
                return int(transaction.connection.info.backend_pid)

        one = process()
        assert {process() for _ in range(10)} == {one}
        assert store.pool_status() == {"used": 0, "idle": 3, "waiting": 0}
        with store.transaction() as transaction:
            transaction.connection.execute("SELECT pg_terminate_backend(%s)", [process()])
        for _ in range(6):  # at worst each kept one fails once
            try:
                store.append("a-1", [NewEvent("Made", 1)], expected_version=ANY)
            except StorageError:
                continue
            break
        else:
            pytest.fail("a broken connection was given out again and again")


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
def test_a_refused_append_leaves_its_connection_as_good_as_it_was(postgres_url: str, schema: str, driver: str) -> None:
    async def scenario() -> None:
        async with AsyncPostgresEventStore(postgres_url, schema=schema, driver=driver) as store:
            await store.initialize()
            gave, kept = [], store._backend.release

            async def release(connection: Any, *, clean: bool) -> None:
                gave.append(clean)
                await kept(connection, clean=clean)

            store._backend.release = release  # type: ignore[method-assign]
            await store.append("a-1", [NewEvent("Made", {})], expected_version=0)
            with pytest.raises(ConcurrencyError):
                await store.append("a-1", [NewEvent("Made", {})], expected_version=0)
            with pytest.raises(StorageError):
                await store._run_now(ask(Query("SELECT 1/0")))
            assert gave == [True, True, False]

    asyncio.run(scenario())


@pytest.mark.parametrize("when", [True, False])
def test_a_call_cancelled_as_it_borrows_or_gives_back_keeps_no_connection(
    postgres_url: str, schema: str, monkeypatch: pytest.MonkeyPatch, when: bool
) -> None:
    """Of the caller's pool, whose connections do not commit by themselves: psycopg may wait as that is changed."""

    async def scenario() -> None:
        async with AsyncPostgresEventStore(postgres_url, schema=schema) as other:
            await other.initialize()
        async with AsyncConnectionPool(postgres_url, min_size=1, max_size=1) as pool:
            store = AsyncPostgresEventStore(pool=pool, schema=schema, pool_timeout=10)
            change = psycopg.AsyncConnection.set_autocommit
            task: asyncio.Task[Any] | None = None

            async def slow(connection: Any, value: bool) -> None:
                if task is not None and value is when:
                    task.cancel()
                    await asyncio.sleep(0)
                await change(connection, value)

            monkeypatch.setattr(psycopg.AsyncConnection, "set_autocommit", slow)
            task = asyncio.create_task(store.append("a-1", [NewEvent("Made", 1)], expected_version=ExpectedVersion.ANY))
            await asyncio.wait([task])
            assert task.cancelled()
            task = None
            assert await store.append("b-1", [NewEvent("Made", 1)], expected_version=0)
            await store.close()
            assert pool.get_stats()["pool_available"] == 1

    asyncio.run(scenario())
