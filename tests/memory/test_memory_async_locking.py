"""Tasks that wait for a stream: woken in turn, cancelled at any moment, across threads and loops."""

import asyncio
import threading
import uuid

import pytest
from memory_helpers import ANY, add, nothing_locked, queue_length, until

import mink_memory
from mink_core import NewEvent, StorageError, TransientStorageError
from mink_memory import AsyncMemoryEventStore, MemoryEventStore


async def queued(store, key, count=1):
    for _ in range(5000):
        if queue_length(store, key) == count:
            return
        await asyncio.sleep(0.001)
    raise AssertionError


@pytest.fixture
def name():
    name = f"test-{uuid.uuid4()}"
    yield name
    mink_memory.forget(name)


def test_a_waiting_append_never_blocks_the_loop():
    async def main():
        store = AsyncMemoryEventStore()
        async with store.transaction() as transaction:
            await add(transaction, "s")
            waiting = asyncio.create_task(add(store, "s"))
            await queued(store, "s")
            ticks = 0
            for _ in range(20):
                await asyncio.sleep(0)
                ticks += 1
            assert ticks == 20
            assert not waiting.done()
        assert (await waiting).first_version == 2
        assert nothing_locked(store)

    asyncio.run(main())


def test_a_busy_writer_that_never_pauses_between_transactions_starves_nobody():
    async def main():
        store = AsyncMemoryEventStore(lock_timeout=60.0)
        stop = False

        async def busy():
            while not stop:
                async with store.transaction() as transaction:
                    await add(transaction, "s")
                    await asyncio.sleep(0)

        writer = asyncio.create_task(busy())
        await asyncio.sleep(0)
        for _ in range(20):
            async with asyncio.timeout(60):
                await add(store, "s")
        stop = True
        await writer
        assert nothing_locked(store)

    asyncio.run(main())


def test_a_cancelled_waiter_leaves_nothing_behind():
    async def main():
        store = AsyncMemoryEventStore()
        async with store.transaction() as transaction:
            await add(transaction, "s")
            plain = asyncio.create_task(add(store, "a", "s"))
            await queued(store, "s")
            later = asyncio.create_task(add(store, "s"))
            await queued(store, "s", 2)
            plain.cancel()
            with pytest.raises(asyncio.CancelledError):
                await plain
            await add(store, "a")
        assert (await later).first_version == 2
        assert [event.stream_id async for event in store.read_all()] == ["s", "a", "s"]
        assert nothing_locked(store)

    asyncio.run(main())


def test_a_waiter_cancelled_at_the_moment_of_its_grant_passes_the_lock_on():
    async def main():
        store = AsyncMemoryEventStore()
        async with store.transaction() as transaction:
            await add(transaction, "s")
            first = asyncio.create_task(add(store, "s"))
            await queued(store, "s")
            second = asyncio.create_task(add(store, "s"))
            await queued(store, "s", 2)
        errors = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
        # The commit has granted it to the first, whose task did not run yet.
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert (await second).first_version == 2
        assert errors == []
        assert nothing_locked(store)

    asyncio.run(main())


def test_a_cancelled_wait_ends_its_transaction():
    store = AsyncMemoryEventStore()

    async def go_on_after_the_cancellation():
        async with store.transaction() as second:
            await add(second, "t")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(add(second, "s"), 0.02)
            await add(store, "t")

    async def main():
        async with store.transaction() as first:
            await add(first, "s")
            with pytest.raises(StorageError, match="CancelledError"):  # from the commit
                await go_on_after_the_cancellation()
        assert [event.stream_id async for event in store.read_all()] == ["s", "t"]
        assert nothing_locked(store)

    asyncio.run(main())


def test_the_time_out_says_which_task_is_in_the_way():
    async def main():
        store = AsyncMemoryEventStore(lock_timeout=0.05)

        async def hold():
            async with store.transaction() as transaction:
                await add(transaction, "s")
                await asyncio.sleep(60)

        holder = asyncio.create_task(hold(), name="slow-import")
        await asyncio.sleep(0)
        assert (await store.feed_status()).holders[0].doing == "task slow-import"
        with pytest.raises(TransientStorageError, match="slow-import"):
            await add(store, "s")
        holder.cancel()
        with pytest.raises(asyncio.CancelledError):
            await holder
        assert (await add(store, "s")).first_version == 1
        assert nothing_locked(store)

    asyncio.run(main())


def test_calls_of_one_transaction_may_wait_side_by_side():
    async def main():
        store = AsyncMemoryEventStore(lock_timeout=60.0)
        async with store.transaction() as first:
            await add(first, "s")

            async def second():
                async with store.transaction() as transaction:
                    await asyncio.gather(*(add(transaction, "s") for _ in range(3)), add(transaction, "a", "s"))

            waiting = asyncio.create_task(second())
            await queued(store, "s", 4)
        async with asyncio.timeout(60):
            await waiting
        assert (await store.stream_info("s")).version == 5
        assert nothing_locked(store)

    asyncio.run(main())


def test_waiters_are_woken_across_threads_and_loops(name):
    holding, release = threading.Event(), threading.Event()
    versions = []

    def hold():
        with MemoryEventStore(name) as store, store.transaction() as transaction:
            transaction.append("s", [NewEvent("T", None)], expected_version=ANY)
            holding.set()
            assert release.wait(60)

    async def wait_in_loop():
        store = AsyncMemoryEventStore(name)
        versions.append((await add(store, "s")).first_version)

    threads = [threading.Thread(target=hold)]
    threads[0].start()
    assert holding.wait(60)
    threads += [threading.Thread(target=lambda: asyncio.run(wait_in_loop())) for _ in range(4)]
    for thread in threads[1:]:
        thread.start()
    probe = MemoryEventStore(name)
    until(lambda: queue_length(probe, "s") == 4)
    release.set()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert sorted(versions) == [2, 3, 4, 5]
    assert nothing_locked(probe)


@pytest.mark.filterwarnings("ignore")
def test_a_loop_closed_over_its_waiter_is_passed_over(name):
    with MemoryEventStore(name) as store:
        with store.transaction() as transaction:
            transaction.append("s", [NewEvent("T", None)], expected_version=ANY)
            loop = asyncio.new_event_loop()
            abandoned = loop.create_task(add(AsyncMemoryEventStore(name), "s"))
            while not queue_length(store, "s"):
                loop.run_until_complete(asyncio.sleep(0))
            loop.close()
        assert store.append("s", [NewEvent("T", None)], expected_version=ANY).first_version == 2
        assert not abandoned.done()
        abandoned.get_coro().close()
