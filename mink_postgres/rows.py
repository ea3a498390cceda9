"""Rows to values. All three drivers give the same types for the same columns."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from mink_core.events import StoredEvent, StreamInfo
from mink_core.feed_status import FeedHolder
from mink_core.json_codec import decode_json
from mink_core.transforms import EventTransform, apply_incoming

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mink_postgres.query import Row, Rows


def stored_events(rows: Rows, transforms: Sequence[EventTransform]) -> list[StoredEvent]:
    """Decode a page of events."""
    events = [
        StoredEvent(
            stream_id,
            version,
            position,
            event_id,
            event_type,
            decode_json(data),
            decode_json(metadata) or {} if metadata else {},
            # Naive in the row: the query has turned it to UTC, whatever zone the session has.
            timestamp.replace(tzinfo=UTC),
        )
        for position, stream_id, version, event_id, event_type, data, metadata, timestamp in rows
    ]
    return [apply_incoming(transforms, event) for event in events] if transforms else events


def stream_info(row: Row) -> StreamInfo:
    """One row of `streams`."""
    stream_id, category, version, created_at, updated_at, deleted_at = row
    return StreamInfo(
        stream_id,
        category,
        version,
        created_at.replace(tzinfo=UTC),
        updated_at.replace(tzinfo=UTC),
        deleted_at and deleted_at.replace(tzinfo=UTC),
    )


def feed_holder(row: Row) -> FeedHolder:
    """One open transaction that has appended."""
    after_position, since, seconds, process, application, doing = row
    return FeedHolder(
        after_position, since and since.replace(tzinfo=UTC), max(seconds, 0.0), process, application, doing
    )
