"""Durable subscriptions on every door (SUB-03, SUB-06 to SUB-09)."""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from typing import TYPE_CHECKING, Any

import pytest

from mink_core import (
    EventFilter,
    ExpectedVersion,
    HandlerFailedError,
    MinkError,
    NewEvent,
    NextStep,
    PositionAheadError,
    RetryPolicy,
    SubscriptionFailure,
    TransientStorageError,
    UsageError,
    WhenExhausted,
)
from tests.adapters.script import play

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.adapters.doors import Door
    from tests.adapters.script import Script

ANY = ExpectedVersion.ANY
QUICK = RetryPolicy(retries=2, first_wait=0.01)
PARK = RetryPolicy(retries=1, first_wait=0.01, then=WhenExhausted.PARK)


async def put(script: Script, count: int, stream: str = "a-1", **data: Any) -> None:
    new = [NewEvent("Made", {"n": number, **data}) for number in range(count)]
    await script(script.store.append(stream, new, expected_version=ANY))


async def until(condition: Callable[[], Any], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not (await result if inspect.isawaitable(result := condition()) else result):
        assert time.monotonic() < end, "it did not come to pass"
        await asyncio.sleep(0.005)


def taking(script: Script, work: Callable[..., None]) -> Any:
    """A handler of the door's own kind."""
    if not hasattr(script.store, "__aenter__"):
        return work

    async def handler(*arguments: Any) -> None:
        await asyncio.sleep(0)
        work(*arguments)

    return handler


def test_what_was_handled_is_not_handled_again(door: Door) -> None:
    async def scenario(script: Script) -> None:
        seen: list[int] = []
        handler = taking(script, lambda event: seen.append(event.version))
        for number in range(4):
            await put(script, 5)
            worker = script.store.subscription("s", handler, batch_size=2)
            await script(worker.start())
            await until(lambda wanted=5 * number + 5: len(seen) == wanted)
            await script(worker.close())
        assert seen == list(range(1, 21))
        assert (await script(script.store.subscriptions.list()))[0].lag_events == 0
        with pytest.raises(UsageError, match="once"):
            await script(worker.run())

    play(door, scenario)


def test_from_now_on_stays_where_it_was_first_said(door: Door) -> None:
    async def checkpointed(script: Script) -> bool:
        return await script(script.store.checkpoints.load("s")) is not None

    async def scenario(script: Script) -> None:
        seen: list[int] = []
        handler = taking(script, lambda event: seen.append(event.version))
        await put(script, 3)
        for _ in range(2):  # the second start finds two events that came while nobody worked
            worker = script.store.subscription("s", handler, after_position=None)
            await script(worker.start())
            await until(lambda: checkpointed(script))
            await asyncio.sleep(0.1)
            await script(worker.close())
            await put(script, 2)
        assert seen == [4, 5]

    play(door, scenario)


def test_exactly_once_with_the_checkpoint(door: Door) -> None:
    """Effects are appended in the transaction; the handler fails on every third event, once."""

    async def scenario(script: Script) -> None:
        failed: set[int] = set()
        told: list[SubscriptionFailure] = []

        def sync_handler(event: Any, tx: Any) -> None:
            tx.append("effect-1", [NewEvent("Effect", {"of": event.version})], expected_version=ANY)
            fail(event)

        async def handler(event: Any, tx: Any) -> None:
            await tx.append("effect-1", [NewEvent("Effect", {"of": event.version})], expected_version=ANY)
            fail(event)

        def fail(event: Any) -> None:
            if event.version % 3 == 0 and event.version not in failed:
                failed.add(event.version)
                raise KeyError(event.version)

        await put(script, 20)
        worker = script.store.subscription(
            "s",
            handler if door.is_async else sync_handler,
            transactional=True,
            where=EventFilter(categories=("a",)),
            batch_size=8,
            retry=QUICK,
            on_error=told.append,
        )
        await script(worker.start())
        effects: list[int] = []
        while len(effects) < 20:
            await asyncio.sleep(0.02)
            page = await script(script.store.poll(0, limit=1000, where=EventFilter(stream_ids=("effect-1",))))
            effects = [event.data["of"] for event in page.events]
        await script(worker.close())
        assert effects == list(range(1, 21))
        assert [(item.event.version, item.attempt, item.next_step) for item in told if item.event] == [
            (version, 1, NextStep.RETRY) for version in range(3, 21, 3)
        ]

    play(door, scenario)


@pytest.mark.parametrize("transactional", [False, True])
def test_a_handler_that_fails_stops_the_worker_at_its_event(
    door: Door, transactional: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(script: Script) -> None:
        seen: list[int] = []
        told: list[SubscriptionFailure] = []

        def work(event: Any, *_: Any) -> None:
            if event.version == 4:
                raise ValueError("never")
            seen.append(event.version)

        await put(script, 6)
        worker = script.store.subscription(
            "s", taking(script, work), transactional=transactional, retry=QUICK, on_error=told.append
        )
        await script(worker.start())
        assert await script(worker.wait(10))
        with pytest.raises(HandlerFailedError, match="failed 3 times on the Made") as caught:
            await script(worker.close())
        assert isinstance(caught.value.__cause__, ValueError)
        assert caught.value.attempts == 3
        events = (await script(script.store.poll(0))).events
        assert caught.value.position == events[3].global_position
        assert (await script(script.store.checkpoints.load("s"))).position == events[2].global_position
        assert [(item.attempt, item.next_step) for item in told] == [
            (1, NextStep.RETRY),
            (2, NextStep.RETRY),
            (3, NextStep.STOP),
        ]
        assert sorted(set(seen)) == [1, 2, 3]
        if not transactional:
            assert seen == [1, 2, 3]

    with caplog.at_level(logging.WARNING, "mink.subscriptions"):
        play(door, scenario)
    record = caplog.records[-1]
    assert (record.levelname, record.subscription, record.partition, record.attempt) == ("ERROR", "s", 0, 3)
    assert (record.event_type, record.next_step) == ("Made", "stop")


@pytest.mark.parametrize("transactional", [False, True])
def test_what_fails_is_parked_and_replayed(door: Door, transactional: bool) -> None:
    async def scenario(script: Script) -> None:
        store = script.store
        seen: list[int] = []
        broken = {2, 5}

        def work(event: Any, *_: Any) -> None:
            if event.version in broken:
                raise ValueError(f"cannot do {event.version}")
            seen.append(event.version)

        await put(script, 6)
        worker = store.subscription(
            "s", taking(script, work), transactional=transactional, retry=PARK, lease_seconds=0.4
        )
        await script(worker.start())

        async def caught_up() -> bool:
            (status,) = await script(store.subscriptions.list()) or [None]
            return status is not None and status.lag_events == 0

        await until(caught_up)
        parked = await script(store.parked.list("s"))
        assert [(item.version, item.attempts, item.error) for item in parked] == [
            (2, 2, "ValueError: cannot do 2"),
            (5, 2, "ValueError: cannot do 5"),
        ]
        assert sorted(set(seen)) == [1, 3, 4, 6]
        assert (await script(store.subscriptions.list()))[0].parked == 2
        broken.discard(2)
        await script(store.parked.replay("s"))

        async def tried() -> bool:
            return not any(item.replay for item in await script(store.parked.list("s")))

        await until(tried)
        await script(worker.close())
        (left,) = await script(store.parked.list("s"))
        assert (left.version, left.attempts, left.replay) == (5, 3, False)
        assert seen.count(2) == 1

    play(door, scenario)


def test_a_filter_moves_the_checkpoint_over_what_it_leaves_out(door: Door) -> None:
    async def scenario(script: Script) -> None:
        seen: list[int] = []
        handler = taking(script, lambda event: seen.append(event.version))
        await put(script, 1500, "noise-1")
        await put(script, 1, "a-1")
        await put(script, 300, "noise-1")
        worker = script.store.subscription("s", handler, where=EventFilter(categories=("a",)))
        await script(worker.start())
        await until(lambda: seen == [1])
        await script(worker.close())
        newest = await script(script.store.head_position())
        assert (await script(script.store.checkpoints.load("s"))).position == newest

    play(door, scenario)


def test_partitions_are_shared_and_each_stream_keeps_its_order(door: Door) -> None:
    async def scenario(script: Script) -> None:
        seen: dict[str, list[int]] = {}
        by: dict[str, set[str]] = {}

        def handler_of(owner: str) -> Any:
            def work(event: Any) -> None:
                seen.setdefault(event.stream_id, []).append(event.version)
                by.setdefault(owner, set()).add(event.stream_id)

            return taking(script, work)

        workers = [
            script.store.subscription("s", handler_of(name), partitions=4, lease_seconds=0.4) for name in ("x", "y")
        ]
        for worker in workers:
            await script(worker.start())
        for _ in range(15):
            for number in range(12):
                await put(script, 1, f"a-{number}")
            await asyncio.sleep(0.02)
        await until(lambda: sum(map(len, seen.values())) >= 180)
        for worker in workers:
            await script(worker.close())
        assert seen == {f"a-{number}": list(range(1, 16)) for number in range(12)}
        assert len(by) == 2

    play(door, scenario)


def test_another_number_of_partitions_is_told(door: Door) -> None:
    async def scenario(script: Script) -> None:
        await script(script.store.subscriptions.hold("s", "w", partitions=2, seconds=1))
        worker = script.store.subscription("s", taking(script, lambda event: None), partitions=3)
        with pytest.raises(UsageError, match="has 2 partitions, not 3"):
            await script(worker.run())

    play(door, scenario)


def test_another_epoch_is_told_and_not_read_over(door: Door) -> None:
    async def scenario(script: Script) -> None:
        seen: list[int] = []
        handler = taking(script, lambda event: seen.append(event.version))
        await put(script, 3)
        worker = script.store.subscription("s", handler)
        await script(worker.start())
        await until(lambda: len(seen) == 3)
        await script(worker.close())
        await script(script.store.bump_epoch())
        await put(script, 3)
        worker = script.store.subscription("s", handler)
        with pytest.raises(PositionAheadError, match="epoch"):
            await script(worker.run())
        position = (await script(script.store.checkpoints.load("s"))).position
        await script(script.store.subscriptions.rewind("s", position))  # on purpose
        worker = script.store.subscription("s", handler)
        await script(worker.start())
        await until(lambda: len(seen) == 6)
        await script(worker.close())

    play(door, scenario)


def test_pause_and_rewind_reach_a_running_worker(door: Door) -> None:
    async def scenario(script: Script) -> None:
        store = script.store
        seen: list[int] = []
        worker = store.subscription("s", taking(script, lambda event: seen.append(event.version)), lease_seconds=0.2)
        await put(script, 2)
        await script(worker.start())
        await until(lambda: len(seen) == 2)
        await script(store.subscriptions.pause("s"))
        await asyncio.sleep(0.2)
        await put(script, 1)
        await asyncio.sleep(0.2)
        assert len(seen) == 2
        await script(store.subscriptions.resume("s"))
        await until(lambda: len(seen) == 3)
        await script(store.subscriptions.rewind("s", 0))
        await until(lambda: len(seen) == 6)
        await script(worker.close())
        assert seen == [1, 2, 3, 1, 2, 3]

    play(door, scenario)


@pytest.mark.parametrize("how", ["worker", "store", "cancel"])
@pytest.mark.parametrize("when", ["idle", "in a retry", "many events"])
def test_it_ends_within_a_second(door: Door, how: str, when: str) -> None:
    if how == "cancel" and not door.is_async:
        pytest.skip("threads are not cancelled")

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
            assert await script(worker.wait(5))
        assert time.monotonic() - start < 1
        if how != "store":  # what it held is free at once
            assert (await script(script.store.subscriptions.hold("s", "next", partitions=1, seconds=1))).leases

    play(door, scenario)


def test_a_dead_worker_s_partition_is_taken_within_its_lease_time(door: Door) -> None:
    """The next beat would be seconds away; it is timed to the moment when the other's time runs out."""

    async def scenario(script: Script) -> None:
        seen: list[int] = []
        await put(script, 1)
        await script(script.store.subscriptions.hold("s", "dead", partitions=1, seconds=0.5))
        start = time.monotonic()
        worker = script.store.subscription("s", taking(script, lambda event: seen.append(event.version)))
        await script(worker.start())
        await until(lambda: seen)
        assert 0.45 < time.monotonic() - start < 1.5
        await script(worker.close())

    play(door, scenario)


def test_a_storage_that_is_down_is_not_the_event_s_fault(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """The handler fails while the storage does not answer: it is not counted, and nothing is parked."""

    async def scenario(script: Script) -> None:
        seen: list[int] = []
        told: list[SubscriptionFailure] = []
        down = [True] * 3
        ping = script.store.ping

        def failing() -> Any:
            if down:
                down.pop()
                raise TransientStorageError("down")
            return ping()

        def work(event: Any) -> None:
            if down:
                raise OSError("no way to the storage")
            seen.append(event.version)

        monkeypatch.setattr(script.store, "ping", failing)
        await put(script, 2)
        never = RetryPolicy(retries=0, then=WhenExhausted.PARK)
        worker = script.store.subscription("s", taking(script, work), retry=never, on_error=told.append)
        await script(worker.start())
        await until(lambda: len(seen) == 2)
        await script(worker.close())
        assert await script(script.store.parked.list()) == []
        assert [failure.next_step for failure in told] == [NextStep.RECONNECT] * 3

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
        assert await script(workers[0].wait(5))
        assert seen == [1]
        assert (await script(script.store.checkpoints.load("s"))).position > 0
        await script(workers[0].close())

    play(door, scenario)


def test_a_cancelled_transaction_leaves_nothing(door: Door) -> None:
    if not door.is_async:
        pytest.skip("threads are not cancelled")

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


def test_two_streams_of_workers_do_not_disturb_one_another(door: Door) -> None:
    async def scenario(script: Script) -> None:
        seen: dict[str, list[int]] = {"a": [], "b": []}
        await put(script, 30)
        workers = [
            script.store.subscription(name, taking(script, lambda event, name=name: seen[name].append(event.version)))
            for name in seen
        ]
        for worker in workers:
            await script(worker.start())
        await until(lambda: all(len(got) == 30 for got in seen.values()))
        for worker in workers:
            await script(worker.close())
        assert seen == {"a": list(range(1, 31)), "b": list(range(1, 31))}

    play(door, scenario)


WRONG: list[dict[str, Any]] = [
    {"partitions": 0},
    {"after_position": -1},
    {"batch_size": 0},
    {"poll_interval": 0},
    {"lease_seconds": float("nan")},
    {"retry": 3},
    {"handler": "x"},
    {"name": "a#b"},
]


def test_wrong_arguments_are_refused(door: Door) -> None:
    async def scenario(script: Script) -> None:
        for options in WRONG:
            given = {"name": "s", "handler": print, **options}
            with pytest.raises(UsageError):
                script.store.subscription(given.pop("name"), given.pop("handler"), **given)

    play(door, scenario)


def test_wrong_policies_are_refused() -> None:
    for wrong in ({"retries": -1}, {"first_wait": 0}, {"first_wait": 2, "longest_wait": 1}, {"then": "park"}):
        with pytest.raises(UsageError):
            RetryPolicy(**wrong)  # type: ignore[arg-type]
    assert all(5 <= RetryPolicy(first_wait=1, longest_wait=10).wait_after(n) <= 10 for n in range(5, 100))
    assert issubclass(HandlerFailedError, MinkError)
