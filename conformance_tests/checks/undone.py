"""TX-01: whatever a sub-store does in a transaction is undone with it, and seen in it and by nobody else before its commit."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from conformance_tests.check import check
from conformance_tests.checks.outbox import message
from conformance_tests.checks.snapshots import tail_of
from conformance_tests.expect import equal, true
from mink_core import Capability, Saga, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance_tests.lab import Lab

TRANSACTIONS = Capability.TRANSACTIONS


class _UndoneError(Exception):
    """Rolls a transaction back."""


def _expect_undone(store: Any, change: Callable[[Any], object], look: Callable[[Any], Any], what: str) -> None:
    """Expect a change to be undone with its transaction, and with another one to be committed."""
    before = changed = look(store)
    for commits in (False, True):
        with suppress(_UndoneError), store.transaction() as transaction:
            change(transaction)
            changed = look(transaction)
            equal(look(store), before, f"what others see of {what} before its transaction has ended")
            if not commits:
                raise _UndoneError
        equal(look(store), changed if commits else before, f"{what}, after a {'commit' if commits else 'rollback'}")
    true(changed != before, f"{what}, as the transaction sees it", expected="a change", seen=changed)


@check("TX-01", "OUTBOX-02", needs=[TRANSACTIONS, Capability.OUTBOX])
def what_is_said_of_messages_is_undone_with_its_transaction(lab: Lab) -> None:
    """A claim, an acknowledgement, a failure, a settling and a requeueing in a transaction are undone with it."""
    store: Any = lab.open()

    def look(log: Any) -> Any:
        return [(it.payload, it.status, it.attempts, it.last_error) for it in log.outbox.list()]

    store.outbox.add([message(number) for number in range(5)])
    _expect_undone(store, lambda log: log.outbox.claim("w", limit=1), look, "a claim")
    first, second, third, fourth = store.outbox.claim("w")
    _expect_undone(store, lambda log: log.outbox.complete(first), look, "a message that is done")
    _expect_undone(store, lambda log: log.outbox.fail(second, "no", give_up=True), look, "a message that failed")
    _expect_undone(
        store, lambda log: log.outbox.settle([Verdict(third), Verdict(fourth, "no")]), look, "what is settled"
    )
    _expect_undone(store, lambda log: log.outbox.requeue(second.message_id), look, "what is requeued")


@check("TX-01", "SAGA-01", "SAGA-03", needs=[TRANSACTIONS, Capability.SAGAS])
def claims_and_ends_of_sagas_are_undone_with_their_transaction(lab: Lab) -> None:
    """A claim and a delete of a saga in a transaction are undone with it."""
    store: Any = lab.open()
    past = datetime.now(UTC) - timedelta(seconds=5)
    store.sagas.save(Saga("s-1", "T", {"n": 1}, due_at=past), expected_version=0)

    def look(log: Any) -> Any:
        return [(it.saga_id, it.version, it.claims) for it in log.sagas.find()]

    _expect_undone(store, lambda log: log.sagas.claim_due(lease=60), look, "a claim of a saga")
    _expect_undone(store, lambda log: log.sagas.delete("s-1", expected_version=2), look, "a saga that is deleted")


@check("TX-01", "IDEM-01", needs=[TRANSACTIONS, Capability.IDEMPOTENCY])
def a_release_is_undone_with_its_transaction(lab: Lab) -> None:
    """A key that is released in a transaction is held again after its rollback."""
    store: Any = lab.open()
    mine = store.idempotency.reserve("k")

    def look(log: Any) -> Any:
        return [it.key for it in log.idempotency.list()]

    _expect_undone(store, lambda log: log.idempotency.release(mine), look, "a key that is released")


@check("TX-01", "SNAP-02", needs=[TRANSACTIONS, Capability.SNAPSHOTS])
def a_delete_of_snapshots_is_undone_with_its_transaction(lab: Lab) -> None:
    """Snapshots that are deleted in a transaction are there after its rollback."""
    store: Any = lab.open()
    for version in (1, 2):
        store.snapshots.save("order-1", version, version, keep=2)

    def look(log: Any) -> Any:
        return [it.version for it in log.snapshots.list()]

    _expect_undone(store, lambda log: log.snapshots.delete("order-1"), look, "snapshots that are deleted")


@check("TX-01", "SNAP-03", needs=[TRANSACTIONS, Capability.SNAPSHOTS])
def a_tail_in_a_transaction_has_its_own_events(lab: Lab) -> None:
    """`load_with_tail` of a transaction: its own snapshot, and its own events after those that are stored."""
    store: Any = lab.open()
    store.append("order-1", lab.events(2), expected_version=0)
    with store.transaction() as transaction:
        transaction.append("order-1", lab.events(2), expected_version=2)
        equal(tail_of(lab, transaction, "order-1"), (None, [1, 2, 3, 4]), "the tail in the transaction")
        transaction.snapshots.save("order-1", 3, "three")
        snapshot, versions = tail_of(lab, transaction, "order-1")
        equal((snapshot and snapshot.version, versions), (3, [4]), "the tail of its own snapshot")
        equal(tail_of(lab, store, "order-1"), (None, [1, 2]), "the tail that others see")


@check("TX-01", "SUB-08", needs=[TRANSACTIONS, Capability.CHECKPOINTS])
def a_reset_is_undone_with_its_transaction(lab: Lab) -> None:
    """A checkpoint that is reset or taken away in a transaction is as it was after its rollback."""
    store: Any = lab.open()
    store.checkpoints.save("c", 5, expected=None)

    def look(log: Any) -> Any:
        return [(it.name, it.position) for it in log.checkpoints.list()]

    _expect_undone(store, lambda log: log.checkpoints.reset("c", 2), look, "a checkpoint that is reset")
    _expect_undone(store, lambda log: log.checkpoints.reset("c"), look, "a checkpoint that is taken away")
