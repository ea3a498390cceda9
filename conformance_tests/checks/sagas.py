"""SAGA-01: sagas are saved by compare-and-set, and a deleted one is not resurrected."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from conformance_tests.check import check
from conformance_tests.expect import equal, raises, true
from mink_core import Capability, Saga, SagaConflictError, SagaStatus, StoredSaga

if TYPE_CHECKING:
    from conformance_tests.lab import Lab

SAGAS = {Capability.SAGAS}


class _UndoError(Exception):
    """Rolls a transaction back."""


@check("SAGA-01", needs=SAGAS)
def sagas_are_compared_and_set(lab: Lab) -> None:
    """A save needs the true version, raises it by one, and brings back every field; any other version changes nothing."""
    store, other = lab.open(), lab.open()
    equal(store.sagas.load("s-1"), None, "a saga that was never saved")
    for expected in (1, 7):
        with raises(SagaConflictError, f"a first save with version {expected}"):
            store.sagas.save(Saga("s-1", "Order"), expected_version=expected)
    equal(store.sagas.load("s-1"), None, "the saga after refused saves")
    due = datetime(2999, 1, 1, tzinfo=UTC)
    saga = Saga(
        "s-1", "Order", {"n": [1, 1.0, True]}, SagaStatus.COMPENSATING, "order-1", due, (lab.uuid(), lab.uuid())
    )
    first = store.sagas.save(saga, expected_version=0)
    equal(first.version, 1, "the first version")
    loaded = other.sagas.load("s-1")
    equal(loaded, first, "what is loaded, and what save returned")
    for name in ("saga_type", "state", "status", "correlation_id", "due_at", "handled"):
        equal(getattr(loaded, name), getattr(saga, name), f"the field {name}")
    for expected in (0, 2, 7):
        with raises(SagaConflictError, f"a save with version {expected} of 1"):
            other.sagas.save(Saga("s-1", "Order", "changed"), expected_version=expected)
    equal(store.sagas.load("s-1"), first, "the saga after refused saves")
    equal(other.sagas.save(Saga("s-1", "Order", 2), expected_version=1).version, 2, "the second version")


@check("SAGA-01", needs=SAGAS)
def a_deleted_saga_stays_deleted(lab: Lab) -> None:
    """A deleted saga is loaded and found by nobody, and no save, of whatever version, brings it back."""
    store = lab.open()
    store.sagas.save(Saga("s-1", "Order", correlation_id="order-1"), expected_version=0)
    with raises(SagaConflictError, "deleting with another version"):
        store.sagas.delete("s-1", expected_version=7)
    store.sagas.delete("s-1", expected_version=1)
    for expected in (0, 1, 2, 7):
        with raises(SagaConflictError, f"a save with version {expected} of a deleted saga"):
            store.sagas.save(Saga("s-1", "Order"), expected_version=expected)
    with raises(SagaConflictError, "deleting it again"):
        store.sagas.delete("s-1", expected_version=1)
    equal(store.sagas.load("s-1"), None, "a deleted saga")
    equal(list(store.sagas.find(correlation_id="order-1")), [], "what is found of a deleted saga")


@check("SAGA-01", needs=SAGAS)
def of_racing_savers_one_wins(lab: Lab) -> None:
    """Of eight savers of one version exactly one wins, also where the saga is new."""
    handles = [lab.open() for _ in range(8)]
    for version in range(5):
        calls = [
            partial(handle.sagas.save, Saga("race-1", "Order", number), expected_version=version)
            for number, handle in enumerate(handles)
        ]
        results = lab.together(calls)
        winners = [result for result in results if isinstance(result, StoredSaga)]
        equal(len(winners), 1, f"how many savers of version {version} won")
        for result in results:
            true(
                isinstance(result, (StoredSaga, SagaConflictError)), "a loser", expected="a conflict", seen=repr(result)
            )
        equal(handles[0].sagas.load("race-1"), winners[0], "the saga after the race")


@check("TX-01", "SAGA-01", needs={Capability.SAGAS, Capability.TRANSACTIONS})
def sagas_in_transactions(lab: Lab) -> None:
    """A saga saved in a transaction is committed and undone with it; a refused save leaves the transaction usable."""
    store = lab.open()
    for undo in (True, False):
        with suppress(_UndoError), store.transaction() as transaction:
            transaction.append("order-1", lab.events(1), expected_version=0)
            transaction.sagas.save(Saga("s-1", "Order", 1), expected_version=0)
            with raises(SagaConflictError, "a second creation in the transaction"):
                transaction.sagas.save(Saga("s-1", "Order", 2), expected_version=0)
            if undo:
                raise _UndoError
        loaded = store.sagas.load("s-1")
        equal(loaded and (loaded.state, loaded.version), None if undo else (1, 1), "the saga afterwards")
        equal(len(list(store.read_stream("order-1"))), 0 if undo else 1, "the events afterwards")
