"""Soft delete, tombstone, redaction and purge on every door (PRIV-01 to PRIV-05)."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from mink_core import (
    Capability,
    CapabilityNotSupportedError,
    ConcurrencyError,
    Direction,
    DuplicateEventError,
    EventFilter,
    ExpectedVersion,
    NewEvent,
    OutboxMessage,
    PrivacyOperation,
    Saga,
    SagaConflictError,
    StreamAppend,
    StreamNotFoundError,
    StreamTombstonedError,
    UsageError,
)
from tests.adapters.script import play

if TYPE_CHECKING:
    from tests.adapters.doors import Door
    from tests.adapters.script import Script

ANY, NO_STREAM, EXISTS = ExpectedVersion.ANY, ExpectedVersion.NO_STREAM, ExpectedVersion.STREAM_EXISTS
WHO = {"by": "officer", "reason": "ticket 7"}


def made(*numbers: int) -> list[NewEvent]:
    return [NewEvent("Made", {"n": n}, {"m": n}) for n in numbers]


async def collected(events: Any) -> list[Any]:
    return [event async for event in events] if hasattr(events, "__aiter__") else list(events)


async def numbers(script: Script, stream: str, **how: Any) -> list[tuple[int, int]]:
    return [(e.version, e.data["n"]) for e in await collected(script.store.read_stream(stream, **how))]


async def conflict(script: Script, stream: str, expected: Any) -> int:
    with pytest.raises(ConcurrencyError) as caught:
        await script(script.store.append(stream, made(0), expected_version=expected))
    return caught.value.actual


def test_a_late_snapshot_of_a_deleted_stream_is_not_given_out(door: Door) -> None:
    """Whoever read the stream before it was deleted may save its state afterwards."""

    async def scenario(script: Script) -> None:
        store = script.store
        await script(store.append("a-1", made(1, 2), expected_version=NO_STREAM))
        await script(store.privacy.soft_delete("a-1", **WHO))
        await script(store.snapshots.save("a-1", 2, {"of": "the deleted"}))
        assert await script(store.snapshots.load("a-1")) is None
        tail = await script(store.snapshots.load_with_tail("a-1"))
        assert (tail.snapshot, await collected(tail.events)) == (None, [])
        await script(store.append("a-1", made(3), expected_version=NO_STREAM))
        assert await script(store.snapshots.load("a-1", at_version=2)) is None
        tail = await script(store.snapshots.load_with_tail("a-1"))
        assert (tail.snapshot, [event.version for event in await collected(tail.events)]) == (None, [3])
        await script(store.snapshots.save("a-1", 3, {"of": "the new"}))
        tail = await script(store.snapshots.load_with_tail("a-1"))
        assert (tail.snapshot.data, await collected(tail.events)) == ({"of": "the new"}, [])

    play(door, scenario, privacy=True)


@pytest.mark.parametrize("up_to", [2, None])
def test_a_late_snapshot_of_purged_events_is_not_given_out(door: Door, up_to: int | None) -> None:
    """It may hold what they said, and nobody can have made it since (PRIV-04)."""

    async def scenario(script: Script) -> None:
        store = script.store
        await script(store.append("a-1", made(1, 2, 3), expected_version=NO_STREAM))
        await script(store.privacy.purge("a-1", up_to_version=up_to, **WHO))
        purged = up_to or 3
        await script(store.snapshots.save("a-1", purged, {"of": "the purged"}))
        for late in (
            await script(store.snapshots.load("a-1")),
            await script(store.snapshots.load("a-1", at_version=purged)),
        ):
            assert late is None
        tail = await script(store.snapshots.load_with_tail("a-1"))
        left = list(range(purged + 1, 4))
        assert (tail.snapshot, [event.version for event in await collected(tail.events)]) == (None, left)
        await script(store.append("a-1", made(4), expected_version=3))
        await script(store.privacy.purge("a-1", up_to_version=1, **WHO))  # no step back
        assert await script(store.snapshots.load("a-1")) is None
        await script(store.snapshots.save("a-1", 4, {"of": "what is left"}))
        assert (await script(store.snapshots.load("a-1"))).data == {"of": "what is left"}
        tail = await script(store.snapshots.load_with_tail("a-1"))
        assert (tail.snapshot.version, await collected(tail.events)) == (4, [])

    play(door, scenario, privacy=True)


def test_refused_unless_the_store_was_opened_for_it(door: Door) -> None:
    async def scenario(script: Script) -> None:
        assert Capability.PRIVACY not in script.store.capabilities
        with pytest.raises(CapabilityNotSupportedError, match="privacy=True"):
            script.store.privacy.tombstone("a-1", by="x")

    play(door, scenario)


@pytest.mark.parametrize("unique", [False, True])
def test_a_soft_deleted_stream_reads_as_missing_and_goes_on_after_its_last_version(door: Door, unique: bool) -> None:
    async def scenario(script: Script) -> None:
        store = script.store
        assert Capability.PRIVACY in store.capabilities
        await script(store.append("a-1", made(1, 2, 3), expected_version=0))
        await script(store.append("b-1", made(1), expected_version=0))
        await script(store.snapshots.save("a-1", 2, {"n": 2}))
        record = await script(store.privacy.soft_delete("a-1", **WHO))
        assert (record.operation, record.stream_id, record.version) == (PrivacyOperation.SOFT_DELETE, "a-1", 3)
        assert (record.by, record.reason, record.counts) == ("officer", "ticket 7", {"snapshots": 1})
        assert await numbers(script, "a-1") == []
        assert await numbers(script, "a-1", direction=Direction.BACKWARD) == []
        info = await script(store.stream_info("a-1"))
        assert (info.version, info.deleted_at is not None) == (3, True)
        listed = {info.stream_id: info.deleted_at for info in await collected(store.streams())}
        assert (listed["a-1"], listed["b-1"]) == (info.deleted_at, None)
        snapshot, tail = await script(store.snapshots.load_with_tail("a-1"))
        assert (snapshot, await collected(tail)) == (None, [])
        with pytest.raises(StreamNotFoundError):
            await script(store.privacy.soft_delete("a-1", **WHO))
        with pytest.raises(StreamNotFoundError):
            await script(store.privacy.soft_delete("none-1", **WHO))
        # Its events stay in the feed: soft deletion takes nothing away.
        assert len(await collected(store.read_all())) == 4

        # It is missing to an append as well.
        assert [await conflict(script, "a-1", expected) for expected in (EXISTS, 3, 2, 7)] == [0, 0, 0, 0]
        again = made(4)
        result = await script(store.append("a-1", again, expected_version=NO_STREAM))
        assert (result.first_version, result.last_version) == (4, 4)
        assert await numbers(script, "a-1") == [(4, 4)]
        assert (await script(store.stream_info("a-1"))).deleted_at is None
        assert await conflict(script, "a-1", NO_STREAM) == 4
        # A lost reply is repeated as ever (APPEND-09).
        assert await script(store.append("a-1", again, expected_version=NO_STREAM)) == result
        with pytest.raises(DuplicateEventError):
            await script(store.append("a-1", [replace(again[0], data=5)], expected_version=NO_STREAM))
        await script(store.append("a-1", made(5), expected_version=4))
        assert await numbers(script, "a-1", after_version=1) == [(4, 4), (5, 5)]
        assert await numbers(script, "a-1", direction=Direction.BACKWARD, limit=9) == [(5, 5), (4, 4)]

        await script(store.privacy.soft_delete("a-1", **WHO))
        assert (await script(store.append("a-1", made(6, 7), expected_version=ANY))).first_version == 6
        assert await numbers(script, "a-1") == [(6, 6), (7, 7)]
        assert await script(store.check()) == []

    play(door, scenario, privacy=True, unique_event_ids=unique)


@pytest.mark.parametrize("unique", [False, True])
def test_batches_and_transactions_see_it_the_same_way(door: Door, unique: bool) -> None:
    async def scenario(script: Script) -> None:
        store = script.store
        for stream in ("a-1", "b-1"):
            await script(store.append(stream, made(1, 2), expected_version=0))
            await script(store.privacy.soft_delete(stream, **WHO))
        for expected in (EXISTS, 2):
            with pytest.raises(ConcurrencyError) as caught:
                await script(
                    store.append_batch(
                        [StreamAppend("a-1", made(3), NO_STREAM), StreamAppend("b-1", made(3), expected)]
                    )
                )
            assert (caught.value.stream_id, caught.value.actual) == ("b-1", 0)
        assert (await script(store.stream_info("a-1"))).deleted_at is not None
        results = await script(
            store.append_batch(
                [
                    StreamAppend("a-1", made(3), NO_STREAM),
                    StreamAppend("c-1", made(1), NO_STREAM),
                    StreamAppend("a-1", made(4), 3),
                    StreamAppend("b-1", made(3), ANY),
                ]
            )
        )
        assert [result.first_version for result in results] == [3, 1, 4, 3]
        assert await numbers(script, "a-1") == [(3, 3), (4, 4)]
        assert await numbers(script, "b-1") == [(3, 3)]
        await script(store.privacy.soft_delete("a-1", **WHO))

        async def work(tx: Any) -> None:
            await script(tx.append("a-1", made(5), expected_version=NO_STREAM, outbox=[OutboxMessage("t", 1)]))
            await script(tx.append("a-1", made(6), expected_version=5))
            found = await collected(tx.read_stream("a-1"))
            assert [event.version for event in found] == [5, 6]
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await script.in_transaction(work)
        assert await numbers(script, "a-1") == []
        assert (await script(store.stream_info("a-1"))).deleted_at is not None

    play(door, scenario, privacy=True, unique_event_ids=unique)


@pytest.mark.parametrize("unique", [False, True])
def test_a_tombstone_refuses_every_append_for_ever(door: Door, unique: bool) -> None:
    async def scenario(script: Script) -> None:
        store = script.store
        first = made(1)
        await script(store.append("a-1", first, expected_version=0))
        record = await script(store.privacy.tombstone("a-1", **WHO))
        assert (record.operation, record.version, record.counts) == (PrivacyOperation.TOMBSTONE, 1, {})
        await script(store.privacy.tombstone("a-1", **WHO))
        await script(store.privacy.tombstone("new-1", **WHO))
        for stream in ("a-1", "new-1"):
            for expected in (ANY, NO_STREAM, EXISTS, 1, 2):
                for events in (made(2), made(2, 3), first):
                    with pytest.raises(StreamTombstonedError) as caught:
                        await script(store.append(stream, events, expected_version=expected))
                    assert caught.value.stream_id == stream
            with pytest.raises(StreamTombstonedError):
                await script(store.append(stream, made(2), expected_version=ANY, outbox=[OutboxMessage("t", 1)]))
            with pytest.raises(StreamTombstonedError):
                await script(
                    store.append_batch([StreamAppend("b-1", made(1), ANY), StreamAppend(stream, made(1), ANY)])
                )
        assert await numbers(script, "a-1") == [(1, 1)]
        assert (await script(store.stream_info("a-1"))).deleted_at is None
        for missing in ("new-1", "b-1"):
            with pytest.raises(StreamNotFoundError):
                await script(store.stream_info(missing))
        assert [info.stream_id for info in await collected(store.streams())] == ["a-1"]

        async def work(tx: Any) -> None:
            with pytest.raises(StreamTombstonedError):
                await script(tx.append("a-1", made(1), expected_version=ANY))
            await script(tx.append("c-1", made(1), expected_version=ANY))

        await script.in_transaction(work)
        assert await numbers(script, "c-1") == [(1, 1)]
        await script(store.privacy.soft_delete("a-1", **WHO))
        with pytest.raises(StreamTombstonedError):
            await script(store.append("a-1", made(1), expected_version=NO_STREAM))
        assert await script(store.outbox.list()) == []
        assert await script(store.check()) == []

    play(door, scenario, privacy=True, unique_event_ids=unique)


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
            "events": 2, "snapshots": 1, "messages": 2, "keys": 1, "sagas": 1, "parked": 1}  # fmt: skip
        assert await numbers(script, "a-1") == [(3, 3)]
        assert await numbers(script, "a-1", limit=1) == [(3, 3)]
        assert await numbers(script, "a-1", direction=Direction.BACKWARD, limit=5) == [(3, 3)]
        assert await collected(store.read_all()) == everything[2:]
        assert (await script(store.poll(0, limit=1))).events == [everything[2]]
        assert (await script(store.poll(0, where=EventFilter(stream_ids=("a-1",))))).events == [everything[3]]
        assert await collected(store.read_all(direction=Direction.BACKWARD, limit=2)) == everything[:1:-1]
        assert await script(store.snapshots.load("a-1")) is None
        assert await script(store.outbox.list()) == []
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

        await script(store.privacy.purge("a-1", **WHO))
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


def test_the_audit_is_complete_and_paged(door: Door) -> None:
    """T27: a limit is kept to as given, and means the same in every adapter."""

    async def scenario(script: Script) -> None:
        privacy = script.store.privacy
        for number in range(3):
            await script(privacy.tombstone(f"a-{number}", by="x"))
        with pytest.raises(StreamNotFoundError):
            await script(privacy.purge("none-1", by="x"))
        records = await script(privacy.audit())
        assert [record.stream_id for record in records] == ["a-0", "a-1", "a-2"]
        assert records[0].done_at.utcoffset().total_seconds() == 0
        assert [r.stream_id for r in await script(privacy.audit(after=records[0].number, limit=1))] == ["a-1"]
        assert [r.stream_id for r in await script(privacy.audit(stream_id="a-2"))] == ["a-2"]
        assert await script(privacy.audit(limit=0)) == []
        assert len(await script(privacy.audit(limit=10**6))) == 3
        for wrong in (
            lambda: privacy.tombstone("-a", by="x"),
            lambda: privacy.tombstone("a-1", by=""),
            lambda: privacy.redact("a-1", 0, by="x"),
            lambda: privacy.redact("a-1", 1, data={1, 2}, by="x"),
            lambda: privacy.redact("a-1", 1, metadata=[1], by="x"),
            lambda: privacy.purge("a-1", up_to_version=True, by="x"),
            lambda: privacy.audit(limit=-1),
        ):
            with pytest.raises(UsageError):
                await script(wrong())

    play(door, scenario, privacy=True)


def test_a_subscriber_skips_nothing_and_sees_nothing_twice(door: Door) -> None:
    """T3: redacting and purging while others write; the reader goes by position alone."""

    async def scenario(script: Script) -> None:
        store = script.store
        for number in range(1, 21):
            await script(store.append(f"a-{number % 4}", made(number), expected_version=ANY))

        async def with_open_writer(tx: Any) -> None:
            await script(tx.append("open-1", made(0), expected_version=ANY))
            position, seen = 0, []
            for step in range(1, 30):
                page = await script(store.poll(position, limit=3))
                seen += [event.data["n"] for event in page.events]
                position = page.next_position
                if step == 2:
                    # Behind the reader, and before it: 1 to 6 were given out.
                    await script(store.privacy.redact("a-1", 1, data={"n": -1}, **WHO))
                    await script(store.privacy.redact("a-3", 3, data={"n": -11}, **WHO))
            assert seen == [*range(1, 11), -11, *range(12, 21)]

        await script.in_transaction(with_open_writer)
        await script(store.privacy.purge("a-2", **WHO))
        seen = [event.data["n"] for event in (await script(store.poll(0))).events]
        assert seen == [n for n in [-1, *range(2, 11), -11, *range(12, 21), 0] if n % 4 != 2 or n < 0]
        assert not inspect.iscoroutinefunction(store.poll) or door.is_async

    play(door, scenario, privacy=True)
