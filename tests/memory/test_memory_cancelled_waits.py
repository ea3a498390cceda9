"""A cancellation that comes together with what a task waits for ends the task all the same."""

import asyncio

import pytest
from memory_helpers import add

from mink_core.publishers import AsyncCallablePublisher
from mink_core.runtime.async_relay import AsyncOutboxRelay
from mink_core.runtime.doors import TaskDoor
from mink_memory import AsyncMemoryEventStore

HOUR = 3600.0
_MOST_TURNS = 8
"""Turns of the loop until whoever was woken has taken what woke it."""


def signal(_store):
    waited_for = TaskDoor().signal()

    async def wake():
        waited_for.set()

    return waited_for.wait(HOUR), wake


def subscription(store):
    async def follow():
        async for _ in store.subscribe(poll_interval=HOUR):
            pass

    return follow(), lambda: add(store, "s")


def relay(store):
    async def send(_message):
        pass

    relaying = AsyncOutboxRelay(store, AsyncCallablePublisher(send), poll_interval=HOUR)

    async def wake():
        relaying.stop()

    return relaying.run(), wake


def worker(store):
    async def handle(_event):
        pass

    waited_for = store.subscription("s", handle)
    running = asyncio.create_task(waited_for.run())

    async def wake():
        running.cancel()

    return waited_for.wait(HOUR), wake


async def turns(number):
    for _ in range(number):
        await asyncio.sleep(0)


@pytest.mark.parametrize("waiting", [signal, subscription, relay, worker])
def test_a_cancellation_that_comes_with_a_wake_up_is_not_lost(waiting, monkeypatch):
    monkeypatch.setattr("mink_core.runtime.pace.SHORTEST_WAIT", HOUR)

    async def main():
        were_cancelled = 0
        for late in range(_MOST_TURNS):
            async with AsyncMemoryEventStore() as store:
                work, wake = waiting(store)
                task = asyncio.create_task(work)
                await turns(100)
                assert not task.done()
                await wake()
                await turns(late)
                if task.cancel():  # else it has ended before
                    were_cancelled += 1
                    await turns(100)
                    assert task.cancelled(), f"{late} turns after the wake-up"
        assert were_cancelled

    asyncio.run(main())
