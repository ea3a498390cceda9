"""Checkpoints: how far a reader has come, saved by compare-and-set (rule SUB-08)."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 -- looked up at run time by get_type_hints
from typing import TYPE_CHECKING, Protocol

import msgspec

from mink_core.events import StoreIdentity  # noqa: TC001 -- as above

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mink_core.leases import Lease


class Checkpoint(msgspec.Struct, frozen=True):
    """How far a reader has come. No checkpoint differs from one at position 0."""

    name: str
    """1 to 255 characters."""
    position: int
    """Everything up to here is done."""
    identity: StoreIdentity | None
    """The history that the position belongs to (FEED-08); None where other software wrote it without."""
    updated_at: datetime
    """Aware, in UTC, by the storage's clock."""


class CheckpointStore(Protocol):
    """Named positions. Also on a transaction, where they are saved with everything else in it.

    Raises:
        CapabilityNotSupportedError: When asked for, without `Capability.CHECKPOINTS`.
    """

    def load(self, name: str) -> Checkpoint | None:
        """The checkpoint, None where there is none."""
        ...

    def save(
        self,
        name: str,
        position: int,
        *,
        expected: int | None,
        identity: StoreIdentity | None = None,
        lease: Lease | None = None,
    ) -> None:
        """Move the checkpoint on, if it is where the caller believes it is.

        Args:
            name: 1 to 255 characters.
            position: The new position, not below `expected`.
            expected: The position it has now; None where there must be no checkpoint yet.
            identity: The history that the position was read from. None keeps what is stored; a new
                checkpoint then gets the store's present identity.
            lease: Refuse unless this lease is still the newest, in the same transaction.

        Raises:
            CheckpointConflictError: It is somewhere else; nothing was changed.
            LeaseLostError: Another worker has taken over; nothing was changed.
            UsageError: `position` is below `expected`: only `reset` moves back.
        """
        ...

    def reset(self, name: str, position: int | None = None) -> None:
        """Put the checkpoint somewhere on purpose, also backwards, whatever it is now.

        It then belongs to the store's present identity. A worker that is at it gets
        `CheckpointConflictError` at its next save. To rewind a durable subscription use
        `store.subscriptions.rewind`, which idle workers notice as well.

        Args:
            name: The checkpoint.
            position: Where to; None removes it.
        """
        ...

    def list(self) -> Sequence[Checkpoint]:
        """All checkpoints, in code point order of their names."""
        ...


class AsyncCheckpointStore(Protocol):
    """`CheckpointStore` for asyncio."""

    async def load(self, name: str) -> Checkpoint | None:
        """See `CheckpointStore.load`."""
        ...

    async def save(
        self,
        name: str,
        position: int,
        *,
        expected: int | None,
        identity: StoreIdentity | None = None,
        lease: Lease | None = None,
    ) -> None:
        """See `CheckpointStore.save`."""
        ...

    async def reset(self, name: str, position: int | None = None) -> None:
        """See `CheckpointStore.reset`."""
        ...

    async def list(self) -> Sequence[Checkpoint]:
        """See `CheckpointStore.list`."""
        ...
