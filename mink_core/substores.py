"""The stores around the log, which hang on a store and on a transaction alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mink_core.checkpoints import AsyncCheckpointStore, CheckpointStore


class HasSubStores(Protocol):
    """Each raises `CapabilityNotSupportedError` where the adapter does not declare it."""

    @property
    def checkpoints(self) -> CheckpointStore:
        """Named positions (`Capability.CHECKPOINTS`)."""
        ...


class AsyncHasSubStores(Protocol):
    """`HasSubStores` for asyncio."""

    @property
    def checkpoints(self) -> AsyncCheckpointStore:
        """Named positions (`Capability.CHECKPOINTS`)."""
        ...
