"""SUB-08: checkpoints are moved by compare-and-set, never backwards unless asked to, and none differs from 0."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from conformance_tests.check import Layer, check
from conformance_tests.expect import equal, raises, true
from conformance_tests.interleavings.holding import Started, UndoneError
from mink_core import Capability, CheckpointConflictError, MinkError, StoreIdentity, UsageError

if TYPE_CHECKING:
    from conformance_tests.lab import Lab

CHECKPOINTS = [Capability.CHECKPOINTS]


def _sub_store(log: Any) -> Any:
    return log.checkpoints


def position_of(log: Any, name: str) -> int | None:
    """Where a checkpoint is, None where there is none."""
    found = _sub_store(log).load(name)
    return None if found is None else int(found.position)


@check("SUB-08", needs=CHECKPOINTS)
def no_checkpoint_differs_from_one_at_zero(lab: Lab) -> None:
    """`load` of a missing checkpoint gives None; one saved at 0 is there; each is what `expected` must say."""
    store = lab.open()
    checkpoints = _sub_store(store)
    equal(checkpoints.load("a"), None, "a checkpoint that was never saved")
    equal(list(checkpoints.list()), [], "all checkpoints of a new store")
    with raises(CheckpointConflictError, "saving with expected=0 where there is none", expected=0, actual=None):
        checkpoints.save("a", 5, expected=0)
    equal(checkpoints.load("a"), None, "the checkpoint after the refusal")
    checkpoints.save("a", 0, expected=None)
    equal(position_of(store, "a"), 0, "a checkpoint saved at 0")
    with raises(CheckpointConflictError, "saving with expected=None over one at 0", name="a", expected=None, actual=0):
        checkpoints.save("a", 5, expected=None)
    checkpoints.save("a", 5, expected=0)
    equal(position_of(lab.open(), "a"), 5, "the position, through another handle")


@check("SUB-08", needs=CHECKPOINTS)
def a_checkpoint_moves_only_from_where_it_is_expected(lab: Lab) -> None:
    """A wrong `expected`, lower or higher, raises CheckpointConflictError with the true one, and changes nothing."""
    store, other = lab.open(), lab.open()
    _sub_store(store).save("a", 10, expected=None)
    for expected, position in ((9, 20), (11, 20), (0, 10), (0, 5), (None, 20)):
        with raises(CheckpointConflictError, f"save {position}, expected {expected}", expected=expected, actual=10):
            _sub_store(other).save("a", position, expected=expected)
        equal(position_of(store, "a"), 10, "the checkpoint after the refusal")
    _sub_store(other).save("a", 10, expected=10)
    _sub_store(other).save("a", 2**62, expected=10)
    equal(position_of(store, "a"), 2**62, "the checkpoint moved on")
    equal(position_of(store, "b"), None, "another checkpoint")


@check("SUB-08", needs=CHECKPOINTS)
def a_checkpoint_moves_back_only_by_reset(lab: Lab) -> None:
    """Saving below `expected` is a UsageError; `reset` moves back, creates and removes, and a late save conflicts."""
    checkpoints = _sub_store(lab.open())
    checkpoints.save("a", 10, expected=None)
    for position, expected in ((9, 10), (0, 10), (9, 11)):
        with raises(UsageError, f"save {position}, expected {expected}"):
            checkpoints.save("a", position, expected=expected)
    checkpoints.reset("a", 3)
    with raises(CheckpointConflictError, "a worker that does not know of the reset", expected=10, actual=3):
        checkpoints.save("a", 11, expected=10)
    checkpoints.save("a", 4, expected=3)
    checkpoints.reset("a", 4)
    checkpoints.reset("b", 7)
    equal([(it.name, it.position) for it in checkpoints.list()], [("a", 4), ("b", 7)], "all checkpoints")
    checkpoints.reset("a")
    checkpoints.reset("never")
    equal(checkpoints.load("a"), None, "a checkpoint that was removed")
    checkpoints.save("a", 1, expected=None)
    equal([it.name for it in checkpoints.list()], ["a", "b"], "all checkpoints at the end")


@check("SUB-08", needs=CHECKPOINTS)
def one_of_racing_savers_wins(lab: Lab) -> None:
    """Of callers that move a checkpoint on from the same position, exactly one succeeds."""
    handles = [lab.open() for _ in range(6)]
    for turn in range(12):
        expected = None if turn == 0 else position_of(handles[0], "a")

        def save(handle: Any, number: int, expected: int | None = expected) -> None:
            handle.checkpoints.save("a", (expected or 0) + 1 + number, expected=expected)

        results = lab.together([lambda h=handle, n=n: save(h, n) for n, handle in enumerate(handles)])  # type: ignore[misc]
        winners = [number for number, result in enumerate(results) if result is None]
        equal(len(winners), 1, f"how many of 6 savers that expected {expected} won")
        for result in results:
            true(
                result is None or isinstance(result, CheckpointConflictError), "how the others lost", seen=repr(result)
            )
        equal(position_of(handles[1], "a"), (expected or 0) + 1 + winners[0], "the position after the race")


@check("SUB-08", "FEED-08", needs=CHECKPOINTS)
def a_checkpoint_tells_its_history_and_its_time(lab: Lab) -> None:
    """A checkpoint has the identity it was saved with, or the store's; its time is aware, in UTC, and moves on."""
    store = lab.open()
    checkpoints, own = _sub_store(store), store.identity()
    checkpoints.save("own", 1, expected=None)
    equal(checkpoints.load("own").identity, own, "the identity where none was given")
    other = StoreIdentity(lab.uuid(), 7)
    checkpoints.save("other", 1, expected=None, identity=other)
    equal(checkpoints.load("other").identity, other, "the identity that was given")
    checkpoints.save("other", 2, expected=1)
    equal(checkpoints.load("other").identity, other, "the identity, kept where none was given")
    checkpoints.reset("other", 2)
    equal(checkpoints.load("other").identity, own, "the identity after a reset")
    first = checkpoints.load("own")
    true(first.updated_at.utcoffset() == timedelta(0), "the time is in UTC", expected=UTC, seen=first.updated_at.tzinfo)
    time.sleep(0.02)
    checkpoints.save("own", 2, expected=1)
    later = checkpoints.load("own").updated_at
    true(later > first.updated_at, "the time of a later save", expected=f"above {first.updated_at}", seen=later)


@check("SUB-08", "TX-01", needs=[*CHECKPOINTS, Capability.TRANSACTIONS])
def a_checkpoint_is_saved_with_its_transaction(lab: Lab) -> None:
    """Saved on a transaction, a checkpoint is committed or rolled back with what was appended in it (SUB-07)."""
    store, other = lab.open(), lab.open()
    _sub_store(store).save("a", 1, expected=None)

    with suppress(UndoneError), store.transaction() as transaction:
        transaction.append("order-1", lab.events(1), expected_version=0)
        _sub_store(transaction).save("a", 2, expected=1)
        equal(position_of(transaction, "a"), 2, "the position inside the transaction")
        equal(position_of(other, "a"), 1, "the position outside, before the commit")
        raise UndoneError
    equal((position_of(other, "a"), len(list(other.read_stream("order-1")))), (1, 0), "what a rollback leaves")
    with store.transaction() as transaction:
        transaction.append("order-1", lab.events(1), expected_version=0)
        _sub_store(transaction).save("a", 2, expected=1)
    equal((position_of(other, "a"), len(list(other.read_stream("order-1")))), (2, 1), "what a commit stores")


@check("SUB-08", "APPEND-12", needs=CHECKPOINTS)
def checkpoint_names_are_kept_as_they_are(lab: Lab) -> None:
    """Names of 1 to 255 characters are told apart exactly and listed in code point order; others are refused."""
    checkpoints = _sub_store(lab.open())
    names = ["a", "A", "a ", "ä", "a\u0308", "a_", "a%", "z" * 255, "\U0001f600", "\uffee", "#1", "orders#3"]
    for position, name in enumerate(names):
        checkpoints.save(name, position, expected=None)
    equal([it.name for it in checkpoints.list()], sorted(names), "the names, in code point order")
    equal([checkpoints.load(name).position for name in names], list(range(len(names))), "their positions")
    for wrong in ("", "a" * 256, "a\x00b", "a\nb", "\ud800", None, 3, b"a"):
        with raises(UsageError, f"load({wrong!r:.20})"):
            checkpoints.load(wrong)
        with raises(UsageError, f"save({wrong!r:.20})"):
            checkpoints.save(wrong, 1, expected=None)
        with raises(UsageError, f"reset({wrong!r:.20})"):
            checkpoints.reset(wrong, 1)
    wrong_numbers: tuple[tuple[Any, Any], ...] = (
        (-1, None),
        (True, None),
        (1.0, None),
        ("1", None),
        (2**63, None),
        (5, -1),
        (5, True),
    )
    for position, expected in wrong_numbers:
        with raises(UsageError, f"save at {position!r}, expected {expected!r}"):
            checkpoints.save("b", position, expected=expected)


@check("SUB-08", "TX-01", needs=[*CHECKPOINTS, Capability.TRANSACTIONS], layer=Layer.INTERLEAVING)
def an_open_transaction_keeps_its_checkpoint(lab: Lab) -> None:
    """While a transaction that saved a checkpoint is open, nobody else saves it; afterwards a late saver conflicts."""
    for commits in (True, False):
        namespace = lab.namespace()
        store, other = lab.open(namespace), lab.open(namespace)
        _sub_store(store).save("a", 1, expected=None)
        late: list[Started] = []
        with suppress(UndoneError), store.transaction() as transaction:
            _sub_store(transaction).save("a", 2, expected=1)
            late.append(Started(partial(_sub_store(other).save, "a", 5, expected=1)))
            late[0].ended(0.1)
            equal(position_of(store, "a"), 1, "the position outside, while the transaction is open")
            if not commits:
                raise UndoneError
        outcome = _outcome(late[0])
        if commits:
            true(outcome is not None, "a late saver after the commit", expected="an error", seen="it has saved")
            equal(position_of(store, "a"), 2, "the position after the commit")
        else:
            equal(position_of(store, "a"), 5 if outcome is None else 1, "the position after the rollback")


def _outcome(started: Started) -> MinkError | None:
    try:
        started.result()
    except MinkError as error:
        return error
    return None
