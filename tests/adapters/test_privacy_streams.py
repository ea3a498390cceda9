"""Soft-deleted and tombstoned streams on every door (PRIV-01, PRIV-02)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from mink_core import (
    Capability,
    ConcurrencyError,
    Direction,
    DuplicateEventError,
    ExpectedVersion,
    OutboxMessage,
    PrivacyOperation,
    StreamAppend,
    StreamNotFoundError,
    StreamTombstonedError,
)
from tests.adapters.script import collected, play

if TYPE_CHECKING:
    from tests.adapters.doors import Door
    from tests.adapters.script import Script


from tests.adapters.rewriting import WHO, conflict, made, numbers

ANY, NO_STREAM, EXISTS = ExpectedVersion.ANY, ExpectedVersion.NO_STREAM, ExpectedVersion.STREAM_EXISTS


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
