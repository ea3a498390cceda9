"""Workers share the partitions of a subscription under leases that fence, on every door (SUB-08, SUB-09)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from mink_core import (
    EventFilter,
    ExpectedVersion,
    LeaseLostError,
    NewEvent,
    Partition,
    StoredEvent,
    SubscriptionNotFoundError,
    UsageError,
    partition_of,
)
from tests.adapters.script import collected, play

if TYPE_CHECKING:
    from tests.adapters.doors import Door
    from tests.adapters.script import Script

ANY = ExpectedVersion.ANY


async def holding(script: Script, owner: str, *, partitions: int = 8, seconds: float = 30) -> Any:
    return await script(script.store.subscriptions.hold("s", owner, partitions=partitions, seconds=seconds))


async def beat(script: Script, owner: str) -> Any:
    """One beat of an obedient worker: it hands its surplus back."""
    found = await holding(script, owner)
    for lease in found.leases:
        if lease.partition in found.surplus:
            await script(script.store.subscriptions.release(lease))
    return await holding(script, owner) if found.surplus else found


def test_shares_are_fair_and_every_partition_has_one_owner(door: Door) -> None:
    async def scenario(script: Script) -> None:
        assert [lease.partition for lease in (await holding(script, "a")).leases] == list(range(8))
        assert len((await holding(script, "b")).leases) == 0
        for owners, wanted in ((("a", "b"), [4, 4]), (("a", "b", "c"), [2, 3, 3]), (("a", "b", "c"), [2, 3, 3])):
            for _ in range(3):
                shares = {owner: await beat(script, owner) for owner in owners}
            held = sorted(lease.partition for share in shares.values() for lease in share.leases)
            assert held == list(range(8))
            assert sorted(len(share.leases) for share in shares.values()) == wanted
            assert all(not share.surplus for share in shares.values())
        await script(script.store.subscriptions.leave("s", "b"))
        for _ in range(2):
            shares = {owner: await beat(script, owner) for owner in ("a", "c")}
        assert sorted(len(share.leases) for share in shares.values()) == [4, 4]

    play(door, scenario)


def test_nobody_takes_more_than_its_share_of_what_comes_free_at_once(door: Door) -> None:
    async def scenario(script: Script) -> None:
        for owner in ("a", "b", "c"):
            await holding(script, owner)
        for _ in range(3):
            await script(script.store.subscriptions.rewind("s", 0))
            shares = [await holding(script, owner) for owner in ("a", "b", "c")]
            assert sorted(len(share.leases) for share in shares) == [2, 3, 3]
            assert [share.surplus for share in shares] == [frozenset()] * 3

    play(door, scenario)


def test_a_silent_worker_is_replaced_and_refused(door: Door) -> None:
    """Its lease is taken over once its time is over, and not before; what it then saves is refused."""

    async def scenario(script: Script) -> None:
        checkpoints = script.store.checkpoints
        old = (await holding(script, "a", partitions=1, seconds=30)).leases[0]
        await script(checkpoints.save("s", 1, expected=None, lease=old))
        waiting = await holding(script, "b", partitions=1)
        assert waiting.leases == ()
        assert 0 < waiting.next_expiry <= 30
        await script.later(waiting.next_expiry)
        new = (await holding(script, "b", partitions=1)).leases[0]
        assert new.token > old.token
        with pytest.raises(LeaseLostError):
            await script(checkpoints.save("s", 2, expected=1, lease=old))
        assert (await script(checkpoints.load("s"))).position == 1
        await script(checkpoints.save("s", 2, expected=1, lease=new))
        await script(script.store.subscriptions.release(old))
        assert (await holding(script, "b", partitions=1)).leases == (new,)

    play(door, scenario)


def test_a_late_beat_keeps_what_nobody_took(door: Door) -> None:
    async def scenario(script: Script) -> None:
        first = await holding(script, "a", partitions=2, seconds=30)
        await script.later(40)
        assert (await holding(script, "a", partitions=2)).leases == first.leases

    play(door, scenario)


def test_pause_rewind_and_reset(door: Door) -> None:
    async def scenario(script: Script) -> None:
        store = script.store
        for act in (
            lambda: store.subscriptions.pause("s"),
            lambda: store.subscriptions.resume("s"),
            lambda: store.subscriptions.rewind("s", 1),
            lambda: store.subscriptions.reset("s"),
        ):
            with pytest.raises(SubscriptionNotFoundError):
                await script(act())
        held = (await holding(script, "a", partitions=2)).leases
        await script(store.checkpoints.save("s#0/2", 5, expected=None, lease=held[0]))
        await script(store.subscriptions.pause("s"))
        assert (await holding(script, "a", partitions=2)).paused
        assert (await script(store.subscriptions.list()))[0].paused_at is not None
        await script(store.subscriptions.resume("s"))
        assert not (await holding(script, "a", partitions=2)).paused
        await script(store.subscriptions.rewind("s", 3))
        with pytest.raises(LeaseLostError):
            await script(store.checkpoints.save("s#0/2", 6, expected=5, lease=held[0]))
        assert [(item.name, item.position) for item in await script(store.checkpoints.list())] == [
            ("s#0/2", 3),
            ("s#1/2", 3),
        ]
        with pytest.raises(UsageError, match="2 partitions, not 3"):
            await holding(script, "b", partitions=3)
        await script(store.subscriptions.reset("s"))
        assert await script(store.checkpoints.list()) == []
        assert await script(store.subscriptions.list()) == []
        again = (await holding(script, "a", partitions=3)).leases
        assert len(again) == 3
        assert min(lease.token for lease in again) > max(lease.token for lease in held)

    play(door, scenario)


def test_status_tells_owner_and_lag(door: Door) -> None:
    async def scenario(script: Script) -> None:
        store = script.store
        for number in range(20):
            await script(store.append(f"a-{number}", [NewEvent("Made", {})], expected_version=ANY))
        await holding(script, "w", partitions=2)
        events = await collected(store.read_all())
        await script(store.checkpoints.save("s#0/2", events[-1].global_position, expected=None))
        await script(store.checkpoints.save("s#1/2", events[9].global_position, expected=None))
        (status,) = await script(store.subscriptions.list())
        behind = [event for event in events[10:] if partition_of(event.stream_id, 2) == 1]
        assert (status.name, status.paused_at, status.parked) == ("s", None, 0)
        assert [(part.partition, part.owner, part.lag_events) for part in status.partitions] == [
            (0, "w", 0),
            (1, "w", len(behind)),
        ]
        assert status.partitions[0].lag_seconds == 0 < status.partitions[1].lag_seconds < 60
        assert (status.lag_events, status.lag_seconds) == (len(behind), status.partitions[1].lag_seconds)
        await holding(script, "w", partitions=2, seconds=30)
        await script.later(40)
        assert {part.owner for part in (await script(store.subscriptions.list()))[0].partitions} == {None}

    play(door, scenario)


def test_partitions_are_the_same_in_the_storage_and_in_python(door: Door) -> None:
    """Also for ids outside ASCII; and together they are everything, each stream in one."""
    streams = [f"order-{number}" for number in range(60)] + ["größe-1", "日本-2", "a'b\\c-3", "🦦-4"]

    async def scenario(script: Script) -> None:
        for stream in streams:
            await script(script.store.append(stream, [NewEvent("Made", {})], expected_version=ANY))
        found: list[str] = []
        for index in range(5):
            page = await script(script.store.poll(0, where=EventFilter(partition=Partition(index, 5))))
            mine = [event.stream_id for event in page.events]
            assert mine == [stream for stream in streams if partition_of(stream, 5) == index]
            found += mine
        assert sorted(found) == sorted(streams)

    play(door, scenario)


def test_the_hash_is_what_it_always_was() -> None:
    """Checkpoints on disk depend on it."""
    assert [partition_of(name, 1024) for name in ("order-1", "größe-1", "🦦-4")] == [545, 13, 216]


def test_parked_events(door: Door) -> None:
    async def scenario(script: Script) -> None:
        store = script.store
        for number in range(3):
            await script(store.append("a-1", [NewEvent("Made", {"n": number})], expected_version=ANY))
        events = (await script(store.poll(0))).events
        assert await script(store.parked.list()) == []
        await script(store.parked.park("s", events[2], attempts=3, error="boom \x00 \ud800" + "x" * 5000))
        await script(store.parked.park("s", events[0], attempts=1, error="first"))
        await script(store.parked.park("r", events[1], attempts=1, error=""))
        listed = await script(store.parked.list())
        assert [(item.subscription, item.global_position) for item in listed] == [
            ("r", events[1].global_position),
            ("s", events[0].global_position),
            ("s", events[2].global_position),
        ]
        last = listed[-1]
        assert (last.stream_id, last.version, last.event_type, last.attempts) == ("a-1", 3, "Made", 3)
        assert last.error.startswith("boom  ?x")
        assert len(last.error) < 4001
        assert not last.replay
        assert await script(store.parked.replay("s", events[0].global_position)) == 1
        assert [item.replay for item in await script(store.parked.list("s"))] == [True, False]
        for whose in ("s", None):
            asked = await script(store.parked.list(whose, asked=True))
            assert [(item.subscription, item.version) for item in asked] == [("s", 1)]
        assert await script(store.parked.list("r", asked=True)) == []
        assert await script(store.parked.replay("s")) == 2
        assert await script(store.parked.replay("nobody")) == 0
        await script(store.parked.park("s", events[0], attempts=2, error="again"))
        again = (await script(store.parked.list("s")))[0]
        assert (again.attempts, again.error, again.replay) == (2, "again", False)
        assert await script(store.parked.remove("s", events[0].global_position)) is True
        assert await script(store.parked.remove("s", events[0].global_position)) is False
        assert len(await script(store.parked.list("s"))) == 1

    play(door, scenario)


WRONG = [
    lambda store: store.subscriptions.hold("a#b", "w", partitions=1, seconds=1),
    lambda store: store.subscriptions.hold("", "w", partitions=1, seconds=1),
    lambda store: store.subscriptions.hold("a", "", partitions=1, seconds=1),
    lambda store: store.subscriptions.hold("a", "w", partitions=0, seconds=1),
    lambda store: store.subscriptions.hold("a", "w", partitions=1025, seconds=1),
    lambda store: store.subscriptions.hold("a", "w", partitions=True, seconds=1),
    lambda store: store.subscriptions.hold("a", "w", partitions=1, seconds=0),
    lambda store: store.subscriptions.hold("a", "w", partitions=1, seconds=1e12),
    lambda store: store.parked.park(
        "a", StoredEvent("a-1", 1, 1, uuid4(), "T", 1, {}, datetime.now(UTC)), attempts=2**31, error=""
    ),
    lambda store: store.subscriptions.rewind("a", -1),
    lambda store: store.subscriptions.release(1),
    lambda store: store.parked.park("a", "no event", attempts=1, error=""),
    lambda store: store.parked.replay("a", -1),
    lambda store: store.poll(0, where=EventFilter(partition=1)),
    lambda store: store.poll(0, where=EventFilter(partition=Partition(2, 2))),
]


def test_wrong_arguments_are_refused(door: Door) -> None:
    async def scenario(script: Script) -> None:
        for call in WRONG:
            with pytest.raises(UsageError):
                await script(call(script.store))

    play(door, scenario)
