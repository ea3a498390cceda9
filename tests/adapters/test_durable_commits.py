"""What a handler did cannot be committed: that is its event's fault, unless it is the storage's (SUB-07, SUB-10)."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from mink_core import (
    HandlerFailedError,
    NextStep,
    RetryPolicy,
    StorageError,
    SubscriptionFailure,
    TransientStorageError,
    WhenExhausted,
)
from mink_core.runtime.progress import Progress
from tests.adapters.doors import POSTGRES_DOORS
from tests.adapters.following import caught_up, put, taking, tried_again, until
from tests.adapters.script import play

if TYPE_CHECKING:
    from tests.adapters.doors import Door
    from tests.adapters.script import Script

PARK = RetryPolicy(retries=1, first_wait=0.01, then=WhenExhausted.PARK)
STOP = RetryPolicy(retries=1, first_wait=0.01)
NEVER = RetryPolicy(retries=0, then=WhenExhausted.PARK)

WAYS_TO_FAIL = {
    "a deferred constraint": "INSERT INTO commit_effects VALUES (-1)",
    "a hidden error": "SELECT 1 / 0",
    "a rollback of its own": "ROLLBACK",
}


def spoiling(door: Door, how: str, seen: list[int], bad: set[int]) -> Any:
    """A handler whose transaction cannot be committed with any of the bad events in it."""
    sql = WAYS_TO_FAIL[how]

    def sync_handler(event: Any, tx: Any) -> None:
        seen.append(event.version)
        if event.version in bad:
            with suppress(Exception):
                tx.connection.execute(sql)
        else:
            tx.connection.execute(f"INSERT INTO commit_effects VALUES ({event.version})")

    async def handler(event: Any, tx: Any) -> None:
        seen.append(event.version)
        if event.version in bad:
            with suppress(Exception):
                await tx.connection.execute(sql)
        else:
            await tx.connection.execute(f"INSERT INTO commit_effects VALUES ({event.version})")

    return handler if door.is_async else sync_handler


CREATE = (
    "CREATE TABLE IF NOT EXISTS commit_allowed (version bigint PRIMARY KEY)",
    "INSERT INTO commit_allowed SELECT generate_series(1, 20) ON CONFLICT DO NOTHING",
    "CREATE TABLE IF NOT EXISTS commit_effects (version bigint REFERENCES commit_allowed INITIALLY DEFERRED)",
    "TRUNCATE commit_effects",
)


async def effects(script: Script) -> list[int]:
    async def work(tx: Any) -> Any:
        if hasattr(tx.connection, "fetch"):
            return await tx.connection.fetch("SELECT version FROM commit_effects")
        cursor = await script(tx.connection.execute("SELECT version FROM commit_effects"))
        return await script(cursor.fetchall())

    return [row[0] for row in await script.in_transaction(work)]


async def prepare(script: Script, count: int) -> None:
    async def work(tx: Any) -> None:
        for statement in CREATE:
            await script(tx.connection.execute(statement))

    await script.in_transaction(work)
    await put(script, count)


@pytest.mark.parametrize("door", POSTGRES_DOORS, indirect=True)
@pytest.mark.parametrize("how", WAYS_TO_FAIL)
def test_what_cannot_be_committed_is_parked_and_replayed(door: Door, how: str) -> None:
    async def scenario(script: Script) -> None:
        store = script.store
        seen: list[int] = []
        bad = {7, 16}
        told: list[SubscriptionFailure] = []
        await prepare(script, 20)
        worker = store.subscription(
            "s",
            spoiling(door, how, seen, bad),
            transactional=True,
            retry=PARK,
            lease_seconds=1,
            on_error=told.append,
        )
        await script(worker.start())
        await until(lambda: caught_up(script))
        assert [(item.version, item.attempts) for item in await script(store.parked.list("s"))] == [(7, 2), (16, 2)]
        assert [(item.event.version if item.event else None, item.next_step) for item in told] == [
            (7, NextStep.RETRY),
            (7, NextStep.PARK),
            (16, NextStep.RETRY),
            (16, NextStep.PARK),
        ]
        assert await effects(script) == [version for version in range(1, 21) if version not in bad]

        bad.discard(7)
        await tried_again(script)
        await script(worker.close())
        (left,) = await script(store.parked.list("s"))
        assert (left.version, left.attempts) == (16, 3)
        assert (await effects(script))[-1] == 7
        assert told[-1].next_step is NextStep.PARK

    play(door, scenario)


@pytest.mark.parametrize("door", POSTGRES_DOORS, indirect=True)
@pytest.mark.parametrize("how", WAYS_TO_FAIL)
def test_what_cannot_be_committed_stops_the_worker(door: Door, how: str) -> None:
    async def scenario(script: Script) -> None:
        await prepare(script, 5)
        worker = script.store.subscription("s", spoiling(door, how, [], {4}), transactional=True, retry=STOP)
        await script(worker.start())
        assert await script(worker.wait(60))
        with pytest.raises(HandlerFailedError, match="failed 2 times") as caught:
            await script(worker.close())
        assert isinstance(caught.value.__cause__, StorageError)
        assert await effects(script) == [1, 2, 3]
        events = (await script(script.store.poll(0))).events
        assert caught.value.position == events[3].global_position
        assert (await script(script.store.checkpoints.load("s"))).position == events[2].global_position

    play(door, scenario)


def test_a_storage_that_commits_nothing_is_not_the_event_s_fault(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(script: Script) -> None:
        seen: list[int] = []
        told: list[SubscriptionFailure] = []
        save = Progress.save_on

        def failing(progress: Progress, target: Any, position: int) -> Any:
            if seen and len(told) < 3:
                raise StorageError("nothing is written here")
            return save(progress, target, position)

        monkeypatch.setattr(Progress, "save_on", failing)
        await put(script, 5)
        handler = taking(script, lambda event, _: seen.append(event.version))
        worker = script.store.subscription("s", handler, transactional=True, retry=NEVER, on_error=told.append)
        await script(worker.start())
        await until(lambda: caught_up(script))
        await script(worker.close())
        assert await script(script.store.parked.list()) == []
        assert [item.next_step for item in told] == [NextStep.RECONNECT] * 3
        assert seen == [1, 2, 3, 4, 5] * 4  # nobody looks for a bad event where the storage is down

    play(door, scenario)


def test_a_passing_failure_that_the_handler_hid_is_not_the_event_s_fault(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The transaction tells only that it has ended; its cause is what it was ended by."""

    async def scenario(script: Script) -> None:
        told: list[SubscriptionFailure] = []
        save = Progress.save_on

        def failing(progress: Progress, target: Any, position: int) -> Any:
            if position > progress.saved and not told:
                raise StorageError("the transaction was ended") from TransientStorageError("lost")
            return save(progress, target, position)

        monkeypatch.setattr(Progress, "save_on", failing)
        await put(script, 2)
        handler = taking(script, lambda *_: None)
        worker = script.store.subscription("s", handler, transactional=True, retry=NEVER, on_error=told.append)
        await script(worker.start())
        await until(lambda: caught_up(script))
        await script(worker.close())
        assert await script(script.store.parked.list()) == []
        assert [(str(item.error), item.next_step) for item in told] == [("lost", NextStep.RECONNECT)]

    play(door, scenario)
