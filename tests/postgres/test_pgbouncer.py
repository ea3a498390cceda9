"""Behind PgBouncer in transaction mode: each transaction may get another session, and nothing depends on one."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from mink_core import (
    ExpectedVersion,
    MinkError,
    NewEvent,
    StorageError,
    StreamAppend,
    TransientStorageError,
    UsageError,
    open_namespaces,
    open_store,
)
from mink_core.administration import Level
from mink_core.registry import open_administration
from mink_postgres import AsyncPostgresEventStore, PostgresEventStore
from mink_postgres.options import PostgresOptions
from tests.postgres.pgbouncer import NEEDED, PgBouncer

if TYPE_CHECKING:
    from collections.abc import Callable

ANY = ExpectedVersion.ANY
WRITERS, CALLS = 8, 15
DOORS = ("psycopg", "psycopg async", "asyncpg")

pytestmark = NEEDED


def in_all_ways(door: str, url: str, schema: str, **options: Any) -> list[int]:
    """Append by many at once, one after the other, in batches and transactions; then read. Gives the feed's positions."""
    given: dict[str, Any] = {"schema": schema, "min_size": 1, "max_size": WRITERS, **options}
    if door != "psycopg":
        return asyncio.run(in_all_async_ways(door.partition(" ")[0], url, given))
    with PostgresEventStore(url, **given) as store, ThreadPoolExecutor(WRITERS) as writers:

        def write(number: int) -> None:
            for version in range(CALLS):
                store.append(f"a-{number}", [NewEvent("Made", {"n": version})], expected_version=version)
            store.append_batch([StreamAppend(f"b-{n}", [NewEvent("Made", {})], ANY) for n in range(3)])
            with store.transaction() as transaction:
                transaction.append(f"c-{number}", [NewEvent("Made", {})], expected_version=0)
                transaction.append(f"d-{number}", [NewEvent("Made", {}), NewEvent("Made", {})], expected_version=0)

        list(writers.map(write, range(WRITERS)))
        assert store.poll(0, limit=5).next_position > 0
        assert len(list(store.read_stream("a-1"))) == CALLS
        return [event.global_position for event in store.read_all()]


async def in_all_async_ways(driver: str, url: str, given: dict[str, Any]) -> list[int]:
    async with AsyncPostgresEventStore(url, driver=driver, **given) as store:

        async def write(number: int) -> None:
            for version in range(CALLS):
                await store.append(f"a-{number}", [NewEvent("Made", {"n": version})], expected_version=version)
            await store.append_batch([StreamAppend(f"b-{n}", [NewEvent("Made", {})], ANY) for n in range(3)])
            async with store.transaction() as transaction:
                await transaction.append(f"c-{number}", [NewEvent("Made", {})], expected_version=0)
                await transaction.append(
                    f"d-{number}", [NewEvent("Made", {}), NewEvent("Made", {})], expected_version=0
                )

        await asyncio.gather(*(write(number) for number in range(WRITERS)))
        assert (await store.poll(0, limit=5)).next_position > 0
        assert len([event async for event in store.read_stream("a-1")]) == CALLS
        return [event.global_position async for event in store.read_all()]


@pytest.mark.parametrize("door", DOORS)
def test_many_writers_share_few_sessions(door: str, pooled: str, schema: str) -> None:
    positions = in_all_ways(door, pooled, schema, transaction_pooler=True)
    assert positions == sorted(positions)
    assert len(set(positions)) == len(positions) == WRITERS * (CALLS + 6)


@pytest.mark.parametrize("pooler", [True, False])
@pytest.mark.parametrize("door", DOORS)
def test_another_session_has_no_statement_prepared_in_the_first(
    door: str, pooler: bool, postgres_url: str, pooled: str, schema: str
) -> None:
    """Without the option, the broken twin, it fails.

    Behind a pooler of its own: what it leaves prepared in sessions, others would run for theirs.
    """

    async def alternating(url: str) -> None:
        options: dict[str, Any] = {"schema": schema, "min_size": 1, "max_size": 1, "transaction_pooler": pooler}
        one: Any = (
            PostgresEventStore(url, **options)
            if door == "psycopg"
            else AsyncPostgresEventStore(url, driver=door.partition(" ")[0], **options)
        )

        async def append(version: int) -> None:
            result = one.append("a-1", [NewEvent("Made", {})], expected_version=version)
            if door != "psycopg":
                await result

        try:
            for version in range(8):
                await append(version)
            with psycopg.connect(url, prepare_threshold=None) as other:
                other.execute("SELECT 1")  # in a transaction, on the session that was used last
                await append(8)
        finally:
            closing = one.close()
            if closing is not None:
                await closing

    with PgBouncer(postgres_url, pool=2) as own:
        if pooler:
            asyncio.run(alternating(own.url()))
            return
        with pytest.raises(StorageError, match="transaction_pooler") as caught:
            asyncio.run(alternating(own.url()))
        assert caught.value.sqlstate == "26000"


def test_sessions_are_renewed_under_load(postgres_url: str, pooled: str, schema: str) -> None:
    with PgBouncer(postgres_url, pool=3, lifetime=1) as restless:
        seen: set[int] = set()
        with (
            PostgresEventStore(restless.url(), schema=schema, min_size=1, transaction_pooler=True) as store,
            psycopg.connect(postgres_url, autocommit=True) as direct,
        ):
            end, version = time.monotonic() + 60, 0
            while (len(seen) < 3 or version <= 50) and time.monotonic() < end:
                version = store.append("a-1", [NewEvent("Made", {})], expected_version=version).last_version
                seen |= {
                    pid
                    for (pid,) in direct.execute(
                        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%append_one%'"
                        " AND pid <> pg_backend_pid()"
                    )
                }
        assert len(seen) > 2
        assert version > 50


def cut_between(store: PostgresEventStore, bouncer: PgBouncer, postgres_url: str) -> None:
    """Let the session that answered a look at the feed end before the next statement."""
    fetch = store._backend.fetch

    def cutting(connection: Any, query: Any) -> Any:
        rows = fetch(connection, query)
        if query.sql == store._context.sql.feed_mark:
            with psycopg.connect(postgres_url, autocommit=True) as direct:
                ended = direct.execute(
                    "SELECT pid, pg_terminate_backend(pid, 60000) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND query LIKE '%feed_mark%' AND pid <> pg_backend_pid()"
                ).fetchall()
            bouncer.until_let_go({pid for pid, _ in ended})
        return rows

    store._backend.fetch = cutting  # type: ignore[method-assign,assignment]


@pytest.mark.parametrize("act", ["poll", "read_all", "head_position"])
def test_a_look_and_its_read_have_one_server(
    act: str, bouncer: PgBouncer, postgres_url: str, pooled: str, schema: str
) -> None:
    """Else the read may be answered by a server that has crashed and given positions out again meanwhile."""
    acts: dict[str, Callable[[PostgresEventStore], object]] = {
        "poll": lambda store: store.poll(0),
        "read_all": lambda store: list(store.read_all()),
        "head_position": lambda store: store.head_position(),
    }
    with PostgresEventStore(pooled, schema=schema, min_size=1, transaction_pooler=True) as store:
        store.append("a-1", [NewEvent("Made", {})], expected_version=0)
        cut_between(store, bouncer, postgres_url)
        with pytest.raises(TransientStorageError):
            acts[act](store)
        # The broken twin takes the answer of another server.
        store._run_whole = store._run  # type: ignore[method-assign]
        acts[act](store)


def test_wake_ups_need_a_session(postgres_url: str, pooled: str, schema: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="direct_url"):
        PostgresEventStore(pooled, schema=schema, transaction_pooler=True, wakeups=True)
    monkeypatch.setattr("mink_core.runtime.pace.SHORTEST_WAIT", 60.0)
    given: dict[str, Any] = {"schema": schema, "min_size": 1, "transaction_pooler": True, "wakeups": True}
    with (
        PostgresEventStore(pooled, direct_url=postgres_url, **given) as reading,
        PostgresEventStore(pooled, direct_url=postgres_url, **given) as writing,
    ):
        subscription = reading.subscribe(poll_interval=60)
        came: list[float] = []

        def follow() -> None:
            if next(iter(subscription)):
                came.append(time.monotonic())

        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        time.sleep(0.5)
        writing.append("a-1", [NewEvent("Made", {})], expected_version=0)
        appended = time.monotonic()
        thread.join(60)
        assert came
        assert came[0] - appended < 30


def test_a_direct_url_is_no_secret_told() -> None:
    options = PostgresOptions(direct_url="postgresql://me:hush-hush@db/x")
    assert "hush-hush" not in repr(options)
    with pytest.raises(UsageError) as caught:
        PostgresOptions(direct_url="postgresql://me:hush-hush@db:port/x")
    assert "hush-hush" not in str(caught.value)


def test_the_doctor_notices_a_pooler(postgres_url: str, pooled: str, schema: str) -> None:
    def found(url: str) -> dict[str, Any]:
        with open_administration(f"{url}?schema={schema}") as administration:
            return {it.subject: it for it in administration.diagnose(max_lag=60.0)}

    assert "pooler" not in found(postgres_url)
    warned = found(pooled)["pooler"]
    assert warned.level is Level.WARNING
    assert "transaction_pooler=true" in warned.advice
    for url, level in ((pooled, Level.OK), (postgres_url, Level.NOTICE)):
        with open_administration(f"{url}?schema={schema}&transaction_pooler=true") as administration:
            told = {it.subject: it for it in administration.diagnose(max_lag=60.0)}["pooler"]
        assert told.level is level


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
def test_a_start_up_parameter_that_it_refuses_is_told(driver: str, pooled: str, schema: str) -> None:
    async def opened() -> None:
        async with AsyncPostgresEventStore(
            f"{pooled}?options=-c%20work_mem%3D8MB", driver=driver, schema=schema, transaction_pooler=True
        ):
            pass

    with pytest.raises(MinkError, match="startup parameter"):
        asyncio.run(opened())


def test_namespaces_are_had_through_it(bouncer: PgBouncer) -> None:
    """The kit and the fixtures work on namespaces; a pooler refuses the `options` that put a schema first elsewhere."""
    with open_namespaces(f"{bouncer.url()}?transaction_pooler=true") as namespaces:
        try:
            with open_store(namespaces.url("kit_pooled")) as store:
                store.initialize()
                store.append("a-1", [NewEvent("Made", {})], expected_version=0)
                assert len(list(store.read_all())) == 1
        finally:
            namespaces.drop("kit_pooled")
