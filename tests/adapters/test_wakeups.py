"""A hint shortens the wait, and its loss costs a poll (SUB-02)."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from mink_core import ExpectedVersion, NewEvent, StreamAppend, UsageError
from mink_postgres import PostgresEventStore
from tests.adapters.script import play

if TYPE_CHECKING:
    from tests.adapters.doors import Door
    from tests.adapters.script import Script

ANY = ExpectedVersion.ANY
HINTS = {"memory": {}, "memory async": {}}


def options(door: Door) -> dict[str, Any]:
    return HINTS.get(door.name, {"wakeups": True})


@pytest.fixture(autouse=True)
def _only_hints(monkeypatch: pytest.MonkeyPatch) -> None:
    """No short waits after an event: what comes before the poll interval is over came by a hint."""
    monkeypatch.setattr("mink_core.runtime.pace.SHORTEST_WAIT", 60.0)


@pytest.mark.parametrize("durable", [False, True])
def test_every_way_to_append_wakes_who_waits(door: Door, durable: bool) -> None:
    async def scenario(script: Script) -> None:
        store = script.store
        came: list[str] = []

        def note(event: Any) -> None:
            came.append(event.stream_id)

        async def awaited(event: Any) -> None:
            note(event)

        if durable:
            worker = store.subscription("s", awaited if door.is_async else note, poll_interval=60)
            await script(worker.start())
        else:
            worker = store.subscribe(poll_interval=60)
            following = asyncio.create_task(follow(worker, note))
        await asyncio.sleep(0.2)

        async def in_transaction(tx: Any) -> None:
            await script(tx.append("tx-1", [NewEvent("Made", {})], expected_version=ANY))

        try:
            for name, act in (
                ("one-1", lambda: script(store.append("one-1", [NewEvent("Made", {})], expected_version=ANY))),
                ("batch-1", lambda: script(store.append_batch([StreamAppend("batch-1", [NewEvent("Made", {})], ANY)]))),
                ("tx-1", lambda: script.in_transaction(in_transaction)),
            ):
                start = time.monotonic()
                await act()
                while name not in came:
                    assert time.monotonic() - start < 30, f"no hint for {name}"
                    await asyncio.sleep(0.001)
                await asyncio.sleep(0.1)
        finally:  # also where no hint came: the thread that waits for one would be waited for, and it never ends
            await script(worker.close())
        if not durable:
            await following

    async def follow(subscription: Any, note: Any) -> None:
        if hasattr(subscription, "__aiter__"):
            async for batch in subscription:
                for event in batch:
                    note(event)
            return
        await asyncio.to_thread(lambda: [note(event) for batch in subscription for event in batch])

    play(door, scenario, **options(door))


def test_another_process_s_store_is_woken_also_after_its_connection_was_lost(
    postgres_url: str, schema: str, admin_in_test_database: str
) -> None:
    """The hint comes by the server; a listener that is cut off says so, comes back, and looks at once."""
    with (
        PostgresEventStore(postgres_url, schema=schema, wakeups=True, min_size=1) as reader,
        PostgresEventStore(postgres_url, schema=schema, wakeups=True, min_size=1) as writer,
    ):
        reader.initialize()
        came: list[float] = []
        with reader.subscription("s", lambda _: came.append(time.monotonic()), poll_interval=60):

            def put() -> None:
                wanted = len(came) + 1
                start = time.monotonic()
                writer.append("a-1", [NewEvent("Made", {})], expected_version=ANY)
                while len(came) < wanted:
                    assert time.monotonic() - start < 30, "no hint came"
                    time.sleep(0.001)

            time.sleep(0.3)
            put()
            time.sleep(0.3)
            put()
            with psycopg.connect(admin_in_test_database, autocommit=True) as admin:
                killed = admin.execute(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                    "WHERE application_name = 'mink wake-ups' AND datname = current_database()"
                ).fetchone()
            assert killed is not None
            assert killed[0] >= 2
            put()  # lost or not: the listener looks when it is back
            time.sleep(0.3)
            put()


TERMINATE_SENDERS = (
    "SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity WHERE query LIKE '%pg_notify%' "
    "AND application_name = 'mink wake-ups' AND datname = current_database()"
)


def test_a_hint_whose_connection_was_lost_is_sent_by_the_next_one(
    postgres_url: str, schema: str, admin_in_test_database: str
) -> None:
    """The one that sends notices its loss at the hint itself; the one that listens has nothing to look for."""
    with (
        PostgresEventStore(postgres_url, schema=schema, wakeups=True, min_size=1) as reader,
        PostgresEventStore(postgres_url, schema=schema, wakeups=True, min_size=1) as writer,
    ):
        reader.initialize()
        came: list[int] = []
        with reader.subscription("s", lambda event: came.append(event.version), poll_interval=60):
            for version in (1, 2):
                start = time.monotonic()
                writer.append("a-1", [NewEvent("Made", {})], expected_version=ANY)
                while came[-1:] != [version]:
                    assert time.monotonic() - start < 30, "no hint came"
                    time.sleep(0.001)
                with psycopg.connect(admin_in_test_database, autocommit=True) as admin:
                    # The event may have come by a poll, before the hint is sent.
                    while not (killed := admin.execute(TERMINATE_SENDERS).fetchall()):
                        assert time.monotonic() - start < 60, "no hint was sent"
                        time.sleep(0.01)
                assert killed == [(True,)]


def test_wakeups_need_connections_of_their_own(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection, pytest.raises(UsageError, match="conninfo"):
        PostgresEventStore(connection=connection, wakeups=True)
