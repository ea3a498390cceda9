"""`store.snapshots`, sync and async."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mink_core.prepare_substores.snapshots import check_delete, check_list, check_load, prepare_snapshot
from mink_core.snapshots import Snapshot, SnapshotInfo, Tail
from mink_postgres.programs import snapshots
from mink_postgres.rows import consumed, incoming
from mink_postgres.substores.base import AsyncSubStore, SubStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from mink_core.events import StoredEvent


class PostgresSnapshots(SubStore):
    """See `mink_core.SnapshotStore`."""

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
        return self._run(snapshots.save(self._context, prepared))

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
        return self._run(snapshots.load(self._context, stream_id, at_version, snapshot_type, schema_version))

    def load_with_tail(
        self, stream_id: str, *, snapshot_type: str | None = None, schema_version: int | None = None
    ) -> Tail[Iterator[StoredEvent]]:
        """See `SnapshotStore.load_with_tail`."""
        check_load(stream_id, snapshot_type, schema_version)
        page = self._run(snapshots.load_with_tail(self._context, stream_id, snapshot_type, schema_version))
        return Tail(page.snapshot, self._events(page))

    def _events(self, page: snapshots.FirstPage) -> Iterator[StoredEvent]:
        readable = incoming(self._context.transforms)
        yield from consumed(page.events, readable)
        while page.rest is not None and (program := page.rest.next_page()) is not None:
            yield from consumed(page.rest.items(self._run(program)), readable)

    def delete(self, stream_id: str, *, up_to_version: int | None = None) -> int:
        """See `SnapshotStore.delete`."""
        check_delete(stream_id, up_to_version)
        return self._run(snapshots.delete(self._context, stream_id, up_to_version))

    def list(self, *, after: str | None = None, limit: int = 100) -> Sequence[SnapshotInfo]:
        """See `SnapshotStore.list`."""
        check_list(after, limit)
        return self._run(snapshots.list_newest(self._context, after, limit))


class AsyncPostgresSnapshots(AsyncSubStore):
    """See `mink_core.AsyncSnapshotStore`."""

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
        return await self._run(snapshots.save(self._context, prepared))

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
        return await self._run(snapshots.load(self._context, stream_id, at_version, snapshot_type, schema_version))

    async def load_with_tail(
        self, stream_id: str, *, snapshot_type: str | None = None, schema_version: int | None = None
    ) -> Tail[AsyncIterator[StoredEvent]]:
        """See `SnapshotStore.load_with_tail`."""
        check_load(stream_id, snapshot_type, schema_version)
        page = await self._run(snapshots.load_with_tail(self._context, stream_id, snapshot_type, schema_version))
        return Tail(page.snapshot, self._events(page))

    async def _events(self, page: snapshots.FirstPage) -> AsyncIterator[StoredEvent]:
        readable = incoming(self._context.transforms)
        for event in consumed(page.events, readable):
            yield event
        while page.rest is not None and (program := page.rest.next_page()) is not None:
            for event in consumed(page.rest.items(await self._run(program)), readable):
                yield event

    async def delete(self, stream_id: str, *, up_to_version: int | None = None) -> int:
        """See `SnapshotStore.delete`."""
        check_delete(stream_id, up_to_version)
        return await self._run(snapshots.delete(self._context, stream_id, up_to_version))

    async def list(self, *, after: str | None = None, limit: int = 100) -> Sequence[SnapshotInfo]:
        """See `SnapshotStore.list`."""
        check_list(after, limit)
        return await self._run(snapshots.list_newest(self._context, after, limit))
