"""A row of the log: an encoded event, and what each reader's event is made of, made once.

Rows are read more often than written, by each reader of a test anew: an event of prepared parts costs a reader half.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Raw
from msgspec.structs import replace

from mink_core.encoded import EncodedEvent
from mink_core.events import StoredEvent

if TYPE_CHECKING:
    from datetime import datetime

    from mink_core.prepare import PreparedAppend

_NONE = Raw("{}")


class Row(EncodedEvent, frozen=True, gc=False):
    """An event as the log keeps it. What was purged has no `data`: see `holes`."""

    undecoded_data: Any
    """The same JSON as a `msgspec.Raw`, which `StoredEvent` decodes when it is looked at: each event for itself."""
    undecoded_metadata: Any
    """As `undecoded_data`; of `{}` where there is none."""


def rows_of(item: PreparedAppend, version: int, position: int, timestamp: datetime) -> list[Row]:
    """The rows of an append that follows `version` in its stream and `position` in the store."""
    stream_id = item.stream_id
    rows: list[Row] = []
    for event in item.events:
        version += 1
        position += 1
        data, metadata = event.data, event.metadata
        rows.append(
            Row(
                stream_id,
                version,
                position,
                event.event_id,
                event.event_type,
                data,
                metadata,
                timestamp,
                Raw(data),
                _NONE if metadata is None else Raw(metadata),
            )
        )
    return rows


def with_content(row: Row, data: str, metadata: str | None) -> Row:
    """The row with other content, given as JSON text."""
    return replace(
        row,
        data=data,
        metadata=metadata,
        undecoded_data=Raw(data),
        undecoded_metadata=_NONE if metadata is None else Raw(metadata),
    )


def event_of(row: Row) -> StoredEvent:
    """The event to hand to a reader; every call makes a new one (READ-08)."""
    return StoredEvent(
        row.stream_id,
        row.version,
        row.global_position,
        row.event_id,
        row.event_type,
        row.undecoded_data,
        row.undecoded_metadata,
        row.timestamp,
    )
