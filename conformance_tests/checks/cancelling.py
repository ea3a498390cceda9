"""Async calls that are cancelled at each of their awaits: nothing is stored in part, nothing leaks."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from conformance_tests.check import Layer, check
from conformance_tests.expect import equal, fail, true
from conformance_tests.faults.cancelling import CANCELLED, cancelled_at
from mink_core import Capability, ExpectedVersion, MinkError, StreamAppend

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from conformance_tests.lab import Lab

ANY = ExpectedVersion.ANY
_MOST_AWAITS = 60
_MOMENTS = 20
_LATEST = 0.003
"""Seconds; a call takes about so long."""
_CALLERS = 30
_IN_TIME = 20.0


async def _at_each_await(
    lab: Lab, make: Callable[[int], Coroutine[Any, Any, Any]], after: Callable[[int], Any]
) -> None:
    """Run a call again and again, cancelled at its first await, its second, and so on."""
    for number in range(_MOST_AWAITS):
        struck, outcome = await cancelled_at(make(number), number)
        if not struck:
            return
        lab.count(CANCELLED)
        if isinstance(outcome, Exception) and not isinstance(outcome, MinkError):
            fail("what a cancelled call raises", expected="CancelledError", seen=repr(outcome))
        await after(number)


async def _at_any_moment(
    lab: Lab, make: Callable[[int], Coroutine[Any, Any, Any]], after: Callable[[int], Any]
) -> None:
    """Run a call again and again, cancelled some time after it began: also once the storage has answered."""
    for number in range(_MOST_AWAITS, _MOST_AWAITS + _MOMENTS):
        task = asyncio.create_task(make(number))
        await asyncio.sleep(lab.random.random() * _LATEST)
        lab.count(CANCELLED, int(task.cancel()))
        await asyncio.gather(task, return_exceptions=True)
        await after(number)


async def _still_serves(store: Any, lab: Lab) -> None:
    """More callers than any small pool has connections."""
    calls = [store.append(f"after-{number}", lab.events(1), expected_version=ANY) for number in range(_CALLERS)]
    try:
        await asyncio.wait_for(asyncio.gather(*calls), _IN_TIME)
    except (TimeoutError, MinkError) as error:
        fail(
            f"SUB-04: {_CALLERS} appends after the cancelled calls",
            expected=f"all stored within {_IN_TIME:g} s; cancelled calls leave no connection behind",
            seen=repr(error),
        )


@check("APPEND-01", "APPEND-09", "APPEND-11", layer=Layer.FAULT, requires=[CANCELLED])
def a_cancelled_append_is_stored_whole_and_once(lab: Lab) -> None:
    """An append cancelled at any await is stored whole or not at all; made again, it is stored once."""
    if not lab.is_async:
        return  # a thread cannot be cancelled
    store = lab.open_native()
    batched = Capability.APPEND_BATCH in lab.capabilities

    async def work() -> None:
        for kind in ("append", "batch") if batched else ("append",):
            items = [StreamAppend(f"{kind}-{number}", lab.events(2), 0) for number in range(_MOST_AWAITS + _MOMENTS)]

            async def call(number: int, kind: str = kind, items: list[StreamAppend] = items) -> Any:
                item = items[number]
                if kind == "batch":
                    return await store.append_batch([item])
                return await store.append(item.stream_id, item.events, expected_version=0)

            async def after(number: int, call: Any = call, items: list[StreamAppend] = items) -> None:
                item = items[number]
                ids = [event.event_id for event in item.events]
                there = [event.event_id async for event in store.read_stream(item.stream_id)]
                true(
                    there in ([], ids),
                    "APPEND-01: what a cancelled append has stored",
                    expected="all or none",
                    seen=there,
                )
                await call(number)
                there = [event.event_id async for event in store.read_stream(item.stream_id)]
                equal(there, ids, "APPEND-09: the events of a cancelled append that was made again")

            await _at_each_await(lab, call, after)
            await _at_any_moment(lab, call, after)
        if Capability.TRANSACTIONS in lab.capabilities:
            await _cancelled_waits(lab, store)
        await _still_serves(store, lab)

    lab.run(work())


async def _cancelled_waits(lab: Lab, store: Any) -> None:
    """An append that waits for a locked stream is cancelled: it stores nothing, and the holder is not disturbed."""
    for number in range(3):
        stream = f"locked-{number}"
        async with store.transaction() as transaction:
            await transaction.append(stream, lab.events(1), expected_version=0)
            waiting = asyncio.create_task(store.append(stream, lab.events(2), expected_version=ANY))
            await asyncio.sleep(0.02 * number)
            lab.count(CANCELLED, int(waiting.cancel()))
            await asyncio.gather(waiting, return_exceptions=True)
        result = await asyncio.wait_for(store.append(stream, lab.events(1), expected_version=ANY), _IN_TIME)
        equal(result.last_version, 2, "APPEND-01: the version after a cancelled append that waited, and another one")


@check("TX-01", needs=[Capability.TRANSACTIONS], layer=Layer.FAULT, requires=[CANCELLED])
def a_cancelled_transaction_is_whole(lab: Lab) -> None:
    """A transaction cancelled at any await is stored whole or not at all, and holds nobody up afterwards."""
    if not lab.is_async:
        return
    store, other = lab.open_native(), lab.open_native()

    async def work() -> None:
        async def call(number: int) -> None:
            async with store.transaction() as transaction:
                await transaction.append(f"one-{number}", lab.events(1), expected_version=0)
                await asyncio.sleep(0)
                await transaction.append(f"two-{number}", lab.events(1), expected_version=0)

        async def after(number: int) -> None:
            sizes = [len([event async for event in other.read_stream(f"{name}-{number}")]) for name in ("one", "two")]
            true(sizes in ([0, 0], [1, 1]), "TX-01: events stored of each append", expected="all or none", seen=sizes)
            # A transaction left open would hold this one up, and the feed as well.
            await asyncio.wait_for(other.append(f"one-{number}", lab.events(1), expected_version=ANY), _IN_TIME)
            head = (await other.poll(0, limit=10_000)).next_position
            equal(await other.head_position(), head, "TX-01: the head after a cancelled transaction")
            last = [event async for event in other.read_stream(f"one-{number}")][-1]
            equal(head, last.global_position, "FEED-03: the feed after a cancelled transaction")

        await _at_each_await(lab, call, after)
        await _still_serves(store, lab)

    lab.run(work())


@check("SUB-04", "FEED-06", layer=Layer.FAULT, requires=[CANCELLED])
def cancelled_readers_lose_and_leak_nothing(lab: Lab) -> None:
    """Reads, polls and a subscription's steps cancelled at any await leave nothing behind; the next one loses nothing."""
    if not lab.is_async:
        return
    store = lab.open_native()

    async def work() -> None:
        await store.append("read-1", lab.events(5), expected_version=0)
        reads: list[Callable[[int], Coroutine[Any, Any, Any]]] = [
            lambda _: _all(store.read_stream("read-1")),
            lambda _: _all(store.read_all()),
            lambda _: store.poll(0),
            lambda _: store.stream_info("read-1"),
        ]

        async def nothing(_number: int) -> None:
            await asyncio.sleep(0)

        for read in reads:
            await _at_each_await(lab, read, nothing)
        if Capability.SUBSCRIBE in lab.capabilities:
            await _cancelled_steps(store, lab)
        await _still_serves(store, lab)

    lab.run(work())


async def _cancelled_steps(store: Any, lab: Lab) -> None:
    given: list[int] = []
    start = await store.head_position()
    subscription = store.subscribe(after_position=start, batch_size=2, poll_interval=0.01)
    total = 0
    for number in range(_MOST_AWAITS // 2):
        await store.append("fed-1", lab.events(2), expected_version=ANY)
        total += 2
        struck, outcome = await cancelled_at(anext(subscription), number % 6)
        lab.count(CANCELLED, int(struck))
        if not isinstance(outcome, BaseException):
            given.extend(event.version for event in outcome)
    while len(given) < total:
        batch = await asyncio.wait_for(anext(subscription), _IN_TIME)
        given.extend(event.version for event in batch)
    await subscription.close()
    equal(given, list(range(1, total + 1)), "SUB-04: the versions that a subscription gave between cancelled steps")


async def _all(events: Any) -> list[Any]:
    return [event async for event in events]
