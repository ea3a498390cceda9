"""A durable subscription's handler that fails, and a storage that does (SUB-03, SUB-06, SUB-07)."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest

from mink_core import (
    Backoff,
    EventFilter,
    HandlerFailedError,
    MinkError,
    NewEvent,
    NextStep,
    RetryPolicy,
    SubscriptionFailure,
    TransientStorageError,
    UsageError,
    WhenExhausted,
)
from mink_core.runtime.progress import Progress
from tests.adapters.following import ANY, caught_up, put, taking, tried_again, until
from tests.adapters.script import play

if TYPE_CHECKING:
    from tests.adapters.doors import Door
    from tests.adapters.script import Script

QUICK = RetryPolicy(retries=2, first_wait=0.01)
PARK = RetryPolicy(retries=1, first_wait=0.01, then=WhenExhausted.PARK)


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
        assert await script(worker.wait(60))
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
        worker = store.subscription("s", taking(script, work), transactional=transactional, retry=PARK, lease_seconds=2)
        await script(worker.start())

        await until(lambda: caught_up(script))
        parked = await script(store.parked.list("s"))
        assert [(item.version, item.attempts, item.error) for item in parked] == [
            (2, 2, "ValueError: cannot do 2"),
            (5, 2, "ValueError: cannot do 5"),
        ]
        assert sorted(set(seen)) == [1, 3, 4, 6]
        assert (await script(store.subscriptions.list()))[0].parked == 2
        broken.discard(2)
        await tried_again(script)
        await script(worker.close())
        (left,) = await script(store.parked.list("s"))
        assert (left.version, left.attempts, left.replay) == (5, 3, False)
        assert seen.count(2) == 1

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


@pytest.mark.parametrize("transactional", [False, True])
def test_the_storage_s_failures_count_until_a_round_went_well(
    door: Door, transactional: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint that can be loaded is no sign that polls and saves work: the waits between them grow on."""
    monkeypatch.setattr("mink_core.runtime.consumer._BACKOFF", Backoff(0.001, most=1.0, jitter=0.0))

    async def scenario(script: Script) -> None:
        told: list[SubscriptionFailure] = []
        polls, saves = [True] * 3, [True] * 2
        poll, save = script.store.poll, Progress.save_on

        def failing_poll(*arguments: Any, **options: Any) -> Any:
            if polls:
                polls.pop()
                raise TransientStorageError("no poll")
            return poll(*arguments, **options)

        def failing_save(progress: Progress, target: Any, position: int) -> Any:
            if saves:
                saves.pop()
                raise TransientStorageError("no save")
            return save(progress, target, position)

        monkeypatch.setattr(script.store, "poll", failing_poll)
        monkeypatch.setattr(Progress, "save_on", failing_save)
        await put(script, 2)
        handler = taking(script, lambda *_: None)
        worker = script.store.subscription("s", handler, transactional=transactional, on_error=told.append)
        await script(worker.start())
        await until(lambda: caught_up(script))
        polls.append(True)
        await until(lambda: len(told) == 6)
        await script(worker.close())
        assert [(str(item.error), item.attempt, item.wait) for item in told] == [
            ("no poll", 1, 0.001),
            ("no poll", 2, 0.002),
            ("no poll", 3, 0.004),
            ("no save", 4, 0.008),
            ("no save", 5, 0.016),
            ("no poll", 1, 0.001),
        ]

    play(door, scenario)


def test_wrong_policies_are_refused() -> None:
    for wrong in ({"retries": -1}, {"first_wait": 0}, {"first_wait": 2, "longest_wait": 1}, {"then": "park"}):
        with pytest.raises(UsageError):
            RetryPolicy(**wrong)  # type: ignore[arg-type]
    assert all(5 <= RetryPolicy(first_wait=1, longest_wait=10).wait_after(n) <= 10 for n in range(5, 100))
    assert issubclass(HandlerFailedError, MinkError)
