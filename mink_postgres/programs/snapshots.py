"""Snapshots: save, load, load with the tail, delete, list."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, NamedTuple

from mink_core.direction import Direction
from mink_core.prepare_substores.snapshots import PreparedSnapshot, snapshot_data
from mink_core.snapshots import Snapshot, SnapshotInfo
from mink_postgres.programs.reading import PAGE, StreamReader
from mink_postgres.query import Program, Query
from mink_postgres.rows import stored_events

if TYPE_CHECKING:
    from mink_core.events import StoredEvent
    from mink_postgres.context import Context
    from mink_postgres.query import Row

_NEWEST = 2**63 - 1


class FirstPage(NamedTuple):
    """What the one round trip of `load_with_tail` brings."""

    snapshot: Snapshot | None
    events: list[StoredEvent]
    """As they are stored."""
    rest: StreamReader | None
    """Reads what follows; None where that was all."""


def save(context: Context, snapshot: PreparedSnapshot) -> Program[bool]:
    """Save unless a newer one stands."""
    args = (
        snapshot.stream_id,
        snapshot.version,
        snapshot.data,
        snapshot.snapshot_type,
        snapshot.schema_version,
        snapshot.is_json,
        snapshot.keep,
    )
    rows = yield Query(context.sql.save_snapshot, args, retry_is_safe=True)
    return bool(rows[0][0])


def load(
    context: Context, stream_id: str, at_version: int | None, snapshot_type: str | None, schema_version: int | None
) -> Program[Snapshot | None]:
    """The newest one that fits."""
    up_to = _NEWEST if at_version is None else at_version
    rows = yield Query(context.sql.load_snapshot, (stream_id, up_to, snapshot_type, schema_version))
    return _snapshot(stream_id, rows[0]) if rows else None


def _snapshot(stream_id: str, row: Row) -> Snapshot:
    _, version, data, kind, shape, is_json, created_at, *_ = row
    value = snapshot_data(data, is_json=is_json)
    return Snapshot(stream_id, version, value, kind, shape, created_at.replace(tzinfo=UTC))


def load_with_tail(
    context: Context, stream_id: str, snapshot_type: str | None, schema_version: int | None
) -> Program[FirstPage]:
    """The snapshot and a page of what follows, in one statement."""
    rows = list((yield Query(context.sql.load_with_tail, (stream_id, snapshot_type, schema_version, PAGE))))
    snapshot = _snapshot(stream_id, rows.pop(0)) if rows and rows[0][0] else None
    events = stored_events(
        [
            (position, stream_id, version, event_id, event_type, data, metadata, timestamp)
            for _, version, _, _, _, _, _, position, event_id, event_type, data, metadata, timestamp in rows
        ],
        (),
    )
    rest = None
    if len(rows) == PAGE:
        rest = StreamReader(context, stream_id, events[-1].version, None, Direction.FORWARD)
    return FirstPage(snapshot, events, rest)


def delete(context: Context, stream_id: str, up_to_version: int | None) -> Program[int]:
    """Delete a stream's snapshots up to a version."""
    up_to = _NEWEST if up_to_version is None else up_to_version
    rows = yield Query(context.sql.delete_snapshots, (stream_id, up_to), retry_is_safe=True)
    return int(rows[0][0])


def list_newest(context: Context, after: str | None, limit: int) -> Program[list[SnapshotInfo]]:
    """Each stream's newest one, without its data."""
    rows = yield Query(context.sql.list_snapshots, (after or "", limit))
    return [
        SnapshotInfo(stream_id, version, kind, shape, size, created_at.replace(tzinfo=UTC))
        for stream_id, version, kind, shape, size, created_at in rows
    ]
