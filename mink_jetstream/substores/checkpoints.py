"""`store.checkpoints`: named positions by compare-and-set, async and sync."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID  # noqa: TC003 -- msgspec resolves a Struct's annotations at run time

import msgspec

from mink_core.checkpoints import Checkpoint
from mink_core.errors import CheckpointConflictError, LeaseLostError
from mink_core.events import StoreIdentity
from mink_core.limits import check_checkpoint_name
from mink_core.runtime.checks import check_reset, check_save

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from mink_core.leases import Lease
    from mink_jetstream.records import View
    from mink_jetstream.subjects import Keys
    from mink_jetstream.substores.base import Base, Run


class CheckpointRow(msgspec.Struct, frozen=True):
    """A checkpoint as it is stored; the time is that of its message."""

    position: int
    store: UUID
    epoch: int

    def read(self, name: str, written: datetime) -> Checkpoint:
        """The checkpoint."""
        return Checkpoint(name, self.position, StoreIdentity(self.store, self.epoch), written)


class LeaseRow(msgspec.Struct, frozen=True):
    """Who has a partition, with which token."""

    owner: str | None
    token: int


def lease_key(keys: Keys, subscription: str, partition: int) -> str:
    """The key of a partition's lease."""
    return keys.of("lease", subscription, str(partition))


def checkpoint_key(keys: Keys, name: str) -> str:
    """The key of a checkpoint."""
    return keys.of("checkpoint", name)


def fence(view: View, keys: Keys, lease: Lease, name: str) -> None:
    """Refuse a lease that is not the newest, and keep it the newest until the change is stored.

    Raises:
        LeaseLostError: Somebody else has taken over.
    """
    key = lease_key(keys, lease.subscription, lease.partition)
    row = view.get(key, LeaseRow)
    if row is None or row.token != lease.token:
        raise LeaseLostError(name, lease.token)
    view.hold(key)


def put_checkpoint(view: View, key: str, position: int | None, identity: StoreIdentity) -> None:
    """Put a checkpoint somewhere, whatever it is; None removes it."""
    if position is None:
        view.drop(key)
    else:
        view.put(key, CheckpointRow(position, identity.store, identity.epoch))


class AsyncJetStreamCheckpoints:
    """See `mink_core.AsyncCheckpointStore`."""

    def __init__(self, store: Base) -> None:
        """Made by the property of a store."""
        self._store = store

    async def load(self, name: str) -> Checkpoint | None:
        """See `CheckpointStore.load`."""
        key = checkpoint_key(self._store.keys, check_checkpoint_name(name))
        records = await self._store.records()

        def look(view: View) -> Checkpoint | None:
            row, written = view.get(key, CheckpointRow), view.raw(key).time
            return None if row is None or written is None else row.read(name, written)

        return await records.look(look)

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
        keys = self._store.keys
        key = checkpoint_key(keys, name)
        records = await self._store.records()
        present = identity if identity is not None or expected is not None else await self._store.identity()

        def apply(view: View) -> None:
            view.need([key, *([lease_key(keys, lease.subscription, lease.partition)] if lease else [])])
            if lease is not None:
                fence(view, keys, lease, name)
            row = view.get(key, CheckpointRow)
            actual = None if row is None else row.position
            if actual != expected:
                raise CheckpointConflictError(name, expected, actual)
            history = present or (None if row is None else StoreIdentity(row.store, row.epoch))
            assert history is not None  # noqa: S101 -- there is a row where none was asked for
            put_checkpoint(view, key, position, history)

        await records.change(apply)

    async def reset(self, name: str, position: int | None = None) -> None:
        """See `CheckpointStore.reset`."""
        check_reset(name, position)
        records = await self._store.records()
        identity = await self._store.identity()
        key = checkpoint_key(self._store.keys, name)
        await records.change(lambda view: put_checkpoint(view, key, position, identity))

    async def list(self) -> Sequence[Checkpoint]:
        """See `CheckpointStore.list`."""
        records, keys = await self._store.records(), self._store.keys
        rows = await records.load(await records.keys(keys.below("checkpoint")))
        found = [
            msgspec.json.decode(raw.data, type=CheckpointRow).read(keys.parts(key)[1], raw.time)
            for key, raw in rows.items()
            if raw.data and raw.time
        ]
        return sorted(found, key=lambda checkpoint: checkpoint.name)


class JetStreamCheckpoints:
    """See `mink_core.CheckpointStore`."""

    def __init__(self, run: Run, inner: AsyncJetStreamCheckpoints) -> None:
        """Made by the property of a store."""
        self._run = run
        self._inner = inner

    def load(self, name: str) -> Checkpoint | None:
        """See `CheckpointStore.load`."""
        return self._run(self._inner.load(name))

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
        self._run(self._inner.save(name, position, expected=expected, identity=identity, lease=lease))

    def reset(self, name: str, position: int | None = None) -> None:
        """See `CheckpointStore.reset`."""
        self._run(self._inner.reset(name, position))

    def list(self) -> Sequence[Checkpoint]:
        """See `CheckpointStore.list`."""
        return self._run(self._inner.list())
