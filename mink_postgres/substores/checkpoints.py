"""`store.checkpoints`, sync and async."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mink_core.limits import check_checkpoint_name
from mink_core.runtime.checks import check_reset, check_save
from mink_postgres.programs import checkpoints
from mink_postgres.substores.base import AsyncSubStore, SubStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mink_core.checkpoints import Checkpoint
    from mink_core.events import StoreIdentity
    from mink_core.leases import Lease


class PostgresCheckpoints(SubStore):
    """See `mink_core.CheckpointStore`."""

    def load(self, name: str) -> Checkpoint | None:
        """See `CheckpointStore.load`."""
        return self._run(checkpoints.load(self._context, check_checkpoint_name(name)))

    def save(
        self,
        name: str,
        position: int,
        *,
        expected: int | None,
        identity: StoreIdentity | None = None,
        lease: Lease | None = None,
    ) -> None:
        """See `CheckpointStore.save`."""
        check_save(name, position, expected, identity, lease)
        self._run(checkpoints.save(self._context, name, position, expected, identity, lease))

    def reset(self, name: str, position: int | None = None) -> None:
        """See `CheckpointStore.reset`."""
        check_reset(name, position)
        self._run(checkpoints.reset(self._context, name, position))

    def list(self) -> Sequence[Checkpoint]:
        """See `CheckpointStore.list`."""
        return self._run(checkpoints.list_all(self._context))


class AsyncPostgresCheckpoints(AsyncSubStore):
    """See `mink_core.AsyncCheckpointStore`."""

    async def load(self, name: str) -> Checkpoint | None:
        """See `CheckpointStore.load`."""
        return await self._run(checkpoints.load(self._context, check_checkpoint_name(name)))

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
        check_save(name, position, expected, identity, lease)
        await self._run(checkpoints.save(self._context, name, position, expected, identity, lease))

    async def reset(self, name: str, position: int | None = None) -> None:
        """See `CheckpointStore.reset`."""
        check_reset(name, position)
        await self._run(checkpoints.reset(self._context, name, position))

    async def list(self) -> Sequence[Checkpoint]:
        """See `CheckpointStore.list`."""
        return await self._run(checkpoints.list_all(self._context))
