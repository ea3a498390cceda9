"""The stores around the log: each a facade over changes of the records.

A store and a transaction inherit `MemorySubStores` (or its async twin) and so have every one of
them; what a sub-store does inside a transaction is committed with it.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, TypeVar

from mink_core.runtime.substores import SubStores
from mink_memory.substores.checkpoints import AsyncMemoryCheckpoints, MemoryCheckpoints
from mink_memory.substores.idempotency import AsyncMemoryIdempotency, MemoryIdempotency
from mink_memory.substores.outbox import AsyncMemoryOutbox, MemoryOutbox
from mink_memory.substores.parked import AsyncMemoryParkedEvents, MemoryParkedEvents
from mink_memory.substores.sagas import AsyncMemorySagas, MemorySagas
from mink_memory.substores.snapshots import AsyncMemorySnapshots, MemorySnapshots
from mink_memory.substores.subscriptions import AsyncMemorySubscriptions, MemorySubscriptions

if TYPE_CHECKING:
    from mink_memory.records import Change
    from mink_memory.view import View

T = TypeVar("T")


class MemorySubStores(SubStores):
    """The sub-stores that this adapter has; the others stay refused."""

    adapter_name = "memory"
    _view: View

    @abstractmethod
    def _change(self, wanted: Change[T]) -> T:
        """Run one change of the records, waiting for locks where that is needed."""

    @property
    def checkpoints(self) -> MemoryCheckpoints:
        """Named positions (`Capability.CHECKPOINTS`)."""
        return MemoryCheckpoints(self._change)

    @property
    def snapshots(self) -> MemorySnapshots:
        """Snapshots by stream (`Capability.SNAPSHOTS`)."""
        return MemorySnapshots(self._change, self._view)

    @property
    def outbox(self) -> MemoryOutbox:
        """Messages to publish (`Capability.OUTBOX`)."""
        return MemoryOutbox(self._change)

    @property
    def idempotency(self) -> MemoryIdempotency:
        """Keys of work to be done once (`Capability.IDEMPOTENCY`)."""
        return MemoryIdempotency(self._change)

    @property
    def sagas(self) -> MemorySagas:
        """Sagas by id (`Capability.SAGAS`)."""
        return MemorySagas(self._change)

    @property
    def subscriptions(self) -> MemorySubscriptions:
        """Durable subscriptions: leases, pause, rewind, lag (`Capability.DURABLE_SUBSCRIPTIONS`)."""
        return MemorySubscriptions(self._change)

    @property
    def parked(self) -> MemoryParkedEvents:
        """Events that a subscription's handler failed on (`Capability.DURABLE_SUBSCRIPTIONS`)."""
        return MemoryParkedEvents(self._change)


class AsyncMemorySubStores(SubStores):
    """`MemorySubStores` for asyncio."""

    adapter_name = "memory"
    _view: View

    @abstractmethod
    async def _change(self, wanted: Change[T]) -> T:
        """Run one change of the records, waiting for locks where that is needed."""

    @property
    def checkpoints(self) -> AsyncMemoryCheckpoints:
        """Named positions (`Capability.CHECKPOINTS`)."""
        return AsyncMemoryCheckpoints(self._change)

    @property
    def snapshots(self) -> AsyncMemorySnapshots:
        """Snapshots by stream (`Capability.SNAPSHOTS`)."""
        return AsyncMemorySnapshots(self._change, self._view)

    @property
    def outbox(self) -> AsyncMemoryOutbox:
        """Messages to publish (`Capability.OUTBOX`)."""
        return AsyncMemoryOutbox(self._change)

    @property
    def idempotency(self) -> AsyncMemoryIdempotency:
        """Keys of work to be done once (`Capability.IDEMPOTENCY`)."""
        return AsyncMemoryIdempotency(self._change)

    @property
    def sagas(self) -> AsyncMemorySagas:
        """Sagas by id (`Capability.SAGAS`)."""
        return AsyncMemorySagas(self._change)

    @property
    def subscriptions(self) -> AsyncMemorySubscriptions:
        """Durable subscriptions: leases, pause, rewind, lag (`Capability.DURABLE_SUBSCRIPTIONS`)."""
        return AsyncMemorySubscriptions(self._change)

    @property
    def parked(self) -> AsyncMemoryParkedEvents:
        """Events that a subscription's handler failed on (`Capability.DURABLE_SUBSCRIPTIONS`)."""
        return AsyncMemoryParkedEvents(self._change)
