"""SUB-09: who may work on a partition, and that nobody else's save gets through."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from conformance_tests.check import check
from conformance_tests.checks.checkpoints import position_of
from conformance_tests.expect import equal, fail, raises, true
from mink_core import Capability, Lease, LeaseLostError, SubscriptionNotFoundError, UsageError

if TYPE_CHECKING:
    from conformance_tests.lab import Lab
    from mink_core import Holding

CHECKPOINTS = {Capability.CHECKPOINTS}
DURABLE = {Capability.DURABLE_SUBSCRIPTIONS}


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
    (old,) = hold(store, "old", partitions=1, seconds=0.3).leases
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
