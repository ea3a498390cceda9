"""Records beside the log: changed by several at once, fenced by leases, and kept in few slots."""

from __future__ import annotations

import pytest

from mink_core import LeaseLostError
from mink_jetstream.records import Records


def test_records_that_change_meanwhile_are_changed_anew(store, monkeypatch):
    store.checkpoints.save("reader", 1, expected=None)
    write, beaten = Records._write, []

    async def overtaken(self, written, loaded, deadline):
        if not beaten:
            beaten.append(True)
            await self.change(lambda view: view.put(next(iter(written)), loaded[next(iter(written))].data))
        return await write(self, written, loaded, deadline)

    monkeypatch.setattr(Records, "_write", overtaken)
    store.checkpoints.save("reader", 2, expected=1)
    assert beaten
    assert store.checkpoints.load("reader").position == 2


def test_a_lease_that_is_taken_over_while_a_checkpoint_is_saved_fences_it(store, monkeypatch):
    """After the save has looked at the lease, and before it writes."""
    (lease,) = store.subscriptions.hold("reader", "one", partitions=1, seconds=30).leases
    store.checkpoints.save("reader", 1, expected=None, lease=lease)
    write, taken = Records._write, []

    async def overtaken(self, written, loaded, deadline):
        if not taken and any("checkpoint" in key for key in written):
            taken.append(True)
            await store._inner.subscriptions.leave("reader", "one")
            await store._inner.subscriptions.hold("reader", "two", partitions=1, seconds=30)
        return await write(self, written, loaded, deadline)

    monkeypatch.setattr(Records, "_write", overtaken)
    with pytest.raises(LeaseLostError):
        store.checkpoints.save("reader", 2, expected=1, lease=lease)
    assert taken
    assert store.checkpoints.load("reader").position == 1


def test_a_worker_that_is_back_has_nothing_of_what_it_had(store):
    """Nor what it may not take again."""
    subscriptions = store.subscriptions

    def hold(owner, partitions):
        return subscriptions.hold("reader", owner, partitions=partitions, seconds=60).leases

    old = {lease.partition: lease for lease in hold("one", 4)}
    assert hold("two", 4) == ()
    subscriptions.leave("reader", "one")
    for _ in range(2):  # the second beat finds what the first has left
        new = hold("one", 4)
        assert len(new) == 2
        assert all(lease.token > max(it.token for it in old.values()) for lease in new)
    assert len(hold("two", 4)) == 2
    owners = [part.owner for part in subscriptions.list()[0].partitions]
    assert sorted(owners) == ["one", "one", "two", "two"]
    with pytest.raises(LeaseLostError):
        store.checkpoints.save(f"reader#{new[0].partition}/4", 1, expected=None, lease=old[new[0].partition])
    store.checkpoints.save(f"reader#{new[0].partition}/4", 1, expected=None, lease=new[0])


def test_snapshots_use_their_slots_again(store):
    for version in range(1, 12):
        assert store.snapshots.save("order-1", version, {"at": version}, keep=3)
    assert store.snapshots.load("order-1", at_version=10).data == {"at": 10}
    assert store.snapshots.save("order-1", 12, b"raw", keep=1)
    assert store.snapshots.load("order-1", at_version=11) is None
    keys = store._portal.run(store._inner._records.keys(store._inner.keys.below("snapshot")))
    assert len(keys) <= 4  # three slots and the list
    assert store.snapshots.delete("order-1") == 1
    assert store.snapshots.load("order-1") is None
