"""`store.subscriptions`: leases on partitions, pause, rewind, lag; async and sync."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import msgspec

from mink_core.errors import SubscriptionNotFoundError, UsageError
from mink_core.filters import EVERYTHING, EventFilter
from mink_core.leases import Lease
from mink_core.limits import check_count, check_owner, check_subscription_name
from mink_core.partitions import Partition
from mink_core.runtime.checks import check_hold, check_lease
from mink_core.subscriptions import Holding, PartitionStatus, SubscriptionStatus, checkpoint_name
from mink_jetstream.substores.checkpoints import CheckpointRow, LeaseRow, checkpoint_key, lease_key, put_checkpoint
from mink_jetstream.substores.parked import parked_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mink_core.events import StoreIdentity
    from mink_jetstream.feed import Feed
    from mink_jetstream.records import Records, View
    from mink_jetstream.subjects import Keys
    from mink_jetstream.substores.base import Base, Run

T = TypeVar("T")

_LAG = 10_000
_AT_ONCE = 400
"""Partitions that one change writes at most: an atomic batch takes 1,000 messages."""
_KIND = "subscription"


class SubscriptionRow(msgspec.Struct, frozen=True):
    """A subscription as it is stored."""

    partitions: int
    paused_at: datetime | None
    workers: dict[str, datetime]
    """When each one's time runs out, by the server's clock."""
    token: int = 0
    """The newest that was given away: it only grows, also over a reset."""


def _key(keys: Keys, name: str) -> str:
    return keys.of(_KIND, name)


class _Rows:
    """The records of one subscription in one change."""

    def __init__(self, view: View, keys: Keys, name: str) -> None:
        self._view = view
        self._keys = keys
        self._name = name
        self.found = view.get(_key(keys, name), SubscriptionRow)

    def known(self) -> SubscriptionRow:
        """Raises `SubscriptionNotFoundError`."""
        if self.found is None or not self.found.partitions:
            raise SubscriptionNotFoundError(self._name)
        return self.found

    def put(self, row: SubscriptionRow) -> None:
        self._view.put(_key(self._keys, self._name), row)

    def leases(self, partitions: int) -> dict[int, LeaseRow]:
        wanted = {index: lease_key(self._keys, self._name, index) for index in range(partitions)}
        self._view.need(wanted.values())
        return {index: self._view.get(key, LeaseRow) or LeaseRow(None, 0) for index, key in wanted.items()}

    def put_lease(self, index: int, row: LeaseRow) -> None:
        self._view.put(lease_key(self._keys, self._name, index), row)


def _hold(  # noqa: PLR0913 -- the arguments of `hold`
    view: View, *, keys: Keys, name: str, owner: str, partitions: int, seconds: float
) -> Holding:
    rows = _Rows(view, keys, name)
    found = rows.found or SubscriptionRow(partitions, None, {})
    if not found.partitions:  # it was reset
        found = msgspec.structs.replace(found, partitions=partitions)
    if found.partitions != partitions:
        msg = (
            f"subscription {name!r} has {found.partitions} partitions, not {partitions}: each has its checkpoint, "
            "so the number stays until the subscription is reset; nothing was changed"
        )
        raise UsageError(msg)
    alive = {who: until for who, until in found.workers.items() if until > view.now}
    alive[owner] = view.now + timedelta(seconds=seconds)
    leases = rows.leases(partitions)
    counts = {who: sum(row.owner == who for row in leases.values()) for who in alive}
    # Fair shares differ by one at most; who holds most has the larger ones, so that least moves.
    ranked = sorted(alive, key=lambda who: (-counts[who], who))
    target = partitions // len(alive) + (ranked.index(owner) < partitions % len(alive))
    free = [index for index, row in leases.items() if row.owner not in alive]
    token = found.token
    for index in free[: min(max(target - counts[owner], 0), _AT_ONCE)]:
        token += 1
        leases[index] = LeaseRow(owner, token)
        rows.put_lease(index, leases[index])
    rows.put(msgspec.structs.replace(found, workers=alive, token=token))
    held = [index for index, row in leases.items() if row.owner == owner]
    others = [until for who, until in alive.items() if who != owner]
    return Holding(
        tuple(Lease(name, index, leases[index].token) for index in held),
        frozenset(held[target:]),
        found.paused_at is not None,
        (min(others) - view.now).total_seconds() if others else None,
    )


def _release(view: View, keys: Keys, lease: Lease) -> None:
    key = lease_key(keys, lease.subscription, lease.partition)
    row = view.get(key, LeaseRow)
    if row is not None and row.token == lease.token:
        view.put(key, msgspec.structs.replace(row, owner=None))


def _leave(view: View, keys: Keys, name: str, owner: str) -> None:
    # A partition is free when its owner is no worker any more: the leases need not be touched.
    rows = _Rows(view, keys, name)
    if rows.found is not None:
        workers = {who: until for who, until in rows.found.workers.items() if who != owner}
        rows.put(msgspec.structs.replace(rows.found, workers=workers))


def _rewind(  # noqa: PLR0913 -- the arguments of `rewind`, and where it is
    view: View, *, keys: Keys, name: str, position: int | None, identity: StoreIdentity, begin: int
) -> int | None:
    """Rewind the partitions from `begin` on, as many as one change takes; tells where the next one begins."""
    rows = _Rows(view, keys, name)
    found = rows.known()
    end = min(begin + _AT_ONCE, found.partitions)
    names = {index: checkpoint_key(keys, checkpoint_name(name, index, found.partitions)) for index in range(begin, end)}
    view.need([*names.values(), *(lease_key(keys, name, index) for index in names)])
    token = found.token
    for index, key in names.items():
        token += 1
        rows.put_lease(index, LeaseRow(None, token))
        put_checkpoint(view, key, position, identity)
    if position is None and end == found.partitions:
        rows.put(SubscriptionRow(0, None, {}, token))
        return None
    rows.put(msgspec.structs.replace(found, token=token))
    return end if end < found.partitions else None


def _pause(view: View, keys: Keys, name: str, *, paused: bool) -> None:
    rows = _Rows(view, keys, name)
    found = rows.known()
    paused_at = (found.paused_at or view.now) if paused else None
    rows.put(msgspec.structs.replace(found, paused_at=paused_at))


def _drop(view: View, *, key: str) -> None:
    view.drop(key)


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
            partial(_hold, keys=keys, name=name, owner=owner, partitions=partitions, seconds=seconds), timed=True
        )

    async def release(self, lease: Lease) -> None:
        """See `SubscriptionStore.release`."""
        check_lease(lease)
        keys = self._store.keys
        await self._change(lambda view: _release(view, keys, lease))

    async def leave(self, name: str, owner: str) -> None:
        """See `SubscriptionStore.leave`."""
        check_subscription_name(name)
        check_owner(owner)
        keys = self._store.keys
        await self._change(lambda view: _leave(view, keys, name, owner))

    async def pause(self, name: str) -> None:
        """See `SubscriptionStore.pause`."""
        check_subscription_name(name)
        keys = self._store.keys
        await self._change(lambda view: _pause(view, keys, name, paused=True), timed=True)

    async def resume(self, name: str) -> None:
        """See `SubscriptionStore.resume`."""
        check_subscription_name(name)
        keys = self._store.keys
        await self._change(lambda view: _pause(view, keys, name, paused=False))

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
            await records.change(partial(_drop, key=key))

    async def _put(self, name: str, position: int | None) -> None:
        keys, identity = self._store.keys, await self._store.identity()
        begin: int | None = 0
        while begin is not None:
            begin = await self._change(
                partial(_rewind, keys=keys, name=name, position=position, identity=identity, begin=begin)
            )

    async def _change(self, apply: Callable[[View], T], *, timed: bool = False) -> T:
        return await (await self._store.records()).change(apply, timed=timed)

    async def list(self) -> Sequence[SubscriptionStatus]:
        """See `SubscriptionStore.list`."""
        records, keys = await self._store.records(), self._store.keys
        now = await records.now()
        rows = await records.load(await records.keys(keys.below(_KIND)))
        found: list[SubscriptionStatus] = []
        for key, raw in rows.items():
            row = msgspec.json.decode(raw.data, type=SubscriptionRow) if raw.data else None
            if row is not None and row.partitions:
                name = keys.parts(key)[1]
                parked = len(await parked_rows(records, keys, name))
                parts = tuple([await self._part(records, name, row, index, now) for index in range(row.partitions)])
                found.append(SubscriptionStatus(name, row.paused_at, parked, parts))
        return sorted(found, key=lambda status: status.name)

    async def _part(
        self, records: Records, name: str, row: SubscriptionRow, index: int, now: datetime
    ) -> PartitionStatus:
        keys = self._store.keys
        lease_at, at = lease_key(keys, name, index), checkpoint_key(keys, checkpoint_name(name, index, row.partitions))
        raw = await records.load([lease_at, at])
        lease = msgspec.json.decode(raw[lease_at].data, type=LeaseRow) if raw[lease_at].data else LeaseRow(None, 0)
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
