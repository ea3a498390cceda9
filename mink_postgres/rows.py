"""Rows to values. All three drivers give the same types for the same columns."""

from __future__ import annotations

import struct
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from msgspec import Raw

from mink_core.compiled import is_compiled
from mink_core.errors import StorageError
from mink_core.events import StoredEvent, StreamInfo
from mink_core.feed_status import FeedHolder
from mink_core.transforms import EventTransform, apply_incoming

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mink_postgres.query import Row, Rows

    Compiled: TypeAlias = Callable[[Rows, type[StoredEvent], object, object, object], list[StoredEvent] | None]

T = TypeVar("T")

_compiled: Compiled | None = None
if is_compiled:
    with suppress(ImportError, AttributeError):  # as in `mink_core.compiled`
        from mink_postgres import _rows

        _compiled = _rows.events_of

POSITION, VERSION, TIME = 0, 2, 7
"""Where they stand in a row of events."""

_undecoded: Any = Raw
"""What `StoredEvent` decodes when it is looked at."""


_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
"""From when on PostgreSQL counts microseconds."""


def stored_events(rows: Rows, transforms: Sequence[EventTransform]) -> list[StoredEvent]:
    """The events of a page's rows.

    Their times come as the server sends them, by `timestamptz_send`: what the drivers make of a time takes asyncpg half as
    long as all other columns together, and depends on the session's time zone.

    Raises:
        StorageError: A time is infinite, or of no year from 1 to 9999.
    """
    events = None if _compiled is None else _compiled(rows, StoredEvent, Raw, datetime, UTC)
    if events is None:
        events = _events_of(rows)
    return [apply_incoming(transforms, event) for event in events] if transforms else events


def _events_of(rows: Rows) -> list[StoredEvent]:
    return [
        StoredEvent(
            stream_id,
            version,
            position,
            event_id,
            event_type,
            _undecoded(data),
            {} if metadata is None else _undecoded(metadata),
            timestamp,
        )
        for (position, stream_id, version, event_id, event_type, data, metadata, _), timestamp in zip(
            rows, _times_of(rows), strict=True
        )
    ]


def _times_of(rows: Rows) -> list[datetime]:
    counts = struct.unpack(f">{len(rows)}q", b"".join([row[TIME] for row in rows]))
    try:
        return [_EPOCH + timedelta(0, 0, count) for count in counts]
    except OverflowError:
        bad = next(row[POSITION] for row, count in zip(rows, counts, strict=True) if not _is_time(count))
        msg = (
            f"the event at position {bad} has a timestamp that is infinite or of no year from 1 to 9999; nothing "
            "after it can be read: it was not stored by Mink, correct it in the table"
        )
        raise StorageError(msg) from None


def _is_time(count: int) -> bool:
    try:
        return bool(_EPOCH + timedelta(0, 0, count))
    except OverflowError:
        return False


def incoming(transforms: Sequence[EventTransform]) -> Callable[[StoredEvent], StoredEvent] | None:
    """What makes a stored event readable, None where it is as it is."""
    return partial(apply_incoming, transforms) if transforms else None


def consumed(page: list[T], readable: Callable[[T], T] | None) -> Iterator[T]:
    """The items of a page, each made readable when it is asked for, and let go of when the next is.

    So a reader has the events before one that cannot be read.

    What a reader decodes is freed at once: a page of decoded payloads kept to its end costs a third more,
    nearly all of it the garbage collector's.
    """
    page.reverse()
    if readable is None:
        while page:
            yield page.pop()
    else:
        while page:
            yield readable(page.pop())


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
