"""SUB-08 and the leases of SUB-09: positions saved by compare-and-set, and fenced."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from conformance_tests.check import check
from conformance_tests.expect import equal, fail, raises, true
from mink_core import (
    Capability,
    CheckpointConflictError,
    ExpectedVersion,
    Lease,
    LeaseLostError,
    SubscriptionNotFoundError,
    UsageError,
)

if TYPE_CHECKING:
    from conformance_tests.lab import Lab
    from mink_core import Holding

CHECKPOINTS = {Capability.CHECKPOINTS}
DURABLE = {Capability.DURABLE_SUBSCRIPTIONS}


def position_of(store: Any, name: str) -> int | None:
    """Where a checkpoint is; None where there is none."""
    found = store.checkpoints.load(name)
    return None if found is None else found.position


@check("SUB-08", needs=CHECKPOINTS)
def a_checkpoint_moves_only_from_where_it_is_expected(lab: Lab) -> None:
    """No checkpoint differs from one at 0, and only the expected position is replaced; the error tells the true one."""
    store, other = lab.open(), lab.open()
    equal(store.checkpoints.load("a"), None, "a checkpoint that was never saved")
    with raises(CheckpointConflictError, "expecting 0 of none", name="a", expected=0, actual=None):
        store.checkpoints.save("a", 5, expected=0)
    store.checkpoints.save("a", 0, expected=None)
    equal(position_of(other, "a"), 0, "a checkpoint saved at 0, by another handle")
    with raises(CheckpointConflictError, "expecting none of 0", name="a", expected=None, actual=0):
        other.checkpoints.save("a", 7, expected=None)
    other.checkpoints.save("a", 7, expected=0)
    with raises(CheckpointConflictError, "a stale worker", name="a", expected=0, actual=7):
        store.checkpoints.save("a", 9, expected=0)
    store.checkpoints.save("B", 1, expected=None)
    equal([item.name for item in store.checkpoints.list()], ["B", "a"], "the list, in code point order")
    found = store.checkpoints.load("a")
    true(found is not None and found.identity == store.identity(), "the identity that is kept", seen=found)


@check("SUB-08", needs=CHECKPOINTS)
def a_checkpoint_goes_back_only_on_purpose(lab: Lab) -> None:
    """Save refuses a lower position; reset sets one or none, whatever there is."""
    store = lab.open()
    store.checkpoints.save("a", 9, expected=None)
    with raises(UsageError, "saving backwards"):
        store.checkpoints.save("a", 3, expected=9)
    equal(position_of(store, "a"), 9, "the checkpoint after the refusal")
    store.checkpoints.reset("a", 3)
    equal(position_of(store, "a"), 3, "the checkpoint after reset to 3")
    store.checkpoints.reset("a")
    equal(position_of(store, "a"), None, "the checkpoint after reset")
    store.checkpoints.reset("never")


@check("SUB-08", "TX-01", needs=CHECKPOINTS | {Capability.TRANSACTIONS})
def a_checkpoint_is_saved_with_its_transaction(lab: Lab) -> None:
    """What a transaction saves is seen by it alone until the commit, and gone with a rollback."""
    store, other = lab.open(), lab.open()

    def save_in(tx: Any) -> None:
        tx.append("order-1", lab.events(1), expected_version=ExpectedVersion.ANY)
        tx.checkpoints.save("a", 1, expected=None)
        with raises(CheckpointConflictError, "the same again in the transaction"):
            tx.checkpoints.save("a", 2, expected=None)
        equal(position_of(tx, "a"), 1, "the checkpoint in its transaction")
        equal(position_of(other, "a"), None, "the checkpoint outside, before the commit")

    def fail_in(tx: Any) -> None:
        save_in(tx)
        raise LookupError

    with raises(LookupError, "what the block raises"), store.transaction() as tx:
        fail_in(tx)
    equal(position_of(other, "a"), None, "the checkpoint after a rollback")
    with store.transaction() as tx:
        save_in(tx)
    equal(position_of(other, "a"), 1, "the checkpoint after the commit")


def hold(store: Any, owner: str, *, partitions: int = 4, seconds: float = 60) -> Holding:
    """A worker's beat."""
    found: Holding = store.subscriptions.hold("s", owner, partitions=partitions, seconds=seconds)
    return found


@check("SUB-09", needs=DURABLE | {Capability.PARTITIONS})
def every_partition_has_one_owner(lab: Lab) -> None:
    """Workers hold fair shares without overlap, and hand over what they hold too much."""
    store, other = lab.open(), lab.open()
    equal([lease.partition for lease in hold(store, "a").leases], [0, 1, 2, 3], "what the only worker holds")
    equal(hold(other, "b").leases, (), "what a second worker holds before anything was handed back")
    surplus = hold(store, "a")
    equal(len(surplus.surplus), 2, "how much the first one has too much")
    for lease in surplus.leases:
        if lease.partition in surplus.surplus:
            store.subscriptions.release(lease)
    held = [hold(store, "a"), hold(other, "b")]
    equal([len(share.leases) for share in held], [2, 2], "the shares")
    taken = sorted(lease.partition for share in held for lease in share.leases)
    equal(taken, [0, 1, 2, 3], "the partitions that are held")
    store.subscriptions.leave("s", "a")
    equal(len(hold(other, "b").leases), 4, "what the second worker holds after the first has left")


@check("SUB-09", "SUB-08", needs=DURABLE | CHECKPOINTS)
def a_silent_worker_is_replaced_and_refused(lab: Lab) -> None:
    """Its lease is taken over when its time is over, not before, and what it saves then is refused."""
    store, other = lab.open(), lab.open()
    (old,) = hold(store, "old", partitions=1, seconds=0.5).leases
    store.checkpoints.save("s", 1, expected=None, lease=old)
    waiting = hold(other, "new", partitions=1)
    equal(waiting.leases, (), "what another worker is given while the first one lives")
    if waiting.next_expiry is None:
        fail("next_expiry beside a living worker", expected="seconds", seen=None)
    time.sleep(waiting.next_expiry + 0.05)
    (new,) = hold(other, "new", partitions=1).leases
    true(new.token > old.token, "the new token", expected=f"above {old.token}", seen=new.token)
    with raises(LeaseLostError, "the stale owner's save", name="s", token=old.token):
        store.checkpoints.save("s", 2, expected=1, lease=old)
    equal(position_of(store, "s"), 1, "the checkpoint after the refusal")
    other.checkpoints.save("s", 2, expected=1, lease=new)
    with raises(LeaseLostError, "a lease that never was"):
        other.checkpoints.save("s", 3, expected=2, lease=Lease("s", 0, new.token + 1_000_000))


@check("SUB-08", "SUB-09", needs=DURABLE | CHECKPOINTS)
def a_rewind_takes_every_lease_away(lab: Lab) -> None:
    """After a rewind a running worker's save is refused; an unknown subscription is told."""
    store = lab.open()
    with raises(SubscriptionNotFoundError, "rewinding nobody", name="s"):
        store.subscriptions.rewind("s", 1)
    (lease,) = hold(store, "a", partitions=1).leases
    store.checkpoints.save("s", 9, expected=None, lease=lease)
    store.subscriptions.rewind("s", 4)
    equal(position_of(store, "s"), 4, "the checkpoint after the rewind")
    with raises(LeaseLostError, "a save that was under way"):
        store.checkpoints.save("s", 10, expected=4, lease=lease)
    with raises(UsageError, "another number of partitions"):
        hold(store, "a", partitions=2)
    store.subscriptions.reset("s")
    equal(position_of(store, "s"), None, "the checkpoint after the reset")
    true(hold(store, "a", partitions=2).leases[0].token > lease.token, "the token after a reset", seen="not above")
