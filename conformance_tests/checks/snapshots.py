"""SNAP-01: the newest snapshot of a stream wins."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from conformance_tests.check import check
from conformance_tests.expect import equal, raises, true
from mink_core import Capability, UsageError

if TYPE_CHECKING:
    from conformance_tests.lab import Lab

SNAPSHOTS = {Capability.SNAPSHOTS}


class _UndoError(Exception):
    """Rolls a transaction back."""


def _shown(snapshot: Any) -> Any:
    return snapshot and (snapshot.version, snapshot.data, snapshot.snapshot_type, snapshot.schema_version)


@check("SNAP-01", needs=SNAPSHOTS)
def the_newest_snapshot_wins(lab: Lab) -> None:
    """A newer version is saved, an older one is not and changes nothing, the same one is replaced."""
    store, other = lab.open(), lab.open()
    store.append("order-1", lab.events(9), expected_version=0)
    equal(store.snapshots.load("order-1"), None, "a snapshot that was never saved")
    for version, data, saved in (
        (5, {"n": 5}, True),
        (3, {"n": 3}, False),
        (5, {"n": 5.0}, True),
        (8, [8], True),
        (7, 7, False),
    ):
        newest = _shown(other.snapshots.load("order-1"))
        equal(
            store.snapshots.save("order-1", version, data, snapshot_type="Order", schema_version=2),
            saved,
            f"saving version {version}",
        )
        want = (version, data, "Order", 2) if saved else newest
        for handle in (store, other):
            equal(_shown(handle.snapshots.load("order-1")), want, f"the newest snapshot after saving version {version}")
    equal(store.snapshots.load("order-10"), None, "the snapshot of a stream whose id begins alike")


@check("SNAP-01", "JSON-01", needs=SNAPSHOTS)
def snapshots_keep_values_and_bytes(lab: Lab) -> None:
    """JSON values come back with their types, bytes as bytes, and no object is shared."""
    store = lab.open()
    values: tuple[Any, ...] = ({"a": [1, 1.0, True, None, 1e16]}, b"\0\xff\xfe", b"", "text", 0, 0.0, None, [], {})
    for number, value in enumerate(values):
        store.snapshots.save(f"order-{number}", 1, value)
        found = store.snapshots.load(f"order-{number}")
        equal(found and found.data, value, "a snapshot's data")
    given: dict[str, Any] = {"k": [1]}
    store.snapshots.save("alias-1", 1, given)
    given["k"].append(2)
    found = store.snapshots.load("alias-1")
    equal(found and found.data, {"k": [1]}, "a snapshot after the caller changed its object")
    for version in (0, -1, True, 1.0):
        with raises(UsageError, f"save at version {version!r}"):
            store.snapshots.save("order-1", version, {})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] -- on purpose


@check("SNAP-01", needs=SNAPSHOTS)
def racing_snapshots_leave_the_newest(lab: Lab) -> None:
    """Of eight savers at once the newest version is what is left."""
    handles = [lab.open() for _ in range(8)]
    for round_ in range(5):
        order = list(range(1, 9))
        lab.random.shuffle(order)
        calls = [
            partial(handle.snapshots.save, f"race-{round_}", version, {"n": version})
            for handle, version in zip(handles, order, strict=True)
        ]
        for result in lab.together(calls):
            true(isinstance(result, bool), "saving in a race", expected="whether it was saved", seen=repr(result))
        equal(_shown(handles[0].snapshots.load(f"race-{round_}"))[:2], (8, {"n": 8}), "the snapshot after the race")


@check("TX-01", "SNAP-01", needs={Capability.SNAPSHOTS, Capability.TRANSACTIONS})
def snapshots_in_transactions(lab: Lab) -> None:
    """A snapshot saved in a transaction is committed and undone with it."""
    store = lab.open()
    for undo in (True, False):
        with suppress(_UndoError), store.transaction() as transaction:
            transaction.append("order-1", lab.events(1), expected_version=0)
            transaction.snapshots.save("order-1", 1, {"n": 1})
            equal(store.snapshots.load("order-1"), None, "the snapshot outside, before the commit")
            if undo:
                raise _UndoError
        equal(
            _shown(store.snapshots.load("order-1")), None if undo else (1, {"n": 1}, "", 1), "the snapshot afterwards"
        )
