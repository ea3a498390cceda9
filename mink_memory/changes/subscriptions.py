"""Durable subscriptions: a worker's beat, and what operators do. See migration 0007 for the same in SQL."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from mink_core.errors import SubscriptionNotFoundError
from mink_core.partitions import partition_of
from mink_core.runtime.sharing import Beat, check_number
from mink_core.subscriptions import Holding, PartitionStatus, SubscriptionStatus, checkpoint_name
from mink_memory.changes import checkpoints, parked
from mink_memory.records import Change, Records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from mink_core.checkpoints import Checkpoint
    from mink_core.leases import Lease
    from mink_memory.keys import RecordKey

TABLE = "subscription"
_LAG = 10_000


class _Subscription(NamedTuple):
    partitions: int
    paused_at: datetime | None
    workers: dict[str, datetime]
    """When each one's time runs out."""


class LeaseRow(NamedTuple):
    """Who has a partition, with which token."""

    owner: str | None
    token: int


def hold(name: str, owner: str, partitions: int, seconds: float) -> Change[Holding]:
    """One beat."""

    def apply(records: Records) -> Holding:
        found = records.get(TABLE, name) or _Subscription(partitions, None, {})
        check_number(name, found.partitions, partitions)
        leases = dict(_leases(records, name, partitions))
        beat = Beat(name, owner, seconds, workers=found.workers, leases=leases, now=records.now)
        records.put(TABLE, name, found._replace(workers=beat.workers))
        # A lease that is locked belongs to a commit under way: it is left for the next beat.
        free = [index for index in beat.free if not records.is_locked((checkpoints.LEASES, (name, index)))]
        for index in free[: beat.missing]:
            leases[index] = LeaseRow(owner, records.next_token())
            records.put(checkpoints.LEASES, (name, index), leases[index])
        return beat.holding(leases, paused=found.paused_at is not None)

    return Change(((TABLE, name),), apply)


def _all_keys(name: str) -> Callable[[Records], tuple[RecordKey, ...]]:
    """The subscription, its leases, and its checkpoints."""

    def keys(records: Records) -> tuple[RecordKey, ...]:
        found = records.get(TABLE, name)
        partitions = 0 if found is None else found.partitions
        return (
            (TABLE, name),
            *((checkpoints.LEASES, (name, index)) for index in range(partitions)),
            *((checkpoints.TABLE, checkpoint_name(name, index, partitions)) for index in range(partitions)),
        )

    return keys


def _leases(records: Records, name: str, partitions: int) -> Iterator[tuple[int, LeaseRow]]:
    for index in range(partitions):
        yield index, records.get(checkpoints.LEASES, (name, index)) or LeaseRow(None, 0)


def release(lease: Lease) -> Change[None]:
    """Hand a partition back."""
    key = (lease.subscription, lease.partition)

    def apply(records: Records) -> None:
        row = records.get(checkpoints.LEASES, key)
        if row is not None and row.token == lease.token:
            records.put(checkpoints.LEASES, key, row._replace(owner=None))

    return Change(((checkpoints.LEASES, key),), apply)


def leave(name: str, owner: str) -> Change[None]:
    """End a worker."""

    def apply(records: Records) -> None:
        found = records.get(TABLE, name)
        if found is None:
            return
        workers = {who: until for who, until in found.workers.items() if who != owner}
        records.put(TABLE, name, found._replace(workers=workers))
        for index, row in _leases(records, name, found.partitions):
            if row.owner == owner:
                records.put(checkpoints.LEASES, (name, index), row._replace(owner=None))

    return Change(_all_keys(name), apply)


def pause(name: str) -> Change[None]:
    """Pause, or stay paused."""
    return _changed(name, lambda found, now: found._replace(paused_at=found.paused_at or now))


def resume(name: str) -> Change[None]:
    """Resume."""
    return _changed(name, lambda found, _: found._replace(paused_at=None))


def _changed(name: str, new: Callable[[_Subscription, datetime], _Subscription]) -> Change[None]:
    def apply(records: Records) -> None:
        records.put(TABLE, name, new(_known(records, name), records.now))

    return Change(((TABLE, name),), apply)


def _known(records: Records, name: str) -> _Subscription:
    found: _Subscription | None = records.get(TABLE, name)
    if found is None:
        raise SubscriptionNotFoundError(name)
    return found


def rewind(name: str, position: int | None) -> Change[None]:
    """Put all checkpoints to a position; None forgets the subscription."""

    def apply(records: Records) -> None:
        found = _known(records, name)
        for index in range(found.partitions):
            records.put(checkpoints.LEASES, (name, index), LeaseRow(None, records.next_token()))
            checkpoints.reset(checkpoint_name(name, index, found.partitions), position).apply(records)
            if position is None:
                records.drop(checkpoints.LEASES, (name, index))
        if position is None:
            records.drop(TABLE, name)
            for key, _ in list(records.items(parked.TABLE)):
                if key[0] == name:
                    records.drop(parked.TABLE, key)

    return Change(_all_keys(name), apply)


def list_all() -> Change[list[SubscriptionStatus]]:
    """All of them, with their lag."""

    def apply(records: Records) -> list[SubscriptionStatus]:
        counts: dict[str, int] = {}
        for (name, _), _ in records.items(parked.TABLE):
            counts[name] = counts.get(name, 0) + 1
        return [
            SubscriptionStatus(name, found.paused_at, counts.get(name, 0), tuple(_parts(records, name, found)))
            for name, found in sorted(records.items(TABLE))
        ]

    return Change((), apply)


def _parts(records: Records, name: str, found: _Subscription) -> Iterator[PartitionStatus]:
    for index, row in _leases(records, name, found.partitions):
        checkpoint: Checkpoint | None = records.get(checkpoints.TABLE, checkpoint_name(name, index, found.partitions))
        above = records.feed_after(0 if checkpoint is None else checkpoint.position)
        mine = (row for row in above if found.partitions == 1 or partition_of(row.stream_id, found.partitions) == index)
        behind = [row.timestamp for row in islice(mine, _LAG)]
        alive = row.owner is not None and found.workers.get(row.owner, records.now) > records.now
        yield PartitionStatus(
            index,
            None if checkpoint is None else checkpoint.position,
            None if checkpoint is None else checkpoint.updated_at,
            row.owner if alive else None,
            row.token,
            len(behind),
            max((records.now - behind[0]).total_seconds(), 0.0) if behind else 0.0,
        )
