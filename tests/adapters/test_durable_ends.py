"""How the worker of a durable subscription ends, and who takes its place (SUB-04, SUB-09)."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from mink_core import (
    NewEvent,
    RetryPolicy,
    StorageError,
)
from mink_core.runtime.progress import Progress
from tests.adapters.doors import ASYNC_DOORS, DOORS
from tests.adapters.following import ANY, put, taking, until
from tests.adapters.script import play

if TYPE_CHECKING:
    from tests.adapters.doors import Door
    from tests.adapters.script import Script

WAYS_TO_END = [
    *((door, how) for door in DOORS for how in ("worker", "store")),
    *((door, "cancel") for door in ASYNC_DOORS),  # threads are not cancelled
]


@pytest.mark.parametrize(("door", "how"), WAYS_TO_END, indirect=["door"])
@pytest.mark.parametrize("when", ["idle", "in a retry", "many events"])
def test_it_ends_long_before_its_wait_is_over(door: Door, how: str, when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mink_core.runtime.pace.SHORTEST_WAIT", 60.0)

    async def scenario(script: Script) -> None:
        began: list[int] = []

        def work(event: Any) -> None:
            began.append(event.version)
            if when == "in a retry":
                raise ValueError
            if not door.is_async:
                time.sleep(0.002)

        await put(script, 3 if when != "many events" else 5000)
        worker = script.store.subscription(
            "s", taking(script, work), poll_interval=60, retry=RetryPolicy(first_wait=60, longest_wait=60)
        )
        if how == "cancel":
            task = asyncio.create_task(worker.run())
        else:
            await script(worker.start())
        await until(lambda: began)
        await asyncio.sleep(0.1)
        start = time.monotonic()
        if how == "cancel":
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        elif how == "worker":
            await script(worker.close())
        else:
            await script(script.store.close())
            assert await script(worker.wait(60))
        assert time.monotonic() - start < 20
        assert door.is_async or len(began) < 5000  # threads take ten seconds for all of them
        if how != "store":  # what it held is free at once
            assert (await script(script.store.subscriptions.hold("s", "next", partitions=1, seconds=1))).leases

    play(door, scenario)


def test_a_dead_worker_s_partition_is_taken_within_its_lease_time(door: Door) -> None:
    """The next beat would be minutes away; it is timed to the moment when the other's time runs out."""

    async def scenario(script: Script) -> None:
        seen: list[int] = []
        await put(script, 1)
        start = time.monotonic()
        await script(script.store.subscriptions.hold("s", "dead", partitions=1, seconds=0.5))
        handler = taking(script, lambda event: seen.append(event.version))
        worker = script.store.subscription("s", handler, lease_seconds=600)
        await script(worker.start())
        await until(lambda: seen)
        assert 0.45 < time.monotonic() - start < 30
        await script(worker.close())

    play(door, scenario)


def test_the_handler_may_close_its_own_worker(door: Door) -> None:
    async def scenario(script: Script) -> None:
        seen: list[int] = []
        workers: list[Any] = []

        def work(event: Any) -> None:
            seen.append(event.version)
            workers[0].close()

        async def awaited(event: Any) -> None:
            seen.append(event.version)
            await workers[0].close()

        await put(script, 5)
        workers.append(script.store.subscription("s", awaited if door.is_async else work))
        await script(workers[0].start())
        assert await script(workers[0].wait(60))
        assert seen == [1]
        assert (await script(script.store.checkpoints.load("s"))).position > 0
        await script(workers[0].close())

    play(door, scenario)


@pytest.mark.parametrize("door", ASYNC_DOORS, indirect=True)
def test_a_cancelled_transaction_leaves_nothing(door: Door) -> None:
    async def scenario(script: Script) -> None:
        begun = asyncio.Event()

        async def handler(event: Any, tx: Any) -> None:
            await tx.append("effect-1", [NewEvent("Effect", {})], expected_version=ANY)
            begun.set()
            await asyncio.sleep(60)

        await put(script, 1)
        task = asyncio.create_task(script.store.subscription("s", handler, transactional=True).run())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert [event async for event in script.store.read_stream("effect-1")] == []
        assert (await script(script.store.subscriptions.hold("s", "next", partitions=1, seconds=1))).leases
        await put(script, 1)  # nothing is left locked, and no connection is lost to the pool
        assert len((await script(script.store.poll(0))).events) == 2

    play(door, scenario)


@pytest.mark.parametrize("door", ASYNC_DOORS, indirect=True)
def test_a_close_that_is_cancelled_ends_the_handler_and_hands_back(door: Door) -> None:
    """As by `wait_for(worker.close(), …)`: the worker is cancelled while it waits for the handler."""

    async def scenario(script: Script) -> None:
        begun, ended = asyncio.Event(), asyncio.Event()

        async def handler(_: Any) -> None:
            begun.set()
            try:
                await asyncio.sleep(60)
            finally:
                ended.set()

        await put(script, 1)
        worker = script.store.subscription("s", handler, lease_seconds=600)
        await worker.start()
        await begun.wait()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(worker.close(), 0.05)
        assert ended.is_set()
        assert (await script(script.store.subscriptions.hold("s", "next", partitions=1, seconds=1))).leases

    play(door, scenario)


@pytest.mark.parametrize("door", ASYNC_DOORS, indirect=True)
def test_wait_and_close_know_of_a_worker_that_runs_in_the_caller_s_task(door: Door) -> None:
    async def scenario(script: Script) -> None:
        begun, may_end, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def handler(_: Any) -> None:
            begun.set()
            await may_end.wait()
            done.set()

        await put(script, 1)
        worker = script.store.subscription("s", handler)
        running = asyncio.create_task(worker.run())
        await begun.wait()
        assert not await worker.wait(0.01)
        waiting, closing = asyncio.create_task(worker.wait(60)), asyncio.create_task(worker.close())
        await asyncio.sleep(0)
        may_end.set()
        await closing
        assert done.is_set()
        assert await waiting
        await running

    play(door, scenario)


@pytest.mark.parametrize("door", ASYNC_DOORS, indirect=True)
@pytest.mark.parametrize("how", ["closed", "cancelled before it began"])
def test_a_worker_that_has_ended_is_known_to_have_ended(door: Door, how: str) -> None:
    async def scenario(script: Script) -> None:
        worker = script.store.subscription("s", taking(script, lambda _: None))
        await worker.start()
        if how == "closed":
            await worker.close()
        else:
            worker._task.cancel()
        assert await worker.wait(60)
        with suppress(asyncio.CancelledError):
            await worker.close()
        await worker.close()  # again: nothing is told twice

    play(door, scenario)


class Ended(BaseException):
    """As `SystemExit`, but no event loop knows it."""


@pytest.mark.parametrize("transactional", [False, True])
def test_a_handler_that_ends_its_worker_ends_it(door: Door, transactional: bool) -> None:
    """Not an `Exception`, so it is not the event's fault and not tried again; nor is it lost, to begin anew for ever."""

    async def scenario(script: Script) -> None:
        seen: list[int] = []

        def work(event: Any, *_: Any) -> None:
            seen.append(event.version)
            if event.version == 2:
                raise Ended

        await put(script, 3)
        worker = script.store.subscription("s", taking(script, work), transactional=transactional, batch_size=1)
        await script(worker.start())
        assert await script(worker.wait(60))
        with pytest.raises(Ended):
            await script(worker.close())
        assert seen == [1, 2]
        first = (await script(script.store.poll(0))).events[0]
        assert (await script(script.store.checkpoints.load("s"))).position == first.global_position
        await put(script, 1)  # nothing is left locked

        async def is_free() -> bool:
            return bool((await script(script.store.subscriptions.hold("s", "next", partitions=1, seconds=1))).leases)

        await until(is_free)

    play(door, scenario)


@pytest.mark.parametrize("saves", [True, False])
def test_what_was_handled_before_is_saved(door: Door, saves: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The event is the first to be handled again; where that cannot be saved, what was raised is told all the same."""

    async def scenario(script: Script) -> None:
        seen: list[int] = []

        def work(event: Any) -> None:
            seen.append(event.version)
            if event.version == 3 and seen.count(3) == 1:
                raise Ended

        def failing(*_: Any) -> Any:
            raise StorageError("nothing is written here")

        await put(script, 4)
        worker = script.store.subscription("s", taking(script, work))
        with monkeypatch.context() as patched:
            if not saves:
                patched.setattr(Progress, "save_on", failing)
            await script(worker.start())
            assert await script(worker.wait(60))
            with pytest.raises(Ended):
                await script(worker.close())
        assert seen == [1, 2, 3]
        again = script.store.subscription("s", taking(script, work))
        await script(again.start())
        await until(lambda: 4 in seen)
        await script(again.close())
        assert seen == ([1, 2, 3, 3, 4] if saves else [1, 2, 3, 1, 2, 3, 4])

    play(door, scenario)
