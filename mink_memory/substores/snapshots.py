"""`store.snapshots`, sync and async."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from mink_core.direction import Direction
from mink_core.prepare_substores.snapshots import check_delete, check_list, check_load, prepare_snapshot
from mink_core.snapshots import Snapshot, SnapshotInfo, Tail
from mink_memory.changes import snapshots
from mink_memory.substores.base import AsyncRun, AsyncSubStore, Run, SubStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from mink_core.events import StoredEvent
    from mink_memory.view import View


class MemorySnapshots(SubStore):
    """See `mink_core.SnapshotStore`."""

    def __init__(self, run: Run, view: View) -> None:
        """Made by the property of a store or transaction."""
        super().__init__(run)
        self._view = view

    def save(  # noqa: PLR0913 -- the contract's
        self,
        stream_id: str,
        version: int,
        data: Any,
        *,
        snapshot_type: str = "",
        schema_version: int = 1,
        keep: int = 1,
    ) -> bool:
        """See `SnapshotStore.save`."""
        prepared = prepare_snapshot(
            stream_id, version, data, snapshot_type=snapshot_type, schema_version=schema_version, keep=keep
        )
        return self._run(snapshots.save(prepared, self._view.has_erased))

    def load(
        self,
        stream_id: str,
        *,
        at_version: int | None = None,
        snapshot_type: str | None = None,
        schema_version: int | None = None,
    ) -> Snapshot | None:
        """See `SnapshotStore.load`."""
        check_load(stream_id, snapshot_type, schema_version, at_version)
        return self._run(snapshots.load(stream_id, self._view.has_erased, at_version, snapshot_type, schema_version))

    def load_with_tail(
        self, stream_id: str, *, snapshot_type: str | None = None, schema_version: int | None = None
    ) -> Tail[Iterator[StoredEvent]]:
        """See `SnapshotStore.load_with_tail`."""
        check_load(stream_id, snapshot_type, schema_version)
        erased, version = self._view.has_erased, self._view.version(stream_id)
        snapshot = self._run(snapshots.load(stream_id, erased, version, snapshot_type, schema_version))
        pages = self._view.stream_pages(stream_id, snapshot.version if snapshot else 0, None, Direction.FORWARD)
        return Tail(snapshot, (self._view.decode(row) for rows in pages for row in rows))

    def delete(self, stream_id: str, *, up_to_version: int | None = None) -> int:
        """See `SnapshotStore.delete`."""
        check_delete(stream_id, up_to_version)
        return self._run(snapshots.delete(stream_id, up_to_version))

    def list(self, *, after: str | None = None, limit: int = 100) -> Sequence[SnapshotInfo]:
        """See `SnapshotStore.list`."""
        check_list(after, limit)
        return self._run(snapshots.list_newest(after, limit))


class AsyncMemorySnapshots(AsyncSubStore):
    """See `mink_core.AsyncSnapshotStore`."""

    def __init__(self, run: AsyncRun, view: View) -> None:
        """Made by the property of a store or transaction."""
        super().__init__(run)
        self._view = view

    async def save(  # noqa: PLR0913 -- the contract's
        self,
        stream_id: str,
        version: int,
        data: Any,
        *,
        snapshot_type: str = "",
        schema_version: int = 1,
        keep: int = 1,
    ) -> bool:
        """See `SnapshotStore.save`."""
        prepared = prepare_snapshot(
            stream_id, version, data, snapshot_type=snapshot_type, schema_version=schema_version, keep=keep
        )
        return await self._run(snapshots.save(prepared, self._view.has_erased))

    async def load(
        self,
        stream_id: str,
        *,
        at_version: int | None = None,
        snapshot_type: str | None = None,
        schema_version: int | None = None,
    ) -> Snapshot | None:
        """See `SnapshotStore.load`."""
        check_load(stream_id, snapshot_type, schema_version, at_version)
        return await self._run(
            snapshots.load(stream_id, self._view.has_erased, at_version, snapshot_type, schema_version)
        )

    async def load_with_tail(
        self, stream_id: str, *, snapshot_type: str | None = None, schema_version: int | None = None
    ) -> Tail[AsyncIterator[StoredEvent]]:
        """See `SnapshotStore.load_with_tail`."""
        check_load(stream_id, snapshot_type, schema_version)
        erased, version = self._view.has_erased, self._view.version(stream_id)
        snapshot = await self._run(snapshots.load(stream_id, erased, version, snapshot_type, schema_version))
        return Tail(snapshot, self._events(stream_id, snapshot.version if snapshot else 0))

    async def _events(self, stream_id: str, after_version: int) -> AsyncIterator[StoredEvent]:
        for rows in self._view.stream_pages(stream_id, after_version, None, Direction.FORWARD):
            for row in rows:
                yield self._view.decode(row)
            await asyncio.sleep(0)

    async def delete(self, stream_id: str, *, up_to_version: int | None = None) -> int:
        """See `SnapshotStore.delete`."""
        check_delete(stream_id, up_to_version)
        return await self._run(snapshots.delete(stream_id, up_to_version))

    async def list(self, *, after: str | None = None, limit: int = 100) -> Sequence[SnapshotInfo]:
        """See `SnapshotStore.list`."""
        check_list(after, limit)
        return await self._run(snapshots.list_newest(after, limit))
