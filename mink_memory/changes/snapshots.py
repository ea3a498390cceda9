"""Snapshots: save, load, delete, list."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 -- msgspec resolves a Struct's annotations at run time
from typing import TYPE_CHECKING

import msgspec

from mink_core.prepare_substores.snapshots import PreparedSnapshot, snapshot_data
from mink_core.snapshots import Snapshot, SnapshotInfo
from mink_memory.records import Change

if TYPE_CHECKING:
    from collections.abc import Callable

    from mink_memory.records import Records

TABLE = "snapshot"


class _Row(msgspec.Struct, frozen=True):
    """A snapshot as it is kept: encoded. A stream's record is a tuple of them, the newest first."""

    snapshot: PreparedSnapshot
    created_at: datetime


def save(given: PreparedSnapshot, has_erased: Callable[[str, int], bool]) -> Change[bool]:
    """Save unless a newer one stands, or it may hold what was erased, as `has_erased` tells."""

    def apply(records: Records) -> bool:
        kept: tuple[_Row, ...] = records.get(TABLE, given.stream_id) or ()
        if (kept and kept[0].snapshot.version > given.version) or has_erased(given.stream_id, given.version):
            return False
        older = tuple(row for row in kept if row.snapshot.version < given.version)
        records.put(TABLE, given.stream_id, (_Row(given, records.now), *older)[: given.keep])
        return True

    return Change(((TABLE, given.stream_id),), apply)


def load(
    stream_id: str,
    has_erased: Callable[[str, int], bool],
    at_version: int | None,
    snapshot_type: str | None,
    schema_version: int | None,
) -> Change[Snapshot | None]:
    """The newest one that fits, and holds nothing that was erased, as `has_erased` tells."""

    def apply(records: Records) -> Snapshot | None:
        for row in records.get(TABLE, stream_id) or ():
            one: PreparedSnapshot = row.snapshot
            if (
                not has_erased(stream_id, one.version)
                and (at_version is None or one.version <= at_version)
                and snapshot_type in (None, one.snapshot_type)
                and schema_version in (None, one.schema_version)
            ):
                data = snapshot_data(one.data, is_json=one.is_json)
                return Snapshot(stream_id, one.version, data, one.snapshot_type, one.schema_version, row.created_at)
        return None

    return Change((), apply)


def delete(stream_id: str, up_to_version: int | None) -> Change[int]:
    """Delete a stream's snapshots up to a version."""

    def apply(records: Records) -> int:
        kept: tuple[_Row, ...] = records.get(TABLE, stream_id) or ()
        left = tuple(row for row in kept if up_to_version is not None and row.snapshot.version > up_to_version)
        if left:
            records.put(TABLE, stream_id, left)
        elif kept:
            records.drop(TABLE, stream_id)
        return len(kept) - len(left)

    return Change(((TABLE, stream_id),), apply)


def list_newest(after: str | None, limit: int) -> Change[list[SnapshotInfo]]:
    """Each stream's newest one, without its data."""

    def apply(records: Records) -> list[SnapshotInfo]:
        rows = sorted((key, kept[0]) for key, kept in records.items(TABLE) if key > (after or ""))[:limit]
        return [
            SnapshotInfo(
                key,
                row.snapshot.version,
                row.snapshot.snapshot_type,
                row.snapshot.schema_version,
                len(row.snapshot.data),
                row.created_at,
            )
            for key, row in rows
        ]

    return Change((), apply)
