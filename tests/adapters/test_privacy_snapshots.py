"""Snapshots that are saved after their events were deleted, purged or redacted, on every door (PRIV-01, PRIV-04, PRIV-05)."""

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
        await script(store.append("a-1", made(6), expected_version=5))
        assert await script(snapshots.save("a-1", 6, {"v": 6}, keep=2)) is True
        assert await listed() == [("a-1", 6, "", 1)]
        assert (await script(snapshots.load("a-1", at_version=5))).data == {"v": 3}
        assert await script(snapshots.load("a-1", at_version=2)) is None
        await script(store.privacy.redact("a-1", 3, **WHO))
        assert await listed() == []
        assert await script(snapshots.save("a-1", 1, {"v": 1})) is True

    play(door, scenario, privacy=True)


def test_a_state_that_was_read_before_a_redaction_is_not_saved(door: Door) -> None:
    """From the event's version on, up to the one that the stream had: nobody can tell when such a state was read (PRIV-05)."""

    async def scenario(script: Script) -> None:
        store, snapshots = script.store, script.store.snapshots

        async def saved(*versions: int) -> list[bool]:
            return [await script(snapshots.save("a-1", version, {"name": "Ann"}, keep=9)) for version in versions]

        async def loaded(*versions: int) -> list[int]:
            found = [await script(snapshots.load("a-1", at_version=version)) for version in versions]
            return [it.version if it else 0 for it in found]

        await script(store.append("a-1", made(*range(6)), expected_version=NO_STREAM))
        await script(store.privacy.redact("a-1", 3, **WHO))
        assert await saved(2, 3, 6) == [True, False, False]
        assert await loaded(2, 3, 6) == [2, 2, 2]
        assert [(it.stream_id, it.version) for it in await script(snapshots.list())] == [("a-1", 2)]
        tail = await script(snapshots.load_with_tail("a-1"))
        assert (tail.snapshot.version, [it.version for it in await collected(tail.events)]) == (2, [3, 4, 5, 6])
        assert await saved(1) == [False]
        # A later one cannot be told from one that was made since.
        await script(store.append("a-1", made(*range(4)), expected_version=6))
        assert await saved(7, 8) == [True, True]
        # What lies between two redactions may stay.
        await script(store.privacy.redact("a-1", 9, **WHO))
        assert await saved(8, 9, 10) == [True, False, False]
        assert await loaded(2, 6, 7, 8, 10) == [2, 2, 7, 8, 8]
        await script(store.privacy.redact("a-1", 2, **WHO))
        assert await saved(2, 8, 10, 1) == [False, False, False, True]
        assert await loaded(10) == [1]

    play(door, scenario, privacy=True)


@pytest.mark.parametrize("up_to", [2, None])
def test_a_state_that_was_read_before_a_purge_is_not_saved(door: Door, up_to: int | None) -> None:
    async def scenario(script: Script) -> None:
        store, snapshots = script.store, script.store.snapshots
        await script(store.append("a-1", made(1, 2, 3), expected_version=NO_STREAM))
        await script(store.privacy.purge("a-1", up_to_version=up_to, **WHO))
        for version in (1, 2, 3):
            assert await script(snapshots.save("a-1", version, {"name": "Ann"})) is False
        assert await script(snapshots.load("a-1")) is None
        assert list(await script(snapshots.list())) == []
        await script(store.append("a-1", made(4), expected_version=3))
        await script(store.privacy.purge("a-1", up_to_version=2, **WHO))  # it finds nothing to erase
        assert await script(snapshots.save("a-1", 4, {"of": "what is left"})) is True

    play(door, scenario, privacy=True)


def test_a_state_of_what_is_hidden_is_not_saved(door: Door) -> None:
    async def scenario(script: Script) -> None:
        store, snapshots = script.store, script.store.snapshots
        await script(store.append("a-1", made(1, 2), expected_version=NO_STREAM))
        await script(store.privacy.soft_delete("a-1", **WHO))
        await script(store.append("a-1", made(3), expected_version=NO_STREAM))
        assert [await script(snapshots.save("a-1", version, {})) for version in (2, 3)] == [False, True]

    play(door, scenario, privacy=True)
