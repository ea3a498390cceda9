"""SAGA: saved by compare-and-set, deleted for good, claimed when due."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from conformance_tests.check import check
from conformance_tests.expect import equal, raises, true
from mink_core import Capability, Saga, SagaConflictError, SagaStatus, StoredSaga

if TYPE_CHECKING:
    from conformance_tests.lab import Lab

SAGAS = [Capability.SAGAS]


class _UndoneError(Exception):
    """Rolls a transaction back."""


def _sub_store(log: Any) -> Any:
    return log.sagas


@check("SAGA-01", needs=SAGAS)
def a_save_is_compare_and_set(lab: Lab) -> None:
    """A wrong expected version raises SagaConflictError with the true one; none creates what it believes to exist."""
    store, other = lab.open(), lab.open()
    saga = Saga("s-1", "Shipping", {"n": 1})
    with raises(SagaConflictError, "saving version 7 of nothing", expected=7, actual=0):
        _sub_store(store).save(saga, expected_version=7)
    equal(_sub_store(store).load("s-1"), None, "the saga after the refusal")
    equal(_sub_store(store).save(saga, expected_version=0).version, 1, "its first version")
    for expected in (0, 2, 9):
        with raises(SagaConflictError, f"saving over version 1, expecting {expected}", expected=expected, actual=1):
            _sub_store(other).save(saga, expected_version=expected)
    equal(_sub_store(other).save(saga, expected_version=1).version, 2, "its second version")


@check("SAGA-01", needs=SAGAS)
def a_deleted_saga_stays_deleted(lab: Lab) -> None:
    """After `delete` every save is refused, as is every other delete, and nothing is found."""
    sagas = _sub_store(lab.open())
    saga = Saga("s-1", "Shipping", correlation_id="order-1")
    sagas.save(saga, expected_version=0)
    with raises(SagaConflictError, "deleting another version", expected=5, actual=1):
        sagas.delete("s-1", expected_version=5)
    sagas.delete("s-1", expected_version=1)
    for expected in (0, 1, 2, 7):
        with raises(SagaConflictError, f"saving a deleted saga, expecting {expected}", actual=None):
            sagas.save(saga, expected_version=expected)
    with raises(SagaConflictError, "deleting it twice", actual=None):
        sagas.delete("s-1", expected_version=1)
    equal((sagas.load("s-1"), sagas.find(correlation_id="order-1")), (None, []), "what is left of it")
    for wanted in ({}, {"saga_type": "Shipping"}, {"statuses": list(SagaStatus)}):
        equal(sagas.find(**wanted), [], f"what is found of it by {wanted}")


@check("SAGA-01", needs=SAGAS)
def of_racing_savers_one_wins(lab: Lab) -> None:
    """Of callers that save over one version, exactly one succeeds."""
    handles = [lab.open() for _ in range(6)]
    for version in range(10):
        results = lab.together(
            [
                partial(_sub_store(handle).save, Saga("s", "T", number), expected_version=version)
                for number, handle in enumerate(handles)
            ]
        )
        equal(sum(isinstance(it, StoredSaga) for it in results), 1, f"how many saved over version {version}")
        equal(sum(isinstance(it, SagaConflictError) for it in results), 5, f"how many were refused, of {results}")


@check("SAGA-02", needs=SAGAS)
def every_field_of_a_saga_comes_back(lab: Lab) -> None:
    """All fields come back with their types, and the memory of handled events is bounded, newest kept."""
    store = lab.open()
    ids = tuple(lab.event({}).event_id for _ in range(300))
    due_at = datetime(2999, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    given = Saga("s-1", "T", {"i": 1, "f": 1.0, "b": 1e16}, SagaStatus.COMPENSATION_FAILED, "c", due_at, ids)
    saved = _sub_store(store).save(given, expected_version=0)
    found = _sub_store(lab.open()).load("s-1")
    equal(found, saved, "the saga that was loaded")
    equal(
        (found.state, found.status, found.correlation_id, found.due_at),
        (given.state, given.status, "c", due_at),
        "its fields",
    )
    true(
        0 < len(found.handled) < len(ids) and found.handled == ids[-len(found.handled) :],
        "the handled events",
        expected="the newest, in order",
        seen=len(found.handled),
    )
    for status in SagaStatus:
        _sub_store(store).save(Saga(f"t-{status.value}", "T", status=status), expected_version=0)
        equal(
            [it.saga_id for it in _sub_store(store).find(statuses=[status], after="t")],
            [f"t-{status.value}"],
            status.name,
        )


@check("SAGA-03", needs=SAGAS)
def a_due_saga_is_claimed_by_one_and_fenced(lab: Lab) -> None:
    """A claim gives a new version; whoever had it before cannot save, and after too many claims it is stuck."""
    sagas = _sub_store(lab.open())
    past = datetime.now(UTC) - timedelta(seconds=5)
    sagas.save(Saga("held", "T", due_at=past - timedelta(seconds=5)), expected_version=0)
    sagas.save(Saga("due", "T", due_at=past), expected_version=0)
    sagas.save(Saga("later", "T", due_at=past + timedelta(hours=1)), expected_version=0)
    equal([it.saga_id for it in sagas.claim_due(limit=1)], ["held"], "what was due first")
    (first,) = sagas.claim_due(lease=0.1)
    equal((first.saga_id, first.version), ("due", 2), "what is due while the other is claimed")
    time.sleep(0.15)
    (again,) = sagas.claim_due(lease=0.1)
    with raises(SagaConflictError, "a save by the first claimer", actual=3):
        sagas.save(first, expected_version=first.version)
    time.sleep(0.15)
    equal(sagas.claim_due(max_claims=2), [], "what is claimed after two claims without a save")
    stuck = sagas.load("due")
    equal(stuck.status, SagaStatus.STUCK, "its status")
    with raises(SagaConflictError, "a save by its last claimer, once it is stuck", actual=stuck.version):
        sagas.save(again, expected_version=again.version)
    for most in (1, 10):
        equal(sagas.claim_due(max_claims=most), [], f"what is claimed once it is stuck, with max_claims={most}")
    equal(sagas.load("due"), stuck, "a stuck saga, after others have asked for what is due")
    mended = msgspec.structs.replace(stuck, status=SagaStatus.RUNNING)
    equal(sagas.save(mended, expected_version=stuck.version).claims, 0, "its claims after a save")
    equal(again.claims, 2, "the claims that were counted")


@check("TX-01", "SAGA-01", needs=[*SAGAS, Capability.TRANSACTIONS])
def sagas_in_transactions(lab: Lab) -> None:
    """A saga saved in a transaction is committed and undone with it; a refused save leaves the transaction usable."""
    store = lab.open()
    for undo in (True, False):
        with suppress(_UndoneError), store.transaction() as transaction:
            transaction.append("order-1", lab.events(1), expected_version=0)
            _sub_store(transaction).save(Saga("s-1", "Order", 1), expected_version=0)
            with raises(SagaConflictError, "a second creation in the transaction"):
                _sub_store(transaction).save(Saga("s-1", "Order", 2), expected_version=0)
            if undo:
                raise _UndoneError
        loaded = _sub_store(store).load("s-1")
        equal(loaded and (loaded.state, loaded.version), None if undo else (1, 1), "the saga afterwards")
        equal(len(list(store.read_stream("order-1"))), 0 if undo else 1, "the events afterwards")


@check("SAGA-01", "READ-02", needs=SAGAS)
def sagas_are_found_by_all_that_is_asked(lab: Lab) -> None:
    """`find` joins what it is asked for by AND, takes any of the statuses, and goes on after an id in code point order."""
    sagas = _sub_store(lab.open())
    for saga_id, kind, status, correlation in (
        ("a-1", "T", SagaStatus.RUNNING, "c-1"),
        ("B-1", "T", SagaStatus.COMPLETED, "c-1"),
        ("a-2", "U", SagaStatus.FAILED, "c-1"),
        ("a-3", "T", SagaStatus.FAILED, "c-2"),
    ):
        sagas.save(Saga(saga_id, kind, status=status, correlation_id=correlation), expected_version=0)

    def found(**wanted: Any) -> list[str]:
        return [it.saga_id for it in sagas.find(**wanted)]

    equal(found(), ["B-1", "a-1", "a-2", "a-3"], "all sagas")
    equal(found(saga_type="T", correlation_id="c-1"), ["B-1", "a-1"], "of a type and a correlation")
    either = [SagaStatus.COMPLETED, SagaStatus.FAILED]
    equal(found(statuses=either), ["B-1", "a-2", "a-3"], "of two statuses")
    equal(found(statuses=either, saga_type="T", after="B-1"), ["a-3"], "of two statuses and a type, after an id")
    equal((found(after="a-1"), found(after="a-1", limit=1)), (["a-2", "a-3"], ["a-2"]), "after an id")


@check("SAGA-03", needs=SAGAS)
def the_sagas_that_have_waited_longest_are_claimed(lab: Lab) -> None:
    """A claim takes no more than its limit, those that were due first, and only of the type asked for."""
    sagas = _sub_store(lab.open())
    now = datetime.now(UTC)
    for saga_id, kind, late in (("a", "T", 10), ("b", "U", 40), ("c", "T", 30), ("d", "T", 20)):
        sagas.save(Saga(saga_id, kind, due_at=now - timedelta(seconds=late)), expected_version=0)
    equal([it.saga_id for it in sagas.claim_due(saga_type="T", limit=2)], ["c", "d"], "two of a type")
    equal([it.saga_id for it in sagas.claim_due(saga_type="T")], ["a"], "the rest of it")
    equal([it.saga_id for it in sagas.claim_due()], ["b"], "what is left")


@check("SAGA-03", needs=SAGAS)
def racing_claims_share_no_saga(lab: Lab) -> None:
    """Of callers that claim due sagas at once each saga goes to one, and all go to somebody."""
    handles = [lab.open() for _ in range(6)]
    past = datetime.now(UTC) - timedelta(seconds=5)
    names = [f"s-{number:02}" for number in range(48)]
    for name in names:
        _sub_store(handles[0]).save(Saga(name, "T", due_at=past), expected_version=0)
    taken: list[list[str]] = [[] for _ in handles]

    def work(index: int) -> None:
        while claimed := _sub_store(handles[index]).claim_due(limit=3):
            taken[index] += [it.saga_id for it in claimed]

    results = lab.together([partial(work, index) for index in range(len(handles))])
    equal(results, [None] * len(handles), "how the callers ended")
    equal(sorted(name for one in taken for name in one), names, "what was claimed, by all together")
