"""The stores around the log: each a facade over changes of the records.

A store and a transaction inherit `MemorySubStores` (or its async twin) and so have every one of
them; what a sub-store does inside a transaction is committed with it.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, TypeVar

from mink_core.runtime.substores import SubStores
from mink_memory.substores.checkpoints import AsyncMemoryCheckpoints, MemoryCheckpoints
from mink_memory.substores.parked import AsyncMemoryParkedEvents, MemoryParkedEvents
from mink_memory.substores.subscriptions import AsyncMemorySubscriptions, MemorySubscriptions

if TYPE_CHECKING:
    from mink_memory.records import Change

T = TypeVar("T")


class MemorySubStores(SubStores):
    """The sub-stores that this adapter has; the others stay refused."""

    adapter_name = "memory"

    @abstractmethod
    def _change(self, wanted: Change[T]) -> T:
        """Run one change of the records, waiting for locks where that is needed."""

    @property
    def checkpoints(self) -> MemoryCheckpoints:
        """Named positions (`Capability.CHECKPOINTS`)."""
        return MemoryCheckpoints(self._change)

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

    @abstractmethod
    async def _change(self, wanted: Change[T]) -> T:
        """Run one change of the records, waiting for locks where that is needed."""

    @property
    def checkpoints(self) -> AsyncMemoryCheckpoints:
        """Named positions (`Capability.CHECKPOINTS`)."""
        return AsyncMemoryCheckpoints(self._change)

    @property
    def subscriptions(self) -> AsyncMemorySubscriptions:
        """Durable subscriptions: leases, pause, rewind, lag (`Capability.DURABLE_SUBSCRIPTIONS`)."""
        return AsyncMemorySubscriptions(self._change)

    @property
    def parked(self) -> AsyncMemoryParkedEvents:
        """Events that a subscription's handler failed on (`Capability.DURABLE_SUBSCRIPTIONS`)."""
        return AsyncMemoryParkedEvents(self._change)
