"""Whoever waits for events is woken by every way to append, and not by the end of the poll interval (SUB-02).

Nothing here waits for a clock: what happens while a subscriber sleeps is done at the moment when it falls asleep.
"""

import asyncio
import threading

import pytest
from memory_helpers import ANY, add, rolled_back

from mink_core import NewEvent, StreamAppend
from mink_memory import AsyncMemoryEventStore, MemoryEventStore, forget

HOUR = 3600.0
NAME = "wakeups"


@pytest.fixture(autouse=True)
def _only_nudges(monkeypatch):
    """No short waits before the first event."""
    monkeypatch.setattr("mink_core.runtime.pace.SHORTEST_WAIT", HOUR)
    yield
    forget(NAME)


# Ways to show events. What comes before `yield` happens before the subscriber falls asleep.


def one(log):
    yield
    add(log, "s")


def batch(log):
    yield
    add(log, "s", "t")


def transaction(log):
    with log.transaction() as writing:
        add(writing, "s")
        yield


def held_back_until_a_commit(log):
    with log.transaction() as writing:
        add(writing, "t")
        add(log, "s")
        yield


def held_back_until_a_rollback(log):
    with rolled_back(log) as writing:
        add(writing, "t")
        add(log, "s")
        yield


every_way = pytest.mark.parametrize(
    "way", [one, batch, transaction, held_back_until_a_commit, held_back_until_a_rollback]
)


def begun(way, log):
    """What is left to do of a way to show events."""
    steps = way(log)
    next(steps)
    return lambda: next(steps, None)


class Sleep(threading.Event):
    """A sleep in which something is done, as by another thread, and after which the sleeper must be awake."""

    def __init__(self, act):
        super().__init__()
        self.act = act

    def wait(self, timeout=None):
        assert timeout == HOUR
        self.act()
        assert self.is_set(), "nobody woke the subscriber"
        return True


@every_way
def test_a_thread_that_waits_is_woken(way):
    with MemoryEventStore() as store, store.subscribe(poll_interval=HOUR) as subscription:
        subscription._wake = Sleep(begun(way, store))
        assert next(subscription)[0].stream_id in {"s", "t"}


async def turns():
    """Let the loop run until it has nothing to do but to wait."""
    for _ in range(100):
        await asyncio.sleep(0)


async def woken_by(act, store):
    """Have something done while a task waits for events; it must have them afterwards."""
    async with store.subscribe(poll_interval=HOUR) as subscription:
        taking = asyncio.create_task(anext(subscription))
        await turns()
        assert not taking.done()
        await act()
        await turns()
        assert taking.done(), "nobody woke the subscriber"
        return (await taking)[0].stream_id


@every_way
def test_a_task_that_waits_is_woken_from_another_thread(way):
    async def main():
        async with AsyncMemoryEventStore(NAME) as store:
            with MemoryEventStore(NAME) as other:
                rest = begun(way, other)
                assert await woken_by(lambda: asyncio.to_thread(rest), store) in {"s", "t"}

    asyncio.run(main())


@pytest.mark.parametrize("way", ["append", "append_batch", "transaction"])
def test_a_task_that_waits_is_woken_by_its_own_store(way):
    async def main():
        async with AsyncMemoryEventStore() as store:

            async def act():
                new = [NewEvent("T", 0)]
                if way == "append":
                    await store.append("s", new, expected_version=ANY)
                elif way == "append_batch":
                    await store.append_batch([StreamAppend("s", new, ANY)])
                else:
                    async with store.transaction() as writing:
                        await writing.append("s", new, expected_version=ANY)

            assert await woken_by(act, store) == "s"

    asyncio.run(main())
