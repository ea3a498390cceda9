"""An event that a transform cannot read: readers are told which, and a durable subscription treats it as a failed handler's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from mink_core import (
    Direction,
    HandlerFailedError,
    NewEvent,
    NextStep,
    RetryPolicy,
    StoreClosedError,
    StoredEvent,
    SubscriptionFailure,
    TransientStorageError,
    UnreadableEventError,
    WhenExhausted,
)
from tests.adapters.following import caught_up, put, taking, until
from tests.adapters.script import collected, play

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.adapters.doors import Door
    from tests.adapters.script import Script

STOP = RetryPolicy(retries=1, first_wait=0.01)
PARK = RetryPolicy(retries=1, first_wait=0.01, then=WhenExhausted.PARK)


class Upcaster:
    """Breaks on some versions, each so often."""

    def __init__(self, broken: dict[int, int], error: Exception | None = None) -> None:
        self.broken = broken
        self.error = error or KeyError("currency")

    def outgoing(self, _stream_id: str, event: NewEvent) -> NewEvent:
        return event

    def incoming(self, event: StoredEvent) -> StoredEvent:
        if self.broken.get(event.version, 0) > 0:
            self.broken[event.version] -= 1
            raise self.error
        return event


class Renaming:
    """Comes before the `Upcaster` on the way in."""

    def outgoing(self, _stream_id: str, event: NewEvent) -> NewEvent:
        return event

    def incoming(self, event: StoredEvent) -> StoredEvent:
        return replace(event, event_type="Renamed", data={})


def reads(script: Script) -> list[Callable[[], Awaitable[Any]]]:
    """Every way to read."""
    store = script.store
    return [
        lambda: collected(store.read_all()),
        lambda: collected(store.read_stream("a-1")),
        lambda: script(store.poll(0)),
    ]


def test_readers_are_told_which_it_is(door: Door) -> None:
    async def scenario(script: Script) -> None:
        await put(script, 3)
        upcaster.broken[2] = 1000
        for read in reads(script):
            with pytest.raises(UnreadableEventError, match="KeyError: 'currency'; nothing was changed") as caught:
                await read()
            event = caught.value.event
            assert (event.stream_id, event.version, event.event_type, event.data) == ("a-1", 2, "Made", {"n": 1})
            assert isinstance(caught.value.__cause__, KeyError)

    upcaster = Upcaster({})
    play(door, scenario, transforms=[upcaster, Renaming()])


@pytest.mark.parametrize("error", [TransientStorageError("the keys cannot be had"), StoreClosedError("of the keys")])
def test_what_a_storage_says_reaches_readers_as_it_is(door: Door, error: Exception) -> None:
    async def scenario(script: Script) -> None:
        await put(script, 3)
        upcaster.broken[2] = 1000
        for read in reads(script):
            with pytest.raises(type(error)) as caught:
                await read()
            assert caught.value is error

    upcaster = Upcaster({}, error)
    play(door, scenario, transforms=[upcaster])


async def until_unreadable(events: Any) -> tuple[list[int], int]:
    """The versions that a reader is given, and the one that it is told of then."""
    seen = list[int]()
    with pytest.raises(UnreadableEventError) as caught:
        if hasattr(events, "__aiter__"):
            async for event in events:
                seen.append(event.version)
        else:
            for event in events:
                seen.append(event.version)
    return seen, caught.value.event.version


@pytest.mark.parametrize("inside", [False, True])
def test_a_reader_has_the_events_before_it(door: Door, inside: bool) -> None:
    """Also those of its page; and it ends there, so that nobody skips the event."""

    async def look(script: Script, log: Any) -> None:
        backward = {"direction": Direction.BACKWARD}
        assert await until_unreadable(log.read_stream("a-1")) == ([1, 2], 3)
        assert await until_unreadable(log.read_stream("a-1", **backward)) == ([5, 4], 3)
        assert await until_unreadable(log.read_all()) == ([1, 2], 3)
        assert await until_unreadable(log.read_all(**backward)) == ([5, 4], 3)
        assert [it.version for it in await collected(log.read_stream("a-1", limit=2))] == [1, 2]
        assert [it.version for it in await collected(log.read_all(after_position=positions[3]))] == [4, 5]
        tail = await script(log.snapshots.load_with_tail("a-1"))
        assert tail.snapshot.data == "state"
        assert await until_unreadable(tail.events) == ([2], 3)
        events = log.read_stream("a-1")
        assert (await until_unreadable(events))[1] == 3
        assert await collected(events) == []

    async def scenario(script: Script) -> None:
        store = script.store
        await put(script, 5)
        await script(store.snapshots.save("a-1", 1, "state"))
        positions.update({it.version: it.global_position for it in await collected(store.read_all())})
        upcaster.broken[3] = 1000
        if inside:
            await script.in_transaction(lambda tx: look(script, tx))
        else:
            await look(script, store)

    positions = dict[int, int]()
    upcaster = Upcaster({})
    play(door, scenario, transforms=[upcaster])


@pytest.mark.parametrize(("batch_size", "retries"), [(1, 1), (4, 1), (100, 0)])
@pytest.mark.parametrize("transactional", [False, True])
def test_it_is_parked_and_replayed_and_no_other_is_missed(
    door: Door, transactional: bool, batch_size: int, retries: int
) -> None:
    async def scenario(script: Script) -> None:
        store, seen = script.store, list[int]()
        told: list[SubscriptionFailure] = []
        await put(script, 8)
        upcaster.broken.update({2: 1000, 5: 1000, 6: 1000})
        worker = store.subscription(
            "s",
            taking(script, lambda event, *_: seen.append(event.version)),
            transactional=transactional,
            batch_size=batch_size,
            retry=RetryPolicy(retries=retries, first_wait=0.01, then=WhenExhausted.PARK),
            lease_seconds=2,
            on_error=told.append,
        )
        await script(worker.start())
        await until(lambda: caught_up(script))
        assert seen == [1, 3, 4, 7, 8]
        parked = await script(store.parked.list("s"))
        assert [(item.version, item.attempts) for item in parked] == [(version, 1 + retries) for version in (2, 5, 6)]
        assert all(item.error.startswith("UnreadableEventError: event 'Made' at position") for item in parked)
        assert [(item.event.version, item.attempt, item.next_step) for item in told if item.event] == [
            (version, *step)
            for version in (2, 5, 6)
            for step in ([(1, NextStep.RETRY), (2, NextStep.PARK)] if retries else [(1, NextStep.PARK)])
        ]

        async def replayed(version: int, attempts: int | None) -> None:
            position = next(item.global_position for item in parked if item.version == version)
            assert await script(store.parked.replay("s", position)) == 1

            async def done() -> bool:
                now = {item.version: item.attempts for item in await script(store.parked.list("s"))}
                return now.get(version) == attempts

            await until(done)

        await replayed(5, 2 + retries)  # it is still broken
        del upcaster.broken[2]
        await replayed(2, None)
        await script(worker.close())
        assert seen == [1, 3, 4, 7, 8, 2]

    upcaster = Upcaster({})
    play(door, scenario, transforms=[upcaster])


@pytest.mark.parametrize("transactional", [False, True])
def test_it_stops_the_worker_at_its_event(door: Door, transactional: bool) -> None:
    async def scenario(script: Script) -> None:
        store, seen = script.store, list[int]()
        await put(script, 5)
        upcaster.broken[4] = 1000
        worker = store.subscription(
            "s", taking(script, lambda event, *_: seen.append(event.version)), transactional=transactional, retry=STOP
        )
        await script(worker.start())
        assert await script(worker.wait(60))
        with pytest.raises(HandlerFailedError) as caught:
            await script(worker.close())
        assert (caught.value.attempts, seen) == (2, [1, 2, 3])
        assert isinstance(caught.value.__cause__, UnreadableEventError)
        assert caught.value.position == caught.value.__cause__.event.global_position
        assert (await script(store.checkpoints.load("s"))).position < caught.value.position

    upcaster = Upcaster({})
    play(door, scenario, transforms=[upcaster])


@pytest.mark.parametrize("error", [ValueError("not yet"), TransientStorageError("the keys cannot be had")])
def test_what_can_be_read_again_is_delivered(door: Door, error: Exception) -> None:
    """A storage that keeps keys, say, and is down, is no event's fault however long it is."""

    async def scenario(script: Script) -> None:
        store, seen = script.store, list[int]()
        told: list[SubscriptionFailure] = []
        await put(script, 4)
        upcaster.broken[3] = 2 if isinstance(error, ValueError) else 4
        worker = store.subscription(
            "s", taking(script, lambda event, *_: seen.append(event.version)), retry=PARK, on_error=told.append
        )
        await script(worker.start())
        await until(lambda: caught_up(script))
        await script(worker.close())
        assert seen == [1, 2, 3, 4]
        assert not await script(store.parked.list("s"))
        wanted = {NextStep.RETRY} if isinstance(error, ValueError) else {NextStep.RECONNECT}
        assert {item.next_step for item in told} == wanted

    upcaster = Upcaster({}, error)
    play(door, scenario, transforms=[upcaster])


def test_what_is_gone_is_not_tried_again_nor_is_anything_in_its_place(door: Door) -> None:
    """As where an event is purged while its replay is under way."""

    async def scenario(script: Script) -> None:
        store, seen = script.store, list[int]()
        await put(script, 1, "b-1")
        await put(script, 2)
        [gone] = await collected(store.read_stream("b-1"))
        await script(store.privacy.purge("b-1", by="me"))
        worker = store.subscription("s", taking(script, lambda event, *_: seen.append(event.version)))
        await script(worker.start())
        await until(lambda: caught_up(script))

        async def none() -> bool:
            return not await script(store.parked.list("s"))

        for broken in (0, 1):
            upcaster.broken[1] = broken
            await script(store.parked.park("s", gone, attempts=1, error="no"))
            assert await script(store.parked.replay("s")) == 1
            await until(none)
        await script(worker.close())
        assert seen == [1, 2]

    upcaster = Upcaster({})
    play(door, scenario, transforms=[upcaster], privacy=True)
