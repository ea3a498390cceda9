"""SUB-09: who may work on a partition, and that nobody else's save gets through."""

from __future__ import annotations

import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from conformance_tests.check import check
from conformance_tests.checks.checkpoints import position_of
from conformance_tests.expect import equal, fail, raises, true
from conformance_tests.interleavings.holding import Started
from mink_core import (
    Capability,
    Lease,
    LeaseLostError,
    StorageError,
    SubscriptionNotFoundError,
    TransientStorageError,
    UsageError,
)

if TYPE_CHECKING:
    from conformance_tests.lab import Lab
    from mink_core import Holding

CHECKPOINTS = {Capability.CHECKPOINTS}
DURABLE = {Capability.DURABLE_SUBSCRIPTIONS}


class _UndoneError(Exception):
    """Rolls a transaction back."""


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
    for seconds in (0.3, 2.0, 10.0):  # longer where the machine stood still for as long
        namespace = lab.namespace()
        store, other = lab.open(namespace), lab.open(namespace)
        begun = time.monotonic()
        (old,) = hold(store, "old", partitions=1, seconds=seconds).leases
        store.checkpoints.save("s", 1, expected=None, lease=old)
        waiting = hold(other, "new", partitions=1)
        if not waiting.leases or time.monotonic() - begun < seconds:
            break
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


@check("SUB-09", needs=DURABLE | CHECKPOINTS)
def a_worker_that_left_and_is_back_begins_anew(lab: Lab) -> None:
    """A worker that left and is back is given another token, and what it saves with the former one is refused."""
    store = lab.open()
    (old,) = hold(store, "a", partitions=1).leases
    store.checkpoints.save("s", 1, expected=None, lease=old)
    store.subscriptions.leave("s", "a")
    (new,) = hold(store, "a", partitions=1).leases
    true(new.token > old.token, "the new token", expected=f"above {old.token}", seen=new.token)
    with raises(LeaseLostError, "a save from before it left", name="s", token=old.token):
        store.checkpoints.save("s", 2, expected=1, lease=old)
    store.checkpoints.save("s", 2, expected=1, lease=new)


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


@check("SUB-09", needs=DURABLE | {Capability.PARTITIONS})
def shares_differ_by_one_at_most(lab: Lab) -> None:
    """Three workers share five partitions as 2, 2 and 1, whoever came first; a lease that was lost hands nothing back."""
    store = lab.open()
    old = hold(store, "a", partitions=5).leases
    for _ in range(4):
        for owner in "abc":
            share = hold(store, owner, partitions=5)
            for lease in share.leases:
                if lease.partition in share.surplus:
                    store.subscriptions.release(lease)
    shares = {owner: hold(store, owner, partitions=5) for owner in "abc"}
    equal(sorted(len(share.leases) for share in shares.values()), [1, 2, 2], "how many partitions each has")
    equal([share.surplus for share in shares.values()], [frozenset()] * 3, "what each should hand back")
    for lease in old:
        if lease not in shares["a"].leases:
            store.subscriptions.release(lease)
    after = {owner: hold(store, owner, partitions=5).leases for owner in "abc"}
    equal(after, {owner: share.leases for owner, share in shares.items()}, "the leases after stale ones were released")


@check("SUB-09", "SUB-10", needs=DURABLE | CHECKPOINTS)
def operators_pause_resume_and_forget(lab: Lab) -> None:
    """A worker is told of a pause until `resume`; the lag counts events; `reset` forgets parked events as well."""
    store = lab.open()
    with raises(SubscriptionNotFoundError, "pausing nobody", name="s"):
        store.subscriptions.pause("s")
    store.append("order-1", lab.events(5), expected_version=0)
    second = list(store.read_all())[1]
    (lease,) = hold(store, "a", partitions=1).leases
    store.checkpoints.save("s", second.global_position, expected=None, lease=lease)
    store.parked.park("s", second, attempts=3, error="no")
    store.parked.park("other", second, attempts=1, error="no")
    store.subscriptions.hold("t", "a", partitions=1, seconds=60)
    told = []
    for change in (store.subscriptions.pause, store.subscriptions.resume):
        change("s")
        status, other = store.subscriptions.list()
        equal((other.name, other.paused_at), ("t", None), "another subscription")
        told.append((hold(store, "a", partitions=1).paused, status.paused_at is not None))
    equal(told, [(True, True), (False, False)], "what the worker and the list are told after a pause and a resume")
    equal((status.lag_events, status.parked), (3, 1), "the lag and what is parked")
    equal(status.partitions[0].owner, "a", "the owner in the list")
    store.subscriptions.reset("s")
    equal([it.subscription for it in store.parked.list()], ["other"], "what is parked after the reset")
    equal([it.name for it in store.subscriptions.list()], ["t"], "the subscriptions after the reset")


@check("SUB-10", "TX-01", needs=DURABLE | {Capability.TRANSACTIONS})
def events_are_parked_with_their_transaction(lab: Lab) -> None:
    """What is parked or let go of in a transaction is undone with it; a replay is asked for all, or for one."""
    store = lab.open()
    store.append("order-1", lab.events(2), expected_version=0)
    first, second = store.read_all()
    for event in (first, second):
        with suppress(_UndoneError), store.transaction() as transaction:
            transaction.parked.park("s", event, attempts=2, error="no")
            if event is second:
                raise _UndoneError
    equal([it.global_position for it in store.parked.list("s")], [first.global_position], "what is parked")
    with suppress(_UndoneError), store.transaction() as transaction:
        true(transaction.parked.remove("s", first.global_position), "letting go of it in a transaction")
        raise _UndoneError
    store.parked.park("s", second, attempts=1, error="no")
    equal(store.parked.replay("s", second.global_position), 1, "how many a replay of one asks for")
    equal([it.replay for it in store.parked.list("s")], [False, True], "which are to be replayed")
    equal([it.version for it in store.parked.list("s", asked=True)], [2], "what workers find that look for replays")
    equal(store.parked.replay("s"), 2, "how many a replay of all asks for")
    equal((store.parked.remove("s", 10**9), store.parked.list("t")), (False, []), "what was never parked")


@check("SUB-09", "TX-01", needs=DURABLE | CHECKPOINTS | {Capability.TRANSACTIONS})
def a_save_is_fenced_until_its_commit(lab: Lab) -> None:
    """While a save is not committed its partition has no second owner, or the commit is refused: never both."""
    store, other = lab.open(), lab.open()
    (old,) = hold(store, "old", partitions=1, seconds=0.1).leases
    taking, refused = None, False
    leases: tuple[Lease, ...] = ()
    try:
        with store.transaction() as transaction:
            transaction.checkpoints.save("s", 1, expected=None, lease=old)
            time.sleep(0.15)
            taking = Started(partial(hold, other, "new", partitions=1))
            if taking.ended(0.5):
                leases = _taken(taking)
    except (LeaseLostError, StorageError):
        refused = True
    true(refused or not leases, "a partition that was taken over amid a save", expected="one owner", seen="two")
    # A slow machine may have lost its lease before it saved: then nobody has asked yet.
    leases = leases or (_taken(taking) if taking is not None else ())
    (new,) = leases or hold(other, "new", partitions=1).leases
    true(new.token > old.token, "the new token", expected=f"above {old.token}", seen=new.token)
    equal(position_of(other, "s"), None if refused else 1, "the checkpoint")


@check("SUB-09", "TX-01", needs=DURABLE | {Capability.TRANSACTIONS, Capability.PARTITIONS})
def a_beat_counts_from_its_commit(lab: Lab) -> None:
    """A worker that comes back, its beat not committed yet, and one that takes its partition: one of them is told that it has it."""
    store, other = lab.open(), lab.open()
    for _ in range(3):
        for owner in "abc":
            share = hold(store, owner)
            for lease in share.leases:
                if lease.partition in share.surplus:
                    store.subscriptions.release(lease)
    hold(store, "b", seconds=0.1)
    time.sleep(0.15)
    hold(store, "a")  # has its share: it finds that b is gone, and takes nothing
    taking = None
    back: tuple[Lease, ...] = ()
    taken: tuple[Lease, ...] = ()
    try:
        with store.transaction() as transaction:
            back = hold(transaction, "b").leases
            taking = Started(partial(hold, other, "c"))
            if taking.ended(0.5):
                taken = _taken(taking)
    except StorageError:
        back = ()  # refused at its commit: nobody is back
    taken = taken or (_taken(taking) if taking is not None else ())
    both = {lease.partition for lease in back} & {lease.partition for lease in taken}
    equal(sorted(both), [], "partitions that two workers were told to have")
    now = {lease.partition: lease.token for owner in "abc" for lease in hold(store, owner).leases}
    for lease in (*back, *taken):
        equal(lease.token, now.get(lease.partition), f"the token of partition {lease.partition}, as it was told")


def _taken(taking: Started) -> tuple[Lease, ...]:
    """What a worker was given that may have waited for a commit, and given up by the lock time-out (TX-04)."""
    try:
        found: Holding = taking.result()
    except TransientStorageError:
        return ()
    return found.leases
