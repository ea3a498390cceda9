"""Grouped commits: who waits for a lock, is cancelled, closed or interrupted holds up nobody else."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from mink_core import ExpectedVersion, OutcomeUnknownError, StoreClosedError
from mink_postgres import AsyncPostgresEventStore, PostgresEventStore
from tests.postgres.grouped import all_at_once, all_at_once_async, always_grouped, kind_of, made

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.postgres.sessions import Session

ANY, NONE = ExpectedVersion.ANY, ExpectedVersion.NO_STREAM


def test_a_locked_stream_holds_up_nobody_else(
    postgres_url: str, schema: str, store: PostgresEventStore, session: Callable[..., Session]
) -> None:
    """By threads: while a transaction holds one stream, all others go on, and its append ends when it may."""
    with PostgresEventStore(postgres_url, schema=schema, lock_timeout=120) as patient:
        a_locked_stream_holds_up_nobody_else(always_grouped(patient), session)


def a_locked_stream_holds_up_nobody_else(store: PostgresEventStore, session: Callable[..., Session]) -> None:
    for name in ("slow-1", *(f"a-{n}" for n in range(30))):
        store.append(name, made(), expected_version=NONE)
    blocker = session()
    blocker.lock("slow-1")
    slow: list[Any] = []
    waiting = threading.Thread(target=lambda: slow.append(store.append("slow-1", made(), expected_version=1)))
    waiting.start()
    for _ in range(3):
        assert {kind_of(o) for o in all_at_once(store, [(f"a-{n}", made(), ANY) for n in range(30)])} == {
            "AppendResult"
        }
    assert waiting.is_alive(), "the groups waited for the locked stream"
    assert slow == []
    blocker.rollback()
    waiting.join(60)
    assert slow[0].first_version == 2


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
def test_a_locked_stream_holds_up_no_task(
    postgres_url: str, schema: str, session: Callable[..., Session], driver: str
) -> None:
    """By tasks, with a create that waits for another transaction's uncommitted create as well."""

    async def scenario() -> None:
        async with AsyncPostgresEventStore(postgres_url, schema=schema, driver=driver, lock_timeout=120) as store:
            await store.initialize()
            always_grouped(store)
            await store.append("slow-1", made(), expected_version=NONE)
            blocker = session()
            blocker.lock("slow-1")
            blocker.run(
                "INSERT INTO {schema}.streams (stream_id, category, version) VALUES ('new-1', 'new', 1)",
            )
            held = [
                asyncio.create_task(store.append("slow-1", made(), expected_version=1)),
                asyncio.create_task(store.append("new-1", made(), expected_version=NONE)),
            ]
            await asyncio.sleep(0.05)
            for _ in range(5):
                outcomes = await all_at_once_async(store, [(f"a-{n}", made(), ANY) for n in range(40)])
                assert {kind_of(outcome) for outcome in outcomes} == {"AppendResult"}
            assert not any(task.done() for task in held), "the groups waited for the locked streams"
            blocker.commit()
            outcomes = await asyncio.wait_for(asyncio.gather(*held, return_exceptions=True), 60)
            assert [kind_of(outcome) for outcome in outcomes] == ["AppendResult", "ConcurrencyError"]

    asyncio.run(scenario())


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
def test_cancelling_one_leaves_the_others_unharmed(postgres_url: str, schema: str, driver: str) -> None:
    """One is cancelled while it waits (and is not stored), one while its group is under way."""

    async def scenario() -> None:
        async with AsyncPostgresEventStore(postgres_url, schema=schema, driver=driver) as store:
            await store.initialize()
            always_grouped(store)
            backend: Any = store._backend
            acquire, gate = backend.acquire, asyncio.Event()

            async def gated() -> Any:
                await gate.wait()
                return await acquire()

            backend.acquire = gated
            fetch, sent, reply = backend.fetch, asyncio.Event(), asyncio.Event()

            async def slow(connection: Any, query: Any) -> Any:
                rows = await fetch(connection, query)
                sent.set()
                await reply.wait()
                return rows

            backend.fetch = slow
            fillers = [asyncio.create_task(store.append(f"f-{n}", made(), expected_version=NONE)) for n in range(2)]
            tasks = [asyncio.create_task(store.append(f"a-{n}", made(), expected_version=NONE)) for n in range(20)]
            for _ in range(100):
                await asyncio.sleep(0)  # all are in the two lanes' groups, or behind them
            tasks[3].cancel()
            await asyncio.sleep(0)
            gate.set()
            await sent.wait()
            tasks[7].cancel()  # after it was sent, before the reply is there
            await asyncio.sleep(0)
            reply.set()
            outcomes = await asyncio.gather(*fillers, *tasks, return_exceptions=True)
            kinds = [kind_of(outcome) for outcome in outcomes[2:]]
            assert [n for n, kind in enumerate(kinds) if kind != "AppendResult"] == [3, 7]
            streams = {info.stream_id async for info in store.streams()}
            assert "a-3" not in streams
            assert streams - {"a-7"} == {"f-0", "f-1", *(f"a-{n}" for n in range(20) if n not in (3, 7))}
            assert await store.append("a-3", made(), expected_version=NONE)

    asyncio.run(scenario())


def test_closing_refuses_what_waits(postgres_url: str, schema: str) -> None:
    async def scenario() -> None:
        store = AsyncPostgresEventStore(postgres_url, schema=schema, driver="asyncpg")
        await store.initialize()
        always_grouped(store)
        tasks = [asyncio.create_task(store.append(f"a-{n}", made(), expected_version=NONE)) for n in range(50)]
        await asyncio.sleep(0)
        await store.close()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        stored = [n for n, outcome in enumerate(outcomes) if kind_of(outcome) == "AppendResult"]
        refused = [outcome for outcome in outcomes if isinstance(outcome, StoreClosedError)]
        assert len(stored) + len(refused) == 50
        assert refused
        async with AsyncPostgresEventStore(postgres_url, schema=schema) as other:
            assert {info.stream_id async for info in other.streams()} == {f"a-{n}" for n in stored}

    asyncio.run(scenario())


def test_an_interrupted_leader_leaves_nobody_waiting(store: PostgresEventStore) -> None:
    """The thread that sends for others is interrupted (as by Ctrl-C): they are told, and the lanes go on."""
    always_grouped(store)
    grouping: Any = store._grouping
    send = grouping._send
    interrupted, crowded = threading.Event(), threading.Event()
    begun: list[int] = []

    def send_or_break(items: Any) -> Any:
        if len(items) > 1 and not interrupted.is_set():
            interrupted.set()
            raise KeyboardInterrupt
        crowded.wait(60)
        time.sleep(0.02)  # so that those who have begun get into line
        return send(items)

    grouping._send = send_or_break
    outcomes: list[object] = []

    def call(number: int) -> None:
        begun.append(number)
        if len(begun) == 20:
            crowded.set()
        try:
            outcomes.append(store.append(f"a-{number}", made(), expected_version=NONE))
        except BaseException as error:  # noqa: BLE001 -- the outcome
            outcomes.append(error)

    threads = [threading.Thread(target=call, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a thread was left waiting"
    assert sum(isinstance(outcome, KeyboardInterrupt) for outcome in outcomes) == 1
    told = [outcome for outcome in outcomes if isinstance(outcome, OutcomeUnknownError)]
    assert told
    assert all(outcome.retry_is_safe for outcome in told)
    assert grouping._planner.lanes == 0
    assert store.append("z-1", made(), expected_version=NONE)
