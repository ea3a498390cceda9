"""Arguments of reads, checked the same way by every adapter."""

from __future__ import annotations

from mink_core.direction import Direction
from mink_core.errors import UsageError
from mink_core.events import StoredEvent, StoreIdentity
from mink_core.filters import EventFilter
from mink_core.leases import Lease
from mink_core.limits import (
    MAX_INT32,
    check_between,
    check_category,
    check_checkpoint_name,
    check_count,
    check_limit,
    check_owner,
    check_seconds,
    check_stream_id,
    check_subscription_name,
)
from mink_core.partitions import check_partitions


def check_read_stream(stream_id: object, after_version: object, limit: object, direction: object) -> None:
    """Check the arguments of `read_stream`.

    Raises:
        UsageError: When one is wrong.
    """
    check_stream_id(stream_id)
    check_count(after_version, "after_version")
    check_limit(limit)
    _check_kind(direction, Direction, "direction")


def check_feed(
    after_position: object, limit: object, where: object, identity: object, direction: object = Direction.FORWARD
) -> None:
    """Check the arguments of `read_all`.

    Raises:
        UsageError: When one is wrong.
    """
    check_count(after_position, "after_position")
    check_limit(limit)
    _check_kind(where, EventFilter, "where")
    _check_kind(direction, Direction, "direction")
    if identity is not None:
        _check_kind(identity, StoreIdentity, "identity")


def check_streams(category: object, after: object, limit: object) -> None:
    """Check the arguments of `streams`.

    Raises:
        UsageError: When one is wrong.
    """
    if category is not None:
        check_category(category)
    if after is not None:
        check_stream_id(after)
    check_limit(limit)


def check_poll(after_position: object, limit: object, where: object, identity: object) -> None:
    """Check the arguments of `poll`, whose limit is always a number.

    Raises:
        UsageError: When one is wrong.
    """
    check_count(limit, "limit")
    check_feed(after_position, limit, where, identity)


def check_subscribe(
    after_position: object, where: object, batch_size: object, poll_interval: object, identity: object
) -> None:
    """Check the arguments of `subscribe`.

    Raises:
        UsageError: When one is wrong.
    """
    check_feed(after_position, None, where, identity)
    if check_count(batch_size, "batch_size") == 0:
        msg = "batch_size must be at least 1"
        raise UsageError(msg)
    check_seconds(poll_interval, "poll_interval")


def check_save(name: object, position: object, expected: object, identity: object, lease: object) -> None:
    """Check the arguments of `CheckpointStore.save`.

    Raises:
        UsageError: When one is wrong, or the position is below the expected one.
    """
    check_checkpoint_name(name)
    new = check_count(position, "position")
    if expected is not None and new < (old := check_count(expected, "expected")):
        msg = f"checkpoint {name!r} cannot be saved backwards, from {old} to {new}: use reset, which is on purpose"
        raise UsageError(msg)
    if identity is not None:
        _check_kind(identity, StoreIdentity, "identity")
    if lease is not None:
        _check_kind(lease, Lease, "lease")


def check_reset(name: object, position: object) -> None:
    """Check the arguments of `CheckpointStore.reset`.

    Raises:
        UsageError: When one is wrong.
    """
    check_checkpoint_name(name)
    if position is not None:
        check_count(position, "position")


def check_hold(name: object, owner: object, partitions: object, seconds: object) -> None:
    """Check the arguments of `SubscriptionStore.hold`.

    Raises:
        UsageError: When one is wrong.
    """
    check_subscription_name(name)
    check_owner(owner)
    check_partitions(partitions)
    check_seconds(seconds, "seconds")


def check_lease(lease: object) -> None:
    """Check what is given as a lease.

    Raises:
        UsageError: It is none.
    """
    _check_kind(lease, Lease, "lease")


def check_park(subscription: object, event: object, attempts: object, error: object) -> None:
    """Check the arguments of `ParkedEventStore.park`.

    Raises:
        UsageError: When one is wrong.
    """
    check_subscription_name(subscription)
    _check_kind(event, StoredEvent, "event")
    check_between(attempts, "attempts", 0, MAX_INT32)
    _check_kind(error, str, "error")


def check_parked(subscription: object, position: object) -> None:
    """Check a subscription's name and a position, either of which may be None where it may be left out.

    Raises:
        UsageError: When one is wrong.
    """
    if subscription is not None:
        check_subscription_name(subscription)
    if position is not None:
        check_count(position, "position")


def _check_kind(value: object, kind: type, name: str) -> None:
    if not isinstance(value, kind):
        msg = f"{name} must be of type {kind.__name__}, not {type(value).__name__}"
        raise UsageError(msg)
