"""Grouped commits where groups cannot be sent: nobody waits for ever, nor for others' tries, and who has gone is not kept."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from typing import TYPE_CHECKING, Any

from mink_core import ExpectedVersion, TransientStorageError
from mink_postgres.grouping.planner import GROUP_APPENDS, LANES
from tests.postgres.grouped import always_grouped, begun, grouped_tasks, kind_of, made

if TYPE_CHECKING:
    from mink_postgres import PostgresEventStore

ANY, NONE = ExpectedVersion.ANY, ExpectedVersion.NO_STREAM


def test_tasks_try_alone_where_groups_have_no_connection(postgres_url: str, schema: str) -> None:
    """Else each group would wait for one after the group before, each as long as may be."""

    async def scenario() -> None:
        async with grouped_tasks(postgres_url, schema) as store:
            backend: Any = store._backend
            tries, gate, acquire = 0, asyncio.Event(), backend.acquire

            async def refused() -> Any:
                nonlocal tries
                tries += 1
                await gate.wait()
                raise TransientStorageError("none")

            backend.acquire = refused
            tasks = await begun(store, [f"a-{n}" for n in range(200)], NONE)
            assert tries == LANES
            gate.set()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            assert {type(outcome) for outcome in outcomes} == {TransientStorageError}
            assert tries == LANES + 200 - LANES * GROUP_APPENDS
            backend.acquire = acquire
            assert await store.append("a-1", made(), expected_version=NONE)

    asyncio.run(scenario())


def test_threads_try_alone_where_groups_have_no_connection(store: PostgresEventStore) -> None:
    always_grouped(store)
    grouping: Any = store._grouping
    backend: Any = store._backend
    lend, gate = backend.lend, threading.Event()
    tries = itertools.count(1)

    def refused(_: Any) -> Any:
        next(tries)
        assert gate.wait(60)
        raise TransientStorageError("none")

    backend.lend = refused
    outcomes: list[object] = []

    def work(number: int) -> None:
        try:
            outcomes.append(store.append(f"a-{number}", made(), expected_version=NONE))
        except TransientStorageError as error:
            outcomes.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(100)]
    for thread in threads:
        thread.start()
    planner = grouping._planner
    while len(planner._ready) + len(planner._busy) < 100:
        time.sleep(0.001)
    alone = len(planner._ready)
    gate.set()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a thread was left waiting"
    assert [type(outcome) for outcome in outcomes] == [TransientStorageError] * 100
    assert next(tries) - 1 == alone + LANES
    backend.lend = lend
    assert store.append("a-1", made(), expected_version=NONE)


def test_a_lane_that_fails_leaves_nobody_waiting(postgres_url: str, schema: str) -> None:
    """By what is no error of a store's: a callback of the caller's pool."""

    async def scenario() -> None:
        async with grouped_tasks(postgres_url, schema) as store:
            backend: Any = store._backend
            acquire, gate = backend.acquire, asyncio.Event()

            async def broken() -> Any:
                await gate.wait()
                backend.acquire = acquire
                raise RuntimeError

            backend.acquire = broken
            asyncio.get_running_loop().set_exception_handler(lambda *_: None)
            tasks = await begun(store, [f"a-{n}" for n in range(100)], NONE)
            gate.set()
            async with asyncio.timeout(60):
                outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            kinds = [kind_of(outcome) for outcome in outcomes]
            assert kinds.count("AppendResult") == 100 - LANES * GROUP_APPENDS
            assert store._grouping._planner.lanes == 0

    asyncio.run(scenario())


def test_who_is_cancelled_while_it_waits_is_not_kept(postgres_url: str, schema: str) -> None:
    async def scenario() -> None:
        async with grouped_tasks(postgres_url, schema) as store:
            backend: Any = store._backend
            acquire, gate = backend.acquire, asyncio.Event()

            async def gated() -> Any:
                await gate.wait()
                return await acquire()

            backend.acquire = gated
            planner: Any = store._grouping._planner
            names = ["a-1", *(f"b-{n}" for n in range(40)), "a-1", *(f"c-{n}" for n in range(40))]
            tasks = await begun(store, names, ANY)
            assert planner._ready
            assert planner._behind
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            assert not planner._ready
            assert not any(planner._behind.values())
            gate.set()
            assert await store.append("d-1", made(), expected_version=NONE)
            assert [info.stream_id async for info in store.streams()] == ["d-1"]

    asyncio.run(scenario())
