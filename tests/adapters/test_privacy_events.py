"""Redacted and purged events, and what goes along with them, on every door (PRIV-03 to PRIV-05)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from mink_core import (
    ConcurrencyError,
    Direction,
    EventFilter,
    ExpectedVersion,
    NewEvent,
    OutboxMessage,
    PrivacyOperation,
    Saga,
    SagaConflictError,
    StreamNotFoundError,
    TypedPayloads,
    UsageError,
)
from tests.adapters.script import collected, play

if TYPE_CHECKING:
    from tests.adapters.doors import Door
    from tests.adapters.script import Script


from tests.adapters.rewriting import WHO, conflict, made, numbers

NO_STREAM = ExpectedVersion.NO_STREAM


def test_redaction_keeps_the_event_s_place_and_changes_its_content_everywhere(door: Door) -> None:
    async def scenario(script: Script) -> None:
        store = script.store
        events = made(1, 2, 3)
        await script(store.append("a-1", events, expected_version=0, outbox=[
            OutboxMessage("t", {"secret": n}, event_id=event.event_id, ordered=True) for n, event in enumerate(events)]))  # fmt: skip
        before = await collected(store.read_all())
        for version in (1, 2, 3):
            await script(store.snapshots.save("a-1", version, {"n": version}, keep=3))
        mine = await script(store.idempotency.reserve("k", stream_id="a-1", metadata={"secret": 1}))
        await script(store.idempotency.complete(mine, {"secret": 1}))
        await script(store.sagas.save(Saga("s", "T", {"secret": 1}, correlation_id="a-1"), expected_version=0))
        await script(store.parked.park("sub", before[1], attempts=1, error="secret"))
        [head] = await script(store.outbox.claim("w"))
        assert head.payload == {"secret": 0}

        record = await script(store.privacy.redact("a-1", 2, data={"n": None}, **WHO))
        assert (record.operation, record.version) == (PrivacyOperation.REDACT, 2)
        assert record.counts == {"events": 1, "snapshots": 2, "messages": 1, "keys": 1, "parked": 1}
        after = await collected(store.read_all())
        assert after == [before[0], replace(before[1], data={"n": None}, metadata={}), before[2]]
        assert await collected(store.read_stream("a-1")) == after
        assert (await script(store.poll(0))).events == after
        assert (await script(store.snapshots.load("a-1"))).version == 1
        assert [item.payload["secret"] for item in await script(store.outbox.list())] == [0, 2]
        await script(store.outbox.complete(head))
        assert [item.payload for item in await script(store.outbox.claim("w"))] == [{"secret": 2}]
        kept = await script(store.idempotency.get("k"))
        assert (kept.completed, kept.response, kept.metadata) == (True, None, {})
        assert (await script(store.sagas.load("s"))).state == {"secret": 1}
        assert [item.error for item in await script(store.parked.list())] == ["redacted"]
        for stream, version in (("a-1", 4), ("none-1", 1)):
            with pytest.raises(StreamNotFoundError):
                await script(store.privacy.redact(stream, version, **WHO))
        await script(store.append("a-1", made(4), expected_version=3))
        assert await script(store.check()) == []

    play(door, scenario, privacy=True)


class Sealed:
    """A transform that all content goes through, both ways."""

    def outgoing(self, stream_id: str, event: NewEvent) -> NewEvent:
        return replace(event, data={"sealed": f"{stream_id} {event.event_id}", "data": event.data})

    def incoming(self, event: Any) -> Any:
        assert event.data["sealed"] == f"{event.stream_id} {event.event_id}"
        return replace(event, data=event.data["data"])


def test_a_redacted_event_goes_through_the_store_s_transforms(door: Door) -> None:
    async def scenario(script: Script) -> None:
        await script(script.store.append("a-1", made(1), expected_version=0))
        await script(script.store.privacy.redact("a-1", 1, data={"n": 0}, metadata={"why": "asked"}, **WHO))
        [event] = await collected(script.store.read_stream("a-1"))
        assert (event.data, event.metadata) == ({"n": 0}, {"why": "asked"})

    play(door, scenario, privacy=True, transforms=[Sealed()])


@dataclass
class Joined:
    name: str


def test_an_event_of_a_registered_class_is_redacted_by_another_object_of_it(door: Door) -> None:
    payloads = TypedPayloads()
    payloads.register("Joined", schema_version=2)(Joined)
    payloads.upcaster("Joined", from_version=1)(lambda data: data)

    async def scenario(script: Script) -> None:
        store = script.store
        await script(store.append("a-1", [NewEvent("Joined", Joined("Ann"))], expected_version=0))
        await script(store.privacy.redact("a-1", 1, data=Joined("gone"), **WHO))
        [event] = await collected(store.read_stream("a-1"))
        assert (event.data, event.metadata) == (Joined("gone"), {"schema_version": 2})
        for wrong in (None, {"name": "gone"}):  # nobody could read it
            with pytest.raises(UsageError, match="but Joined is registered for it"):
                await script(store.privacy.redact("a-1", 1, data=wrong, **WHO))
        assert await collected(store.read_stream("a-1")) == [event]
        assert len(await script(store.privacy.audit())) == 1

    play(door, scenario, privacy=True, transforms=[payloads])


@pytest.mark.parametrize("unique", [False, True])
def test_purging_leaves_holes_and_never_gives_a_version_twice(door: Door, unique: bool) -> None:
    async def scenario(script: Script) -> None:
        store = script.store
        first, second = made(1, 2), made(3)
        await script(store.append("a-1", first, expected_version=0, outbox=[OutboxMessage("t", 1, ordered=True)]))
        await script(store.append("b-1", made(1), expected_version=0))
        await script(store.append("a-1", second, expected_version=2, outbox=[OutboxMessage("t", 2)]))
        everything = await collected(store.read_all())
        await script(store.snapshots.save("a-1", 3, {"n": 3}))
        await script(store.idempotency.reserve("k", stream_id="a-1", metadata={"secret": 1}))
        await script(store.sagas.save(Saga("s", "T", {"secret": 1}, correlation_id="a-1"), expected_version=0))
        await script(store.parked.park("sub", everything[0], attempts=1, error="secret"))

        record = await script(store.privacy.purge("a-1", up_to_version=2, **WHO))
        assert (record.operation, record.version) == (PrivacyOperation.PURGE, 2)
        assert record.counts == {
            "events": 2, "snapshots": 1, "messages": 1, "keys": 1, "sagas": 1, "parked": 1}  # fmt: skip
        assert await numbers(script, "a-1") == [(3, 3)]
        assert await numbers(script, "a-1", limit=1) == [(3, 3)]
        assert await numbers(script, "a-1", direction=Direction.BACKWARD, limit=5) == [(3, 3)]
        assert await collected(store.read_all()) == everything[2:]
        assert (await script(store.poll(0, limit=1))).events == [everything[2]]
        assert (await script(store.poll(0, where=EventFilter(stream_ids=("a-1",))))).events == [everything[3]]
        assert await collected(store.read_all(direction=Direction.BACKWARD, limit=2)) == everything[:1:-1]
        assert await script(store.snapshots.load("a-1")) is None
        assert [message.payload for message in await script(store.outbox.list())] == [2]
        assert (await script(store.idempotency.get("k"))).metadata == {}
        assert await script(store.sagas.load("s")) is None
        with pytest.raises(SagaConflictError):
            await script(store.sagas.save(Saga("s", "T"), expected_version=0))
        assert await script(store.parked.list()) == []
        info = await script(store.stream_info("a-1"))
        assert (info.version, info.deleted_at) == (3, None)
        if not unique:
            # What was purged is not known any more: the first call, repeated, is a conflict.
            assert await conflict(script, "a-1", NO_STREAM) == 3
            with pytest.raises(ConcurrencyError):
                await script(store.append("a-1", first, expected_version=0))
        assert (await script(store.append("a-1", second, expected_version=2))).first_version == 3

        assert (await script(store.privacy.purge("a-1", **WHO))).counts["messages"] == 1
        assert await script(store.outbox.list()) == []
        assert await numbers(script, "a-1") == []
        assert await script(store.head_position()) == everything[2].global_position
        assert await conflict(script, "a-1", 2) == 3
        assert (await script(store.append("a-1", made(4), expected_version=3))).first_version == 4
        assert (await collected(store.read_all()))[-1].version == 4
        with pytest.raises(StreamNotFoundError):
            await script(store.privacy.purge("none-1", **WHO))
        assert await script(store.check()) == []
        assert [info.stream_id for info in await collected(store.streams())] == ["a-1", "b-1"]

    play(door, scenario, privacy=True, unique_event_ids=unique)


def test_a_reader_is_not_sent_above_the_newest_event_where_the_last_ones_were_purged(door: Door) -> None:
    async def scenario(script: Script) -> None:
        store = script.store
        await script(store.append("a-1", made(1, 2), expected_version=0))
        await script(store.append("b-1", made(1, 2), expected_version=0))
        await script(store.privacy.purge("b-1", **WHO))
        head = await script(store.head_position())
        nothing = EventFilter(event_types=("Other",))
        for after in (0, head):
            assert (await script(store.poll(after))).next_position == head
            assert (await script(store.poll(after, where=nothing))).next_position == head
        await script(store.privacy.purge("a-1", **WHO))
        assert await script(store.head_position()) == 0
        assert (await script(store.poll(0, where=nothing))).next_position == 0
        await script(store.subscriptions.hold("sub", "w", partitions=1, seconds=60))
        [status] = await script(store.subscriptions.list())
        assert (status.lag_events, status.lag_seconds) == (0, 0)  # of nothing that there is
        await script(store.append("c-1", made(1), expected_version=0))
        assert (await script(store.poll(0, where=nothing))).next_position == await script(store.head_position())

    play(door, scenario, privacy=True)
