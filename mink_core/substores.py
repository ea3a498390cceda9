"""The stores around the log, which hang on a store and on a transaction alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mink_core.checkpoints import AsyncCheckpointStore, CheckpointStore
    from mink_core.parked import AsyncParkedEventStore, ParkedEventStore
    from mink_core.subscriptions import AsyncSubscriptionStore, SubscriptionStore


class HasSubStores(Protocol):
    """Each raises `CapabilityNotSupportedError` where the adapter does not declare it."""

    @property
    def checkpoints(self) -> CheckpointStore:
        """Named positions (`Capability.CHECKPOINTS`)."""
        ...

    @property
    def subscriptions(self) -> SubscriptionStore:
        """Durable subscriptions: leases, pause, rewind, lag (`Capability.DURABLE_SUBSCRIPTIONS`)."""
        ...

    @property
    def parked(self) -> ParkedEventStore:
        """Events that a subscription's handler failed on (`Capability.DURABLE_SUBSCRIPTIONS`)."""
        ...


class AsyncHasSubStores(Protocol):
    """`HasSubStores` for asyncio."""

    @property
    def checkpoints(self) -> AsyncCheckpointStore:
        """Named positions (`Capability.CHECKPOINTS`)."""
        ...

    @property
    def subscriptions(self) -> AsyncSubscriptionStore:
        """Durable subscriptions: leases, pause, rewind, lag (`Capability.DURABLE_SUBSCRIPTIONS`)."""
        ...

    @property
    def parked(self) -> AsyncParkedEventStore:
        """Events that a subscription's handler failed on (`Capability.DURABLE_SUBSCRIPTIONS`)."""
        ...
