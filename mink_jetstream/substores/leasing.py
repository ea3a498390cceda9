"""The changes of `store.subscriptions`: functions of the records that they read."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 -- msgspec resolves annotations at run time
from typing import TYPE_CHECKING

import msgspec

from mink_core.errors import SubscriptionNotFoundError
from mink_core.runtime.sharing import Beat, check_number
from mink_core.subscriptions import Holding, checkpoint_name
from mink_jetstream.substores.checkpoints import LeaseRow, checkpoint_key, lease_key, put_checkpoint

if TYPE_CHECKING:
    from mink_core.events import StoreIdentity
    from mink_core.leases import Lease
    from mink_jetstream.records import View
    from mink_jetstream.subjects import Keys

_AT_ONCE = 400
"""Partitions that one change writes at most: an atomic batch takes 1,000 messages."""
KIND = "subscription"


class SubscriptionRow(msgspec.Struct, frozen=True):
    """A subscription as it is stored."""

    partitions: int
    paused_at: datetime | None
    workers: dict[str, datetime]
    """When each one's time runs out, by the server's clock."""
    token: int = 0
    """The newest that was given away: it only grows, also over a reset."""
    joined: dict[str, int] = {}
    """The newest when each worker came."""

    def held(self, lease: LeaseRow) -> LeaseRow:
        """A lease as it counts: what a worker had before it left is nobody's, also once it is back (SUB-09)."""
        if lease.owner is not None and lease.token <= self.joined.get(lease.owner, 0):
            return LeaseRow(None, lease.token)
        return lease


def subscription_key(keys: Keys, name: str) -> str:
    """The key of a subscription."""
    return keys.of(KIND, name)


class _Rows:
    """The records of one subscription in one change."""

    def __init__(self, view: View, keys: Keys, name: str) -> None:
        self._view = view
        self._keys = keys
        self._name = name
        self.found = view.get(subscription_key(keys, name), SubscriptionRow)

    def known(self) -> SubscriptionRow:
        """Raises `SubscriptionNotFoundError`."""
        if self.found is None or not self.found.partitions:
            raise SubscriptionNotFoundError(self._name)
        return self.found

    def put(self, row: SubscriptionRow) -> None:
        self._view.put(subscription_key(self._keys, self._name), row)

    def leases(self, partitions: int) -> dict[int, LeaseRow]:
        wanted = {index: lease_key(self._keys, self._name, index) for index in range(partitions)}
        self._view.need(wanted.values())
        return {index: self._view.get(key, LeaseRow) or LeaseRow(None, 0) for index, key in wanted.items()}

    def put_lease(self, index: int, row: LeaseRow) -> None:
        self._view.put(lease_key(self._keys, self._name, index), row)


def hold(  # noqa: PLR0913 -- the arguments of `hold`
    view: View, *, keys: Keys, name: str, owner: str, partitions: int, seconds: float
) -> Holding:
    """One beat of a worker."""
    rows = _Rows(view, keys, name)
    found = rows.found or SubscriptionRow(partitions, None, {})
    if not found.partitions:  # it was reset
        found = msgspec.structs.replace(found, partitions=partitions)
    check_number(name, found.partitions, partitions)
    if owner not in found.workers:
        found = msgspec.structs.replace(found, joined={**found.joined, owner: found.token})
    leases = {index: found.held(row) for index, row in rows.leases(partitions).items()}
    beat = Beat(name, owner, seconds, workers=found.workers, leases=leases, now=view.now)
    token = found.token
    for index in beat.free[: min(beat.missing, _AT_ONCE)]:
        token += 1
        leases[index] = LeaseRow(owner, token)
        rows.put_lease(index, leases[index])
    joined = {who: newest for who, newest in found.joined.items() if who in beat.workers}
    rows.put(msgspec.structs.replace(found, workers=beat.workers, token=token, joined=joined))
    return beat.holding(leases, paused=found.paused_at is not None)


def release(view: View, keys: Keys, lease: Lease) -> None:
    """Hand a partition back."""
    key = lease_key(keys, lease.subscription, lease.partition)
    row = view.get(key, LeaseRow)
    if row is not None and row.token == lease.token:
        view.put(key, msgspec.structs.replace(row, owner=None))


def leave(view: View, keys: Keys, name: str, owner: str) -> None:
    """End a worker."""
    # A partition is free when its owner is no worker any more: the leases need not be touched.
    rows = _Rows(view, keys, name)
    if rows.found is not None:
        workers = {who: until for who, until in rows.found.workers.items() if who != owner}
        rows.put(msgspec.structs.replace(rows.found, workers=workers))


def rewind(  # noqa: PLR0913 -- the arguments of `rewind`, and where it is
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


def pause(view: View, keys: Keys, name: str, *, paused: bool) -> None:
    """Pause, stay paused, or go on."""
    rows = _Rows(view, keys, name)
    found = rows.known()
    paused_at = (found.paused_at or view.now) if paused else None
    rows.put(msgspec.structs.replace(found, paused_at=paused_at))


def drop(view: View, *, key: str) -> None:
    """Remove one record."""
    view.drop(key)
