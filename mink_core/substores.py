"""The stores around the log, which hang on a store and on a transaction alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mink_core.checkpoints import AsyncCheckpointStore, CheckpointStore
    from mink_core.idempotency import AsyncIdempotencyStore, IdempotencyStore
    from mink_core.outbox import AsyncOutboxStore, OutboxStore
    from mink_core.parked import AsyncParkedEventStore, ParkedEventStore
    from mink_core.sagas import AsyncSagaStore, SagaStore
    from mink_core.snapshots import AsyncSnapshotStore, SnapshotStore
    from mink_core.subscriptions import AsyncSubscriptionStore, SubscriptionStore


class HasSubStores(Protocol):
    """Each raises `CapabilityNotSupportedError` where the adapter does not declare it."""

    @property
    def checkpoints(self) -> CheckpointStore:
        """Named positions (`Capability.CHECKPOINTS`)."""
        ...

    @property
    def snapshots(self) -> SnapshotStore:
        """Snapshots by stream (`Capability.SNAPSHOTS`)."""
        ...

    @property
    def outbox(self) -> OutboxStore:
        """Messages to publish (`Capability.OUTBOX`)."""
        ...

    @property
    def idempotency(self) -> IdempotencyStore:
        """Keys of work to be done once (`Capability.IDEMPOTENCY`)."""
        ...

    @property
    def sagas(self) -> SagaStore:
        """Sagas by id (`Capability.SAGAS`)."""
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
    def snapshots(self) -> AsyncSnapshotStore:
        """Snapshots by stream (`Capability.SNAPSHOTS`)."""
        ...

    @property
    def outbox(self) -> AsyncOutboxStore:
        """Messages to publish (`Capability.OUTBOX`)."""
        ...

    @property
    def idempotency(self) -> AsyncIdempotencyStore:
        """Keys of work to be done once (`Capability.IDEMPOTENCY`)."""
        ...

    @property
    def sagas(self) -> AsyncSagaStore:
        """Sagas by id (`Capability.SAGAS`)."""
        ...

    @property
    def subscriptions(self) -> AsyncSubscriptionStore:
        """Durable subscriptions: leases, pause, rewind, lag (`Capability.DURABLE_SUBSCRIPTIONS`)."""
        ...

    @property
    def parked(self) -> AsyncParkedEventStore:
        """Events that a subscription's handler failed on (`Capability.DURABLE_SUBSCRIPTIONS`)."""
        ...
