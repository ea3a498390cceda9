"""Snapshots on every door (SNAP-01 to SNAP-03, TX-01)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mink_core import Capability, ExpectedVersion, NewEvent, UsageError
from tests.adapters.script import collected, play

if TYPE_CHECKING:
    from tests.adapters.doors import Door
    from tests.adapters.script import Script


def test_the_newest_version_wins_whoever_comes_last(door: Door) -> None:
    async def scenario(script: Script) -> None:
        assert Capability.SNAPSHOTS in script.store.capabilities
        snapshots = script.store.snapshots
        assert await script(snapshots.load("a-1")) is None
        state = {"total": 1, "rate": 1.0, "big": 1e16, "names": ["é", None, True]}
        assert await script(snapshots.save("a-1", 5, state, snapshot_type="Account", schema_version=3)) is True
        assert await script(snapshots.save("a-1", 4, {"old": True})) is False
        found = await script(snapshots.load("a-1"))
        assert (found.stream_id, found.version, found.snapshot_type, found.schema_version) == ("a-1", 5, "Account", 3)
        assert repr(found.data) == repr(state) or {k: repr(v) for k, v in found.data.items()} == {
            k: repr(v) for k, v in state.items()
        }
        assert found.created_at.utcoffset().total_seconds() == 0
        assert await script(snapshots.save("a-1", 5, {"again": True}, schema_version=4)) is True
        found = await script(snapshots.load("a-1"))
        assert (found.data, found.snapshot_type, found.schema_version) == ({"again": True}, "", 4)
        assert await script(snapshots.load("a-2")) is None

    play(door, scenario)


def test_bytes_come_back_as_bytes(door: Door) -> None:
    async def scenario(script: Script) -> None:
        raw = bytes(range(256))
        await script(script.store.snapshots.save("a-1", 1, raw))
        found = await script(script.store.snapshots.load("a-1"))
        assert (type(found.data), found.data) == (bytes, raw)
        await script(script.store.snapshots.save("a-1", 2, b""))
        assert (await script(script.store.snapshots.load("a-1"))).data == b""

    play(door, scenario)


def test_asked_for_by_version_type_and_shape(door: Door) -> None:
    async def scenario(script: Script) -> None:
        snapshots = script.store.snapshots

        async def version(**wanted: Any) -> int | None:
            found = await script(snapshots.load("a-1", **wanted))
            return found and found.version

        for number, (kind, shape) in enumerate([("A", 1), ("A", 2), ("B", 1), ("B", 2)], 1):
            await script(snapshots.save("a-1", number * 10, number, snapshot_type=kind, schema_version=shape, keep=3))
        assert [await version(at_version=at) for at in (9, 10, 20, 29, 35, 99)] == [None, None, 20, 20, 30, 40]
        assert await version(snapshot_type="A") == 20
        assert await version(schema_version=1) == 30
        assert await version(snapshot_type="A", schema_version=1) is None
        assert await version(schema_version=2, at_version=39) == 20
        assert (await script(snapshots.load("a-1", at_version=20))).data == 2
        await script(snapshots.save("a-1", 50, 5))
        assert [await version(at_version=at) for at in (49, 50)] == [None, 50]

    play(door, scenario)


def test_deleting_and_listing(door: Door) -> None:
    async def scenario(script: Script) -> None:
        snapshots = script.store.snapshots
        for stream in ("b-1", "a-1", "B-1"):
            for version in (1, 2, 3):
                await script(snapshots.save(stream, version, "x" * version, keep=3))
        listed = await script(snapshots.list())
        assert [(item.stream_id, item.version, item.size) for item in listed] == [
            ("B-1", 3, 5),
            ("a-1", 3, 5),
            ("b-1", 3, 5),
        ]
        assert [item.stream_id for item in await script(snapshots.list(after="B-1", limit=1))] == ["a-1"]
        assert await script(snapshots.delete("a-1", up_to_version=2)) == 2
        assert (await script(snapshots.load("a-1"))).version == 3
        assert await script(snapshots.load("a-1", at_version=2)) is None
        assert await script(snapshots.delete("a-1")) == 1
        assert await script(snapshots.delete("a-1")) == 0
        assert await script(snapshots.delete("b-1")) == 3
        assert [item.stream_id for item in await script(snapshots.list())] == ["B-1"]

    play(door, scenario)


def test_the_tail_begins_where_the_snapshot_ends(door: Door) -> None:
    async def scenario(script: Script) -> None:
        store = script.store
        events = [NewEvent("Made", number, {"n": number}) for number in range(1, 1501)]
        await script(store.append("a-1", events, expected_version=0))
        snapshot, tail = await script(store.snapshots.load_with_tail("a-1"))
        assert snapshot is None
        assert await collected(tail) == await collected(store.read_stream("a-1"))
        await script(store.snapshots.save("a-1", 300, {"n": 300}, snapshot_type="Sum", keep=2))
        await script(store.snapshots.save("a-1", 1400, {"n": 1400}, snapshot_type="Other", keep=2))
        snapshot, tail = await script(store.snapshots.load_with_tail("a-1"))
        assert (snapshot.version, snapshot.data) == (1400, {"n": 1400})
        assert await collected(tail) == await collected(store.read_stream("a-1", after_version=1400))
        snapshot, tail = await script(store.snapshots.load_with_tail("a-1", snapshot_type="Sum"))
        assert snapshot.version == 300
        assert [event.version for event in await collected(tail)] == list(range(301, 1501))
        # One that is ahead of its stream would hide the events to come.
        await script(store.snapshots.save("a-1", 1501, {"n": 1501}, keep=3))
        snapshot, tail = await script(store.snapshots.load_with_tail("a-1"))
        assert (snapshot.version, len(await collected(tail))) == (1400, 100)
        await script(store.snapshots.save("none-1", 1, {}))
        snapshot, tail = await script(store.snapshots.load_with_tail("none-1"))
        assert (snapshot, await collected(tail)) == (None, [])

    play(door, scenario)


def test_in_a_transaction_it_is_committed_with_the_rest(door: Door) -> None:
    async def scenario(script: Script) -> None:
        async def work(tx: Any) -> None:
            await script(tx.append("a-1", [NewEvent("Made", 1)], expected_version=ExpectedVersion.ANY))
            await script(tx.snapshots.save("a-1", 1, {"n": 1}))
            snapshot, tail = await script(tx.snapshots.load_with_tail("a-1"))
            assert (snapshot.version, await collected(tail)) == (1, [])

        async def failing(tx: Any) -> None:
            await work(tx)
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await script.in_transaction(failing)
        assert await script(script.store.snapshots.load("a-1")) is None
        await script.in_transaction(work)
        assert (await script(script.store.snapshots.load("a-1"))).version == 1

    play(door, scenario)


@pytest.mark.parametrize(
    ("args", "options"),
    [
        (("-x", 1, {}), {}),
        (("a-1", 0, {}), {}),
        (("a-1", True, {}), {}),
        (("a-1", 2**63, {}), {}),
        (("a-1", 1, {"x": float("nan")}), {}),
        (("a-1", 1, {}), {"schema_version": 0}),
        (("a-1", 1, {}), {"snapshot_type": "x" * 501}),
        (("a-1", 1, {}), {"keep": 0}),
    ],
)
def test_bad_input_is_refused(door: Door, args: tuple[Any, ...], options: dict[str, Any]) -> None:
    async def scenario(script: Script) -> None:
        with pytest.raises(UsageError):
            await script(script.store.snapshots.save(*args, **options))
        assert await script(script.store.snapshots.list()) == []

    play(door, scenario)
