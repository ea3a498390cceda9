"""Catch-up, live, and the end of it, on every door (SUB-01, 02, 04, 05)."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from mink_core import EventFilter, ExpectedVersion, NewEvent, UsageError
from tests.adapters.doors import ASYNC_DOORS

if TYPE_CHECKING:
    from tests.adapters.doors import Door

ANY = ExpectedVersion.ANY
async_doors = pytest.mark.parametrize("door", ASYNC_DOORS, indirect=True)
EVENTS = 600


def one(number: int) -> list[NewEvent]:
    return [NewEvent("Even" if number % 2 == 0 else "Odd", {"n": number})]


def test_catch_up_hands_over_to_live(door: Door) -> None:
    """Half is there before the subscription starts, half is appended while it reads, some of it in open transactions."""
    where = EventFilter(event_types=("Even",))

    def sync(store: Any) -> None:
        for number in range(EVENTS // 2):
            store.append(f"s-{number % 7}", one(number), expected_version=ANY)

        def write() -> None:
            for number in range(EVENTS // 2, EVENTS):
                if number % 50 == 0:
                    with store.transaction() as tx:
                        tx.append(f"t-{number}", one(number), expected_version=ANY)
                        time.sleep(0.01)
                else:
                    store.append(f"s-{number % 7}", one(number), expected_version=ANY)

        writer = threading.Thread(target=write)
        got: dict[str, list[int]] = {"all": [], "even": []}

        def follow(name: str, filtered: EventFilter, wanted: int) -> None:
            with store.subscribe(where=filtered, batch_size=17, poll_interval=0.01) as subscription:
                for batch in subscription:
                    assert 1 <= len(batch) <= 17
                    got[name].extend(event.global_position for event in batch)
                    if len(got[name]) >= wanted:
                        return

        readers = [
            threading.Thread(target=follow, args=("all", EventFilter(), EVENTS)),
            threading.Thread(target=follow, args=("even", where, EVENTS // 2)),
        ]
        for thread in [*readers, writer]:
            thread.start()
        for thread in [*readers, writer]:
            thread.join(60)
        assert got["all"] == [event.global_position for event in store.read_all()]
        assert got["even"] == [event.global_position for event in store.read_all(where=where)]
        assert len(got["even"]) == EVENTS // 2

    async def awaited(store: Any) -> None:
        for number in range(EVENTS // 2):
            await store.append(f"s-{number % 7}", one(number), expected_version=ANY)

        async def write() -> None:
            for number in range(EVENTS // 2, EVENTS):
                if number % 50 == 0:
                    async with store.transaction() as tx:
                        await tx.append(f"t-{number}", one(number), expected_version=ANY)
                        await asyncio.sleep(0.01)
                else:
                    await store.append(f"s-{number % 7}", one(number), expected_version=ANY)

        async def follow(filtered: EventFilter, wanted: int) -> list[int]:
            got: list[int] = []
            async with store.subscribe(where=filtered, batch_size=17, poll_interval=0.01) as subscription:
                async for batch in subscription:
                    assert 1 <= len(batch) <= 17
                    got.extend(event.global_position for event in batch)
                    if len(got) >= wanted:
                        break
            return got

        everything, even, _ = await asyncio.wait_for(
            asyncio.gather(follow(EventFilter(), EVENTS), follow(where, EVENTS // 2), write()), 60
        )
        assert everything == [event.global_position async for event in store.read_all()]
        assert even == [event.global_position async for event in store.read_all(where=where)]

    door.run(awaited if door.is_async else sync)


@pytest.mark.parametrize("closing", ["subscription", "store"])
def test_closing_ends_it_promptly_from_elsewhere(door: Door, closing: str) -> None:
    """The subscription waits a minute between polls; its end must not."""

    def sync(store: Any) -> None:
        subscription = store.subscribe(poll_interval=60)
        closer = threading.Timer(0.2, subscription.close if closing == "subscription" else store.close)
        closer.start()
        start = time.monotonic()
        assert list(subscription) == []
        assert time.monotonic() - start < 20
        closer.join()

    async def awaited(store: Any) -> None:
        subscription = store.subscribe(poll_interval=60)

        async def close() -> None:
            await asyncio.sleep(0.2)
            await (subscription.close() if closing == "subscription" else store.close())

        task = asyncio.create_task(close())
        start = time.monotonic()
        assert [batch async for batch in subscription] == []
        assert time.monotonic() - start < 20
        await task

    door.run(awaited if door.is_async else sync)


@async_doors
def test_an_async_subscription_closes_from_another_thread(door: Door) -> None:
    async def awaited(store: Any) -> None:
        subscription = store.subscribe(poll_interval=60)
        closer = threading.Timer(0.2, subscription.stop)
        closer.start()
        start = time.monotonic()
        assert [batch async for batch in subscription] == []
        assert time.monotonic() - start < 20
        closer.join()

    door.run(awaited)


@async_doors
def test_a_cancelled_wait_loses_nothing(door: Door) -> None:
    async def awaited(store: Any) -> None:
        subscription = store.subscribe(poll_interval=0.01)
        got: list[int] = []
        for number in range(60):
            await store.append("a-1", one(number), expected_version=ANY)
            step = asyncio.ensure_future(anext(subscription))
            await asyncio.sleep(0.0005 * (number % 9))
            if not step.done():
                step.cancel()
            result = (await asyncio.gather(step, return_exceptions=True))[0]
            if not isinstance(result, BaseException):
                got.extend(event.version for event in result)
        while len(got) < 60:
            got.extend(event.version for event in await asyncio.wait_for(anext(subscription), 60))
        assert got == list(range(1, 61))

    door.run(awaited)


def test_wrong_arguments_are_refused_by_the_call(door: Door) -> None:
    wrong: list[dict[str, Any]] = [
        {"after_position": -1},
        {"after_position": True},
        {"batch_size": 0},
        {"poll_interval": 0},
        {"poll_interval": float("nan")},
        {"where": "x"},
        {"identity": "x"},
    ]

    def check(store: Any) -> None:
        for arguments in wrong:
            with pytest.raises(UsageError):
                store.subscribe(**arguments)

    async def awaited(store: Any) -> None:
        check(store)

    door.run(awaited if door.is_async else check)
