"""Durable subscriptions: a worker's beat, and what operators do."""

from __future__ import annotations

from datetime import UTC
from itertools import groupby
from typing import TYPE_CHECKING

from mink_core.errors import SubscriptionNotFoundError
from mink_core.leases import Lease
from mink_core.runtime.sharing import check_number
from mink_core.subscriptions import Holding, PartitionStatus, SubscriptionStatus
from mink_postgres.programs import feed
from mink_postgres.query import Program, Query

if TYPE_CHECKING:
    from mink_postgres.context import Context
    from mink_postgres.query import Row

_COUNTED = 10_000
"""Events up to which a lag is counted, and of a stretch of the feed that is looked at in one statement."""
_LOOKED = 1_000_000
"""Events that are looked at for one subscription: a partition may have hardly any."""


def hold(context: Context, name: str, owner: str, partitions: int, seconds: float) -> Program[Holding]:
    """One beat, in one round trip."""
    rows = yield Query(context.sql.hold_partitions, (name, owner, partitions, float(seconds)), retry_is_safe=True)
    actual, paused, held, tokens, surplus, next_expiry = rows[0]
    check_number(name, actual, partitions)
    leases = tuple(Lease(name, partition, token) for partition, token in zip(held, tokens, strict=True))
    return Holding(leases, frozenset(surplus), paused, next_expiry)


def release(context: Context, lease: Lease) -> Program[None]:
    """Hand a partition back."""
    yield Query(context.sql.release_partition, (lease.subscription, lease.partition, lease.token), retry_is_safe=True)


def leave(context: Context, name: str, owner: str) -> Program[None]:
    """End a worker."""
    yield Query(context.sql.leave_subscription, (name, owner), retry_is_safe=True)


def pause(context: Context, name: str) -> Program[None]:
    """Pause, or stay paused."""
    if not (yield Query(context.sql.pause_subscription, (name,), retry_is_safe=True)):
        raise SubscriptionNotFoundError(name)


def resume(context: Context, name: str) -> Program[None]:
    """Resume."""
    if not (yield Query(context.sql.resume_subscription, (name,), retry_is_safe=True)):
        raise SubscriptionNotFoundError(name)


def rewind(context: Context, name: str, position: int | None) -> Program[None]:
    """Put all checkpoints to a position; None forgets the subscription."""
    rows = yield Query(context.sql.rewind_subscription, (name, position), retry_is_safe=True)
    if not rows[0][0]:
        raise SubscriptionNotFoundError(name)


def list_all(context: Context) -> Program[list[SubscriptionStatus]]:
    """All of them, with their lag."""
    mark = (yield from feed.feed_status(context)).mark
    rows = yield Query(context.sql.list_subscriptions)
    found: list[SubscriptionStatus] = []
    for (name, paused_at, parked), group in groupby(rows, lambda row: (row[0], row[1], row[2])):
        held = list(group)
        lags = yield from _lags(context, mark, [row[4] or 0 for row in held])
        parts = tuple(map(_partition, held, lags))
        found.append(SubscriptionStatus(name, paused_at and paused_at.replace(tzinfo=UTC), parked, parts))
    return found


def _lags(context: Context, mark: int, positions: list[int]) -> Program[list[tuple[int, float]]]:
    """How many events each partition is behind, and by how many seconds.

    Each event is looked at once for all of them: one partition's are spread over as many of the others'.
    """
    events, seconds = [0] * len(positions), [0.0] * len(positions)
    low = looked = 0
    while looked < _LOOKED and (uncounted := [p for p, n in zip(positions, events, strict=True) if n < _COUNTED]):
        low = max(low, min(uncounted))
        if low >= mark:
            break
        rows = yield Query(context.sql.partition_lags, (low, mark, positions, _COUNTED))
        for partition, behind, age, _, _ in rows:
            if events[partition] < _COUNTED and behind:
                events[partition] = min(events[partition] + behind, _COUNTED)
                seconds[partition] = max(seconds[partition], age)
        there = sum(row[4] for row in rows)
        if there < _COUNTED:
            break
        looked += there
        low = max(row[3] for row in rows)
    return list(zip(events, seconds, strict=True))


def _partition(row: Row, lag: tuple[int, float]) -> PartitionStatus:
    partition, position, updated_at, owner, token = row[3:]
    return PartitionStatus(partition, position, updated_at and updated_at.replace(tzinfo=UTC), owner, token, *lag)
