"""SNAP: the newest snapshot wins, comes back as it was saved, and its tail follows it."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from conformance_tests.check import check
from conformance_tests.expect import equal, true
from mink_core import Capability

if TYPE_CHECKING:
    from conformance_tests.lab import Lab

SNAPSHOTS = [Capability.SNAPSHOTS]


class _UndoneError(Exception):
    """Rolls a transaction back."""


def _sub_store(log: Any) -> Any:
    return log.snapshots


def tail_of(lab: Lab, store: Any, stream_id: str, **wanted: Any) -> tuple[Any, list[int]]:
    """The snapshot of `load_with_tail`, and the versions of the events that follow."""
    snapshot, events = _sub_store(store).load_with_tail(stream_id, **wanted)
    if not hasattr(events, "__aiter__"):
        return snapshot, [event.version for event in events]

    async def collected() -> list[int]:
        return [event.version async for event in events]

    return snapshot, lab.run(collected())


@check("SNAP-01", needs=SNAPSHOTS)
def an_older_snapshot_never_overwrites_a_newer_one(lab: Lab) -> None:
    """Saving below the newest version answers False and changes nothing; the same version again replaces it."""
    store, other = lab.open(), lab.open()
    equal(_sub_store(store).load("order-1"), None, "a snapshot that was never saved")
    true(_sub_store(store).save("order-1", 5, {"n": 5}), "the first save")
    for version in (1, 4):
        answered = _sub_store(other).save("order-1", version, {"late": True})
        true(answered is False, f"saving version {version} after 5", expected=False, seen=answered)
        equal(_sub_store(store).load("order-1").data, {"n": 5}, "the snapshot after the older save")
    true(_sub_store(other).save("order-1", 5, {"again": 5}), "the same version again")
    true(_sub_store(other).save("order-1", 9, {"n": 9}), "a newer one")
    found = _sub_store(store).load("order-1")
    equal((found.version, found.data), (9, {"n": 9}), "the newest")


@check("SNAP-01", needs=SNAPSHOTS)
def racing_savers_leave_the_newest(lab: Lab) -> None:
    """Of callers that save different versions at once, the newest stands afterwards, whoever came last."""
    handles = [lab.open() for _ in range(6)]
    for turn in range(15):
        versions = lab.random.sample(range(1, 100), len(handles))
        stream = f"order-{turn}"
        lab.together(
            [
                partial(_sub_store(handle).save, stream, version, {"n": version})
                for handle, version in zip(handles, versions, strict=True)
            ]
        )
        found = _sub_store(handles[0]).load(stream)
        equal((found.version, found.data), (max(versions), {"n": max(versions)}), f"after saving {versions} at once")


@check("SNAP-02", needs=SNAPSHOTS)
def a_snapshot_comes_back_as_it_was_saved(lab: Lab) -> None:
    """Type, schema version and data come back, with the same JSON types at every depth; bytes as bytes."""
    snapshots = _sub_store(lab.open())
    values: list[Any] = [
        {"i": 1, "f": 1.0, "big": 1e16, "l": [None, True, "é"]},
        [],
        "text",
        0,
        None,
        b"",
        bytes(range(256)),
    ]
    for version, value in enumerate(values, 1):
        snapshots.save("order-1", version, value, snapshot_type="Order", schema_version=version)
        found = snapshots.load("order-1")
        equal((found.data, found.snapshot_type, found.schema_version), (value, "Order", version), f"{value!r:.60}")


@check("SNAP-02", needs=SNAPSHOTS)
def the_one_that_fits_is_loaded_of_those_that_are_kept(lab: Lab) -> None:
    """`load` gives the newest that fits version, type and shape; the newest `keep` are kept; `delete` removes."""
    snapshots = _sub_store(lab.open())
    for number, kind in ((10, "A"), (20, "B"), (30, "A"), (40, "B")):
        snapshots.save("order-1", number, number, snapshot_type=kind, keep=3)

    def version(**wanted: Any) -> int | None:
        found = snapshots.load("order-1", **wanted)
        return None if found is None else int(found.version)

    equal([version(at_version=at) for at in (19, 20, 39, 40, 99)], [None, 20, 30, 40, 40], "at or before a version")
    equal([version(snapshot_type=kind) for kind in "ABC"], [30, 40, None], "of a type")
    equal(version(schema_version=2), None, "of a shape that none has")
    equal(snapshots.delete("order-1", up_to_version=30), 2, "how many were deleted")
    equal((version(), version(at_version=39)), (40, None), "after deleting up to 30")
    equal((snapshots.delete("order-1"), version()), (1, None), "after deleting the rest")


@check("SNAP-03", needs=SNAPSHOTS)
def the_tail_follows_the_snapshot(lab: Lab) -> None:
    """`load_with_tail` gives the events after the snapshot, all of them without one; one ahead is left out."""
    store = lab.open()
    events = 1100
    for version in range(0, events, 550):
        store.append("order-1", lab.events(550), expected_version=version)
    equal(tail_of(lab, store, "order-1"), (None, list(range(1, 1101))), "without a snapshot")
    _sub_store(store).save("order-1", 40, {"n": 40}, keep=2)
    snapshot, versions = tail_of(lab, store, "order-1")
    equal((snapshot.version, versions), (40, list(range(41, 1101))), "after version 40")
    _sub_store(store).save("order-1", 1100, {"n": 1100}, keep=2)
    equal(tail_of(lab, store, "order-1")[1], [], "at the end of the stream")
    _sub_store(store).save("order-1", 1101, {"n": 1101}, keep=3)
    snapshot, versions = tail_of(lab, store, "order-1")
    true(snapshot.version == events, "a snapshot ahead of its stream", expected="left out", seen=snapshot.version)
    equal(tail_of(lab, store, "none-1"), (None, []), "a missing stream")


@check("TX-01", "SNAP-01", needs=[*SNAPSHOTS, Capability.TRANSACTIONS])
def snapshots_in_transactions(lab: Lab) -> None:
    """A snapshot saved in a transaction is committed and undone with it."""
    store = lab.open()
    for undo in (True, False):
        with suppress(_UndoneError), store.transaction() as transaction:
            transaction.append("order-1", lab.events(1), expected_version=0)
            _sub_store(transaction).save("order-1", 1, {"n": 1})
            equal(_sub_store(store).load("order-1"), None, "the snapshot outside, before the commit")
            if undo:
                raise _UndoneError
        found = _sub_store(store).load("order-1")
        equal(found and (found.version, found.data), None if undo else (1, {"n": 1}), "the snapshot afterwards")


@check("SNAP-02", needs=SNAPSHOTS)
def just_the_newest_are_kept_and_every_wish_counts(lab: Lab) -> None:
    """`keep` says how many stay, one by default; version, type and shape are asked for together."""
    snapshots = _sub_store(lab.open())

    def loaded(**wanted: Any) -> int | None:
        found = snapshots.load("order-1", **wanted)
        return None if found is None else int(found.version)

    for number, kind, shape in ((10, "A", 1), (20, "B", 2), (30, "A", 2), (40, "B", 1)):
        snapshots.save("order-1", number, number, snapshot_type=kind, schema_version=shape, keep=10)
    equal(loaded(at_version=39, snapshot_type="B"), 20, "at or before version 39, of a type")
    equal(loaded(at_version=39, schema_version=1), 10, "at or before version 39, of a shape")
    equal(loaded(snapshot_type="A", schema_version=1), 10, "of a type and a shape")
    equal(loaded(at_version=19, snapshot_type="B"), None, "at or before version 19, of a type that came later")
    snapshots.save("order-1", 50, 50, keep=2)
    equal([loaded(at_version=at) for at in (50, 49, 39)], [50, 40, None], "the two that are kept")
    snapshots.save("order-1", 60, 60)
    equal([loaded(at_version=at) for at in (60, 59)], [60, None], "the one that is kept")
    for name in ("b-1", "B-1", "\u00e9-1"):
        snapshots.save(name, 7, {"n": 7}, snapshot_type="C")
    listed = [(it.stream_id, it.version) for it in snapshots.list()]
    equal(listed, [("B-1", 7), ("b-1", 7), ("order-1", 60), ("\u00e9-1", 7)], "each stream's newest one")
    equal([it.stream_id for it in snapshots.list(after="b-1", limit=1)], ["order-1"], "the list after a stream")
    equal(snapshots.delete("missing-1"), 0, "how many were deleted of a stream that has none")


@check("SNAP-02", "SNAP-01", needs=SNAPSHOTS)
def a_version_saved_again_takes_one_place(lab: Lab) -> None:
    """A snapshot that is saved again replaces itself, not the one before; that of no type is not that of any."""
    snapshots = _sub_store(lab.open())
    snapshots.save("order-1", 10, "ten", keep=2)
    for data in ("twenty", "again", "at last"):
        snapshots.save("order-1", 20, data, snapshot_type="A", keep=2)
    equal(snapshots.load("order-1").data, "at last", "the newest, saved three times")
    older = snapshots.load("order-1", at_version=19)
    equal(older and older.data, "ten", "the one before it, where two are kept")
    untyped = snapshots.load("order-1", snapshot_type="")
    equal(untyped and untyped.version, 10, "the newest of no type")
    equal(snapshots.delete("order-1"), 2, "how many were deleted")
