"""The store for asyncio: several loops, other tasks between pages, and its end."""

import asyncio

import pytest
from memory_helpers import ANY, add

from mink_core import NewEvent, StoreClosedError, StreamAppend
from mink_memory import AsyncMemoryEventStore


def test_one_store_serves_several_loops_one_after_another():
    store = AsyncMemoryEventStore()
    for number in range(1, 4):
        assert asyncio.run(add(store, "s")).first_version == number


def test_iterators_let_other_tasks_run_between_pages():
    async def main():
        store = AsyncMemoryEventStore()
        await store.append("s", [NewEvent("T", number) for number in range(3000)], expected_version=ANY)
        await store.append_batch([StreamAppend(f"c-{number}", [NewEvent("T", 0)], ANY) for number in range(3000)])
        for iterate in (lambda: store.read_stream("s"), store.read_all, store.streams):
            beats = 0

            async def beat():
                nonlocal beats
                while True:
                    beats += 1
                    await asyncio.sleep(0)

            other = asyncio.create_task(beat())
            async for _ in iterate():
                pass
            other.cancel()
            assert beats >= 5

    asyncio.run(main())


def test_a_subscription_with_a_backlog_lets_other_tasks_run():
    async def main():
        store = AsyncMemoryEventStore()
        await store.append("s", [NewEvent("T", number) for number in range(100)], expected_version=ANY)
        beats = []
        other = asyncio.create_task(_note(beats))
        async with store.subscribe(batch_size=10) as subscription:
            for _ in range(10):
                assert len(await anext(subscription)) == 10
        other.cancel()
        assert len(beats) >= 5

    async def _note(beats):
        while True:
            beats.append(1)
            await asyncio.sleep(0)

    asyncio.run(main())


def test_a_closed_store_refuses_every_use_and_ends_its_subscriptions():
    async def main():
        store = AsyncMemoryEventStore()
        await store.append("s", [NewEvent("T", number) for number in range(1200)], expected_version=ANY)
        begun = store.read_all()
        await anext(begun)
        subscription = store.subscribe(after_position=1200, poll_interval=60)
        waiting = asyncio.create_task(anext(subscription))
        await asyncio.sleep(0.01)
        block = store.transaction()
        await add(await block.__aenter__(), "s")
        await store.close()
        await store.close()
        with pytest.raises(StoreClosedError):
            await block.__aexit__(None, None, None)
        with pytest.raises(StopAsyncIteration):
            await asyncio.wait_for(waiting, 60)
        with pytest.raises(StoreClosedError):
            [event async for event in begun]
        for use in (
            lambda: add(store, "s"),
            lambda: add(store, "s", "t"),
            lambda: store.poll(0),
            lambda: store.stream_info("s"),
            lambda: store.update("s", lambda _: []),
            store.head_position,
            store.identity,
            store.bump_epoch,
            store.feed_status,
            store.check,
            store.initialize,
            store.ping,
            store.__aenter__,
        ):
            with pytest.raises(StoreClosedError):
                await use()
        for use in (lambda: store.read_stream("s"), store.read_all, store.streams, store.transaction, store.subscribe):
            with pytest.raises(StoreClosedError):
                use()

    asyncio.run(main())
