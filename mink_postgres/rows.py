"""Rows to values. All three drivers give the same types for the same columns."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Raw

from mink_core.events import StoredEvent, StreamInfo
from mink_core.feed_status import FeedHolder
from mink_core.transforms import EventTransform, apply_incoming

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mink_postgres.query import Row, Rows


T = TypeVar("T")

POSITION, VERSION = 0, 2
"""Where they stand in a row of events."""

_undecoded: Any = Raw
"""What `StoredEvent` decodes when it is looked at."""


def stored_events(rows: Rows, transforms: Sequence[EventTransform]) -> list[StoredEvent]:
    """Decode a page of events."""
    events = [
        StoredEvent(
            stream_id,
            version,
            position,
            event_id,
            event_type,
            _undecoded(data),
            _undecoded(metadata) if metadata else {},
            timestamp if timestamp.tzinfo is UTC else timestamp.astimezone(UTC),
        )
        for position, stream_id, version, event_id, event_type, data, metadata, timestamp in rows
    ]
    return [apply_incoming(transforms, event) for event in events] if transforms else events


def consumed(page: list[T]) -> Iterator[T]:
    """The items of a page, each let go of when the next is asked for.

    What a reader decodes is freed at once: a page of decoded payloads kept to its end costs a third more,
    nearly all of it the garbage collector's.
    """
    page.reverse()
    while page:
        yield page.pop()


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
