"""Snapshots that are saved after their events were deleted or purged are not given out, on every door (PRIV-04)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mink_core import ExpectedVersion
from tests.adapters.script import collected, play

if TYPE_CHECKING:
    from tests.adapters.doors import Door
    from tests.adapters.script import Script


from tests.adapters.rewriting import WHO, made

NO_STREAM = ExpectedVersion.NO_STREAM


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


def test_the_newest_of_the_snapshots_that_a_redaction_leaves_is_the_newest(door: Door) -> None:
    async def scenario(script: Script) -> None:
        store, snapshots = script.store, script.store.snapshots

        async def listed() -> list[tuple[str, int, str, int]]:
            return [
                (it.stream_id, it.version, it.snapshot_type, it.schema_version) for it in await script(snapshots.list())
            ]

        await script(store.append("a-1", made(1, 2, 3, 4, 5), expected_version=NO_STREAM))
        for version in (2, 3, 5):
            await script(snapshots.save("a-1", version, {"v": version}, snapshot_type="S", schema_version=7, keep=3))
        record = await script(store.privacy.redact("a-1", 4, **WHO))
        assert record.counts["snapshots"] == 1
        assert await listed() == [("a-1", 3, "S", 7)]
        assert await script(snapshots.save("a-1", 1, {"v": 1})) is False
        assert await script(snapshots.load("a-1", at_version=1)) is None
        for version in (2, 3):
            found = await script(snapshots.load("a-1", at_version=version))
            assert (found.version, found.data, found.snapshot_type) == (version, {"v": version}, "S")
        tail = await script(snapshots.load_with_tail("a-1"))
        assert (tail.snapshot.version, len(await collected(tail.events))) == (3, 2)
        assert await script(snapshots.save("a-1", 5, {"v": 5}, keep=2)) is True
        assert await listed() == [("a-1", 5, "", 1)]
        assert (await script(snapshots.load("a-1", at_version=4))).data == {"v": 3}
        assert await script(snapshots.load("a-1", at_version=2)) is None
        await script(store.privacy.redact("a-1", 3, **WHO))
        assert await listed() == []
        assert await script(snapshots.save("a-1", 1, {"v": 1})) is True

    play(door, scenario, privacy=True)
