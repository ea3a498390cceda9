"""The connection is lost in every way there is: the worker says so, backs off, and goes on without a loss (SUB-03)."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from mink_core import (
    MinkError,
    NewEvent,
    NextStep,
    RetryPolicy,
    SubscriptionFailure,
    WhenExhausted,
    open_async_store,
    open_store,
)
from mink_postgres import PostgresEventStore
from mink_postgres.server import EmbeddedServer
from tests.adapters.script import Script
from tests.postgres.cut_proxy import CutProxy

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    with EmbeddedServer.start() as started:
        yield started


def put(server: EmbeddedServer, schema: str, after: int, upto: int) -> None:
    """By a store of its own, which no fault of the test's reaches; what fails is repeated, and stored once."""
    event = NewEvent("Made", {})
    for _ in range(300):
        try:
            with PostgresEventStore(server.url(), schema=schema, min_size=1) as store:
                while after < upto:
                    after = store.append("a-1", [event], expected_version=after).last_version
                    event = NewEvent("Made", {})
                return
        except MinkError:
            time.sleep(0.1)


@pytest.mark.parametrize("door", ["psycopg", "psycopg async", "asyncpg"])
@pytest.mark.parametrize("fault", ["terminated", "cut", "restart"])
def test_it_goes_on_after(server: EmbeddedServer, door: str, fault: str) -> None:
    schema = f"reconnect_{door}_{fault}".replace(" ", "_")
    told: list[SubscriptionFailure] = []
    with PostgresEventStore(server.url(), schema=schema, min_size=1) as store:
        store.initialize()

    def break_it(proxy: CutProxy) -> None:
        if fault == "cut":
            proxy.cut()
        elif fault == "restart":
            server.restart()
        else:
            with psycopg.connect(server.url(), autocommit=True) as admin:
                admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")

    async def scenario(script: Script, proxy: CutProxy) -> None:
        effects = "INSERT INTO reconnect_effects VALUES ({}, {})"
        inside, broken = threading.Event(), threading.Event()

        def waits_for_the_fault(event: Any) -> None:
            """The connection is lost while it is in use: one that rests may be replaced without a word."""
            if event.version == 20:
                inside.set()
                broken.wait(60)

        def sync_handler(event: Any, tx: Any) -> None:
            waits_for_the_fault(event)
            tx.connection.execute(effects.format("%s", "%s"), (schema, event.version))

        async def async_handler(event: Any, tx: Any) -> None:
            await asyncio.to_thread(waits_for_the_fault, event)
            if door == "asyncpg":
                await tx.connection.execute(effects.format("$1", "$2"), schema, event.version)
            else:
                await tx.connection.execute(effects.format("%s", "%s"), (schema, event.version))

        handler = sync_handler if door == "psycopg" else async_handler
        worker = script.store.subscription("s", handler, transactional=True, lease_seconds=20, on_error=told.append)
        await script(worker.start())
        await asyncio.to_thread(put, server, schema, 0, 20)
        assert await asyncio.to_thread(inside.wait, 60)
        await asyncio.to_thread(break_it, proxy)
        broken.set()
        await asyncio.to_thread(put, server, schema, 20, 40)
        await reached(40)
        await script(worker.close())

    async def reached(wanted: int) -> None:
        end = time.monotonic() + 90
        while len(found()) < wanted:
            assert time.monotonic() < end, (len(found()), told[-1:])
            await asyncio.sleep(0.05)

    def found() -> list[int]:
        with psycopg.connect(server.url()) as connection:
            rows = connection.execute("SELECT version FROM reconnect_effects WHERE door = %s", (schema,)).fetchall()
        return sorted(version for (version,) in rows)

    with psycopg.connect(server.url(), autocommit=True) as admin:
        admin.execute("CREATE TABLE IF NOT EXISTS reconnect_effects (door text, version bigint)")
    with CutProxy(server.port) as proxy:
        url = server.url().replace(f":{server.port}/", f":{proxy.port}/") + f"?schema={schema}&min_size=1&max_size=6"
        if door == "psycopg":
            with open_store(url) as store:
                asyncio.run(scenario(Script(store), proxy))
        else:

            async def inside() -> None:
                async with open_async_store(
                    url.replace("postgresql://", "postgresql+asyncpg://" if door == "asyncpg" else "postgresql://")
                ) as store:
                    await scenario(Script(store), proxy)

            asyncio.run(inside())
    assert found() == list(range(1, 41))
    assert {failure.next_step for failure in told} == {NextStep.RECONNECT}


def test_a_connection_that_the_handler_loses_is_not_the_event_s_fault(postgres_url: str, schema: str) -> None:
    """The driver's own error comes out of the handler; the transaction tells that it is the connection's."""
    lost = [True, True]
    told: list[SubscriptionFailure] = []
    seen: list[int] = []

    def handler(event: Any, tx: Any) -> None:
        if lost and event.version == 2:
            lost.pop()
            tx.connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        seen.append(event.version)

    with PostgresEventStore(postgres_url, schema=schema, min_size=1) as store:
        store.initialize()
        store.append("a-1", [NewEvent("Made", {}) for _ in range(3)], expected_version=0)
        never = RetryPolicy(retries=0, then=WhenExhausted.PARK)
        with store.subscription("s", handler, transactional=True, retry=never, on_error=told.append):
            end = time.monotonic() + 60
            while (found := store.checkpoints.load("s")) is None or found.position < store.head_position():
                assert time.monotonic() < end
                time.sleep(0.01)
        assert store.parked.list() == []
    assert {failure.next_step for failure in told} == {NextStep.RECONNECT}
    assert len(told) >= 2
    assert seen[-3:] == [1, 2, 3]


def test_a_statement_of_the_handler_s_that_fails_is_its_own_fault(postgres_url: str, schema: str) -> None:
    """It has ended the transaction; the events around it are handled all the same."""
    told: list[SubscriptionFailure] = []
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS reconnect_small (version smallint)")
        connection.execute("TRUNCATE reconnect_small")

    def handler(event: Any, tx: Any) -> None:
        tx.connection.execute("INSERT INTO reconnect_small VALUES (%s)", (event.data["n"],))

    with PostgresEventStore(postgres_url, schema=schema, min_size=1) as store:
        store.initialize()
        made = [NewEvent("Made", {"n": number}) for number in (1, 2, 99_999, 4)]
        store.append("a-1", made, expected_version=0)
        once = RetryPolicy(retries=1, first_wait=0.01, then=WhenExhausted.PARK)
        with store.subscription("s", handler, transactional=True, retry=once, on_error=told.append):
            end = time.monotonic() + 60
            while (found := store.checkpoints.load("s")) is None or found.position < store.head_position():
                assert time.monotonic() < end
                time.sleep(0.01)
        (kept,) = store.parked.list()
    assert (kept.version, kept.attempts) == (3, 2)
    assert "smallint" in kept.error
    assert [failure.next_step for failure in told] == [NextStep.RETRY, NextStep.PARK]
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT version FROM reconnect_small ORDER BY 1").fetchall() == [(1,), (2,), (4,)]
