"""Durable subscriptions as a store keeps them: who works on which partition, and how far each has come.

`store.subscription(…)` makes the worker; this is what workers and operators share.
"""

from __future__ import annotations

from collections.abc import Sequence  # noqa: TC003 -- looked up at run time by get_type_hints
from datetime import datetime  # noqa: TC003 -- as above
from typing import Protocol

import msgspec

from mink_core.leases import Lease  # noqa: TC001 -- as above


class Holding(msgspec.Struct, frozen=True):
    """What a worker may work on now."""

    leases: tuple[Lease, ...]
    """Its partitions."""
    surplus: frozenset[int]
    """Partitions of these that it should hand back, as other workers have fewer."""
    paused: bool
    """Whether nobody should work for the moment."""
    next_expiry: float | None
    """Seconds until another worker's time runs out unless it calls again; None without another one."""


class PartitionStatus(msgspec.Struct, frozen=True):
    """How far one partition of a subscription is."""

    partition: int
    position: int | None
    """Its checkpoint; None where it has none yet."""
    updated_at: datetime | None
    """When the checkpoint was saved, in UTC."""
    owner: str | None
    """The worker that has it; None where nobody lives that does."""
    token: int
    lag_events: int
    """Events of the partition in the feed above its checkpoint, whatever the subscription's filter; counted up to
    10,000, and on PostgreSQL among the next million of all partitions."""
    lag_seconds: float
    """The age of the oldest of them, 0 where there is none."""


class SubscriptionStatus(msgspec.Struct, frozen=True):
    """What is known of a subscription."""

    name: str
    paused_at: datetime | None
    """Since when it is paused, in UTC; None while it is not."""
    parked: int
    """How many events are parked."""
    partitions: tuple[PartitionStatus, ...]

    @property
    def lag_events(self) -> int:
        """Of all partitions."""
        return sum(part.lag_events for part in self.partitions)

    @property
    def lag_seconds(self) -> float:
        """Of the partition that is furthest behind."""
        return max(part.lag_seconds for part in self.partitions)


def checkpoint_name(subscription: str, partition: int, partitions: int) -> str:
    """The name of a partition's checkpoint; that of an unpartitioned subscription is its own."""
    return subscription if partitions == 1 else f"{subscription}#{partition}/{partitions}"


class SubscriptionStore(Protocol):
    """What is kept of subscriptions besides their checkpoints. Also on a transaction.

    Raises:
        CapabilityNotSupportedError: When asked for, without `Capability.DURABLE_SUBSCRIPTIONS`.
    """

    def hold(self, name: str, owner: str, *, partitions: int, seconds: float) -> Holding:
        """Take a fair share of the partitions, and keep what is held for so many seconds more.

        A worker calls it again well before they are over. All is judged by the storage's clock. The
        partitions of a worker that did not call in time are given to others, with a newer token.

        Args:
            name: The subscription, 1 to 200 characters without `#`; made when it is new.
            owner: The worker, 1 to 200 characters; no two workers have the same.
            partitions: How many the subscription has. Fixed when it is made, until `reset`.
            seconds: How long the worker counts as alive.

        Raises:
            UsageError: The subscription has another number of partitions.
        """
        ...

    def release(self, lease: Lease) -> None:
        """Hand one partition back, for another worker to take. A lease that was lost is no error."""
        ...

    def leave(self, name: str, owner: str) -> None:
        """End a worker: all that it holds is free at once."""
        ...

    def pause(self, name: str) -> None:
        """Keep all workers of a subscription from working; each notices at its next `hold`.

        Raises:
            SubscriptionNotFoundError: There is none of that name.
        """
        ...

    def resume(self, name: str) -> None:
        """Let them work again.

        Raises:
            SubscriptionNotFoundError: There is none of that name.
        """
        ...

    def rewind(self, name: str, position: int) -> None:
        """Put all checkpoints of a subscription to a position, on purpose, also while workers run.

        What a worker is doing at this moment is refused when it saves, as every lease is taken away.

        Raises:
            SubscriptionNotFoundError: There is none of that name.
        """
        ...

    def reset(self, name: str) -> None:
        """Forget a subscription: checkpoints, number of partitions, leases and parked events.

        Its workers, if any run, begin anew from where they were told to start.

        Raises:
            SubscriptionNotFoundError: There is none of that name.
        """
        ...

    def list(self) -> Sequence[SubscriptionStatus]:
        """All subscriptions with their lag, in code point order of their names."""
        ...


class AsyncSubscriptionStore(Protocol):
    """`SubscriptionStore` for asyncio."""

    async def hold(self, name: str, owner: str, *, partitions: int, seconds: float) -> Holding:
        """See `SubscriptionStore.hold`."""
        ...

    async def release(self, lease: Lease) -> None:
        """See `SubscriptionStore.release`."""
        ...

    async def leave(self, name: str, owner: str) -> None:
        """See `SubscriptionStore.leave`."""
        ...

    async def pause(self, name: str) -> None:
        """See `SubscriptionStore.pause`."""
        ...

    async def resume(self, name: str) -> None:
        """See `SubscriptionStore.resume`."""
        ...

    async def rewind(self, name: str, position: int) -> None:
        """See `SubscriptionStore.rewind`."""
        ...

    async def reset(self, name: str) -> None:
        """See `SubscriptionStore.reset`."""
        ...

    async def list(self) -> Sequence[SubscriptionStatus]:
        """See `SubscriptionStore.list`."""
        ...
