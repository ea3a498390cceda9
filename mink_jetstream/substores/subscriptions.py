"""`store.subscriptions`: leases on partitions, pause, rewind, lag; async and sync."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

import msgspec

from mink_core.filters import EVERYTHING, EventFilter
from mink_core.limits import check_count, check_owner, check_subscription_name
from mink_core.partitions import Partition
from mink_core.runtime.checks import check_hold, check_lease
from mink_core.subscriptions import Holding, PartitionStatus, SubscriptionStatus, checkpoint_name
from mink_jetstream.substores import leasing
from mink_jetstream.substores.checkpoints import CheckpointRow, LeaseRow, checkpoint_key, lease_key
from mink_jetstream.substores.parked import parked_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from mink_core.leases import Lease
    from mink_jetstream.feed import Feed
    from mink_jetstream.records import Records, View
    from mink_jetstream.substores.base import Base, Run

T = TypeVar("T")

_LAG = 10_000


class AsyncJetStreamSubscriptions:
    """See `mink_core.AsyncSubscriptionStore`."""

    def __init__(self, store: Base, feed: Feed) -> None:
        """Made by the property of a store."""
        self._store = store
        self._feed = feed

    async def hold(self, name: str, owner: str, *, partitions: int, seconds: float) -> Holding:
        """See `SubscriptionStore.hold`."""
        check_hold(name, owner, partitions, seconds)
        keys = self._store.keys
        return await self._change(
            partial(leasing.hold, keys=keys, name=name, owner=owner, partitions=partitions, seconds=seconds), timed=True
        )

    async def release(self, lease: Lease) -> None:
        """See `SubscriptionStore.release`."""
        check_lease(lease)
        keys = self._store.keys
        await self._change(lambda view: leasing.release(view, keys, lease))

    async def leave(self, name: str, owner: str) -> None:
        """See `SubscriptionStore.leave`."""
        check_subscription_name(name)
        check_owner(owner)
        keys = self._store.keys
        await self._change(lambda view: leasing.leave(view, keys, name, owner))

    async def pause(self, name: str) -> None:
        """See `SubscriptionStore.pause`."""
        check_subscription_name(name)
        keys = self._store.keys
        await self._change(lambda view: leasing.pause(view, keys, name, paused=True), timed=True)

    async def resume(self, name: str) -> None:
        """See `SubscriptionStore.resume`."""
        check_subscription_name(name)
        keys = self._store.keys
        await self._change(lambda view: leasing.pause(view, keys, name, paused=False))

    async def rewind(self, name: str, position: int) -> None:
        """See `SubscriptionStore.rewind`."""
        check_subscription_name(name)
        await self._put(name, check_count(position, "position"))

    async def reset(self, name: str) -> None:
        """See `SubscriptionStore.reset`."""
        check_subscription_name(name)
        await self._put(name, None)
        records, keys = await self._store.records(), self._store.keys
        for key in await parked_rows(records, keys, name):
            await records.change(partial(leasing.drop, key=key))

    async def _put(self, name: str, position: int | None) -> None:
        keys, identity = self._store.keys, await self._store.identity()
        begin: int | None = 0
        while begin is not None:
            begin = await self._change(
                partial(leasing.rewind, keys=keys, name=name, position=position, identity=identity, begin=begin)
            )

    async def _change(self, apply: Callable[[View], T], *, timed: bool = False) -> T:
        return await (await self._store.records()).change(apply, timed=timed)

    async def list(self) -> Sequence[SubscriptionStatus]:
        """See `SubscriptionStore.list`."""
        records, keys = await self._store.records(), self._store.keys
        now = await records.now()
        rows = await records.load(await records.keys(keys.below(leasing.KIND)))
        found: list[SubscriptionStatus] = []
        for key, raw in rows.items():
            row = msgspec.json.decode(raw.data, type=leasing.SubscriptionRow) if raw.data else None
            if row is not None and row.partitions:
                name = keys.parts(key)[1]
                parked = len(await parked_rows(records, keys, name))
                parts = tuple([await self._part(records, name, row, index, now) for index in range(row.partitions)])
                found.append(SubscriptionStatus(name, row.paused_at, parked, parts))
        return sorted(found, key=lambda status: status.name)

    async def _part(
        self, records: Records, name: str, row: leasing.SubscriptionRow, index: int, now: datetime
    ) -> PartitionStatus:
        keys = self._store.keys
        lease_at, at = lease_key(keys, name, index), checkpoint_key(keys, checkpoint_name(name, index, row.partitions))
        raw = await records.load([lease_at, at])
        lease = msgspec.json.decode(raw[lease_at].data, type=LeaseRow) if raw[lease_at].data else LeaseRow(None, 0)
        lease = row.held(lease)
        checkpoint = msgspec.json.decode(raw[at].data, type=CheckpointRow) if raw[at].data else None
        count, oldest = await self._lag(checkpoint.position if checkpoint else 0, index, row.partitions)
        alive = lease.owner is not None and row.workers.get(lease.owner, now) > now
        return PartitionStatus(
            index,
            checkpoint.position if checkpoint else None,
            raw[at].time if checkpoint else None,
            lease.owner if alive else None,
            lease.token,
            count,
            max((now - oldest).total_seconds(), 0.0) if oldest else 0.0,
        )

    async def _lag(self, after: int, index: int, partitions: int) -> tuple[int, datetime | None]:
        """Events above a position, up to 10,000, and the oldest one's time."""
        where = EVERYTHING if partitions == 1 else EventFilter(partition=Partition(index, partitions))
        count, oldest = 0, None
        high = (await self._feed.status()).high
        while after < high and count < _LAG:
            found, after = await self._feed.poll(after, _LAG - count, where, None)
            count += len(found)
            oldest = oldest or (found[0].timestamp if found else None)
        return count, oldest


class JetStreamSubscriptions:
    """See `mink_core.SubscriptionStore`."""

    def __init__(self, run: Run, inner: AsyncJetStreamSubscriptions) -> None:
        """Made by the property of a store."""
        self._run = run
        self._inner = inner

    def hold(self, name: str, owner: str, *, partitions: int, seconds: float) -> Holding:
        """See `SubscriptionStore.hold`."""
        return self._run(self._inner.hold(name, owner, partitions=partitions, seconds=seconds))

    def release(self, lease: Lease) -> None:
        """See `SubscriptionStore.release`."""
        self._run(self._inner.release(lease))

    def leave(self, name: str, owner: str) -> None:
        """See `SubscriptionStore.leave`."""
        self._run(self._inner.leave(name, owner))

    def pause(self, name: str) -> None:
        """See `SubscriptionStore.pause`."""
        self._run(self._inner.pause(name))

    def resume(self, name: str) -> None:
        """See `SubscriptionStore.resume`."""
        self._run(self._inner.resume(name))

    def rewind(self, name: str, position: int) -> None:
        """See `SubscriptionStore.rewind`."""
        self._run(self._inner.rewind(name, position))

    def reset(self, name: str) -> None:
        """See `SubscriptionStore.reset`."""
        self._run(self._inner.reset(name))

    def list(self) -> Sequence[SubscriptionStatus]:
        """See `SubscriptionStore.list`."""
        return self._run(self._inner.list())
