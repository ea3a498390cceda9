"""A cancellation inside a handler is its event's failure; one of the worker ends it (SUB-10, decision 142)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from mink_core import (
    EventFilter,
    HandlerCancelledError,
    HandlerFailedError,
    NewEvent,
    Projection,
    RetryPolicy,
    SubscriptionFailure,
    WhenExhausted,
)
from tests.adapters.doors import ASYNC_DOORS
from tests.adapters.following import ANY, caught_up, put, taking, until
from tests.adapters.script import play
from tests.adapters.test_relay_cancellations import its_own_future_is_cancelled

if TYPE_CHECKING:
    from tests.adapters.doors import Door
    from tests.adapters.script import Script

DELIVERIES = pytest.mark.parametrize("transactional", [False, True])
BY_TASKS = pytest.mark.parametrize("door", ASYNC_DOORS, indirect=True)
ONCE_MORE = RetryPolicy(retries=1, first_wait=0.001, longest_wait=0.001)


@DELIVERIES
def test_it_is_tried_again_and_parked(door: Door, transactional: bool) -> None:
    """Also in a thread, where a handler may have run a loop of its own."""

    async def scenario(script: Script) -> None:
        seen: list[int] = []
        told: list[SubscriptionFailure] = []

        def work(event: Any, *_: Any) -> None:
            seen.append(event.version)
            if event.version == 2 or (event.version == 3 and seen.count(3) == 1):
                raise asyncio.CancelledError("by the client")

        await put(script, 4)
        worker = script.store.subscription(
            "s",
            taking(script, work),
            transactional=transactional,
            batch_size=1,
            retry=RetryPolicy(retries=1, first_wait=0.001, longest_wait=0.001, then=WhenExhausted.PARK),
            on_error=told.append,
        )
        await script(worker.start())
        await until(lambda: caught_up(script))
        await script(worker.close())
        assert seen == [1, 2, 2, 3, 3, 4]
        assert [type(it.error) for it in told] == [HandlerCancelledError] * 3
        [parked] = await script(script.store.parked.list("s"))
        assert parked.attempts == 2
        assert parked.error == "HandlerCancelledError: cancelled inside the handler: by the client"

        await script(script.store.parked.replay("s"))  # and fails again
        again = script.store.subscription("s", taking(script, work), transactional=transactional)
        await script(again.start())
        await until(lambda: seen.count(2) == 3)
        await script(again.close())
        [parked] = await script(script.store.parked.list("s"))
        assert parked.attempts == 3

    play(door, scenario)


@BY_TASKS
@pytest.mark.parametrize("how", ["at least once", "exactly once", "projection"])
def test_a_future_that_is_cancelled_by_the_client_stops_the_worker_at_the_event(door: Door, how: str) -> None:
    async def scenario(script: Script) -> None:
        async def handler(event: Any, tx: Any = None) -> None:
            if tx is not None:
                await tx.append("effect-1", [NewEvent("Effect", {})], expected_version=ANY)
            if event.version == 2:
                await its_own_future_is_cancelled()

        await put(script, 3)
        options: dict[str, Any] = {"batch_size": 1, "retry": ONCE_MORE}
        if how == "projection":
            projection = Projection("p")
            projection.on("Made")(handler)
            worker = projection.worker_async(script.store, **options)
        else:
            worker = script.store.subscription("s", handler, transactional=how == "exactly once", **options)
        with pytest.raises(HandlerFailedError, match="cancelled inside the handler") as failed:
            await asyncio.wait_for(worker.run(), 60)
        assert isinstance(failed.value.__cause__, HandlerCancelledError)
        assert isinstance(failed.value.__cause__.__cause__, asyncio.CancelledError)
        effects = [event async for event in script.store.read_stream("effect-1")]
        assert len(effects) == (0 if how == "at least once" else 1)  # the first event's
        await put(script, 1)  # nothing is left locked

    play(door, scenario)


@BY_TASKS
@DELIVERIES
@pytest.mark.parametrize("retried", [False, True])
def test_a_worker_that_is_cancelled_within_the_handler_s_own_time_outs_ends(
    door: Door, transactional: bool, retried: bool
) -> None:
    async def scenario(script: Script) -> None:
        begun = asyncio.Event()
        seen: list[int] = []
        told: list[SubscriptionFailure] = []

        async def handler(event: Any, *_: Any) -> None:
            seen.append(event.version)
            for _ in range(3):  # those that fire leave no trace
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.001):
                        await asyncio.sleep(60)
            if retried and len(seen) == 1:
                await its_own_future_is_cancelled()
            async with asyncio.timeout(60), asyncio.TaskGroup() as group:
                group.create_task(asyncio.sleep(0))
                begun.set()
                await asyncio.sleep(60)

        await put(script, 1)
        worker = script.store.subscription(
            "s", handler, transactional=transactional, retry=ONCE_MORE, on_error=told.append
        )
        running = asyncio.create_task(worker.run())
        await begun.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert seen == ([1, 1] if retried else [1])
        assert len(told) == retried
        assert (await script(script.store.subscriptions.hold("s", "next", partitions=1, seconds=1))).leases
        kept = await script(script.store.checkpoints.load("s"))
        assert kept is None or kept.position == 0

    play(door, scenario)


@BY_TASKS
@DELIVERIES
def test_a_call_of_the_handler_s_that_it_cancels_itself_is_its_failure(door: Door, transactional: bool) -> None:
    """Also one on its transaction, whose connection is in no state to go on."""

    async def scenario(script: Script) -> None:
        tried: list[int] = []

        async def handler(event: Any, tx: Any = None) -> None:
            tried.append(event.version)
            if len(tried) == 1:
                target = script.store if tx is None else tx
                append = asyncio.create_task(target.append("effect-1", [NewEvent("E", {})], expected_version=ANY))
                await asyncio.sleep(0)
                append.cancel()
                await append

        await put(script, 2)
        only = EventFilter(event_types=("Made",))
        worker = script.store.subscription("s", handler, transactional=transactional, retry=ONCE_MORE, where=only)
        await worker.start()
        await until(lambda: 2 in tried)
        await worker.close()
        # Memory has appended before it could be cancelled.
        assert tried == ([1, 2] if door.name.startswith("memory") else [1, 1, 2])

    play(door, scenario)
