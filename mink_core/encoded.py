"""Events as an adapter keeps them: encoded, so that no object is shared with a caller or a reader."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 -- msgspec resolves a Struct's annotations at run time
from typing import TYPE_CHECKING, Any
from uuid import UUID  # noqa: TC003 -- as above

import msgspec

from mink_core.events import AppendResult, StoredEvent
from mink_core.transforms import apply_incoming

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mink_core.prepare import PreparedAppend
    from mink_core.transforms import EventTransform


_undecoded: Any = msgspec.Raw
"""What `StoredEvent` decodes when it is looked at."""


class EncodedEvent(msgspec.Struct, frozen=True, gc=False):
    """A stored event with its JSON as text. `gc=False`: millions of them cost the garbage collector nothing."""

    stream_id: str
    version: int
    global_position: int
    event_id: UUID
    event_type: str
    data: str
    """JSON text."""
    metadata: str | None
    """JSON text of an object, None where none was given."""
    timestamp: datetime
    """Aware, in UTC; the same for all events of one append, and for no other event of the stream."""


def encode_events(item: PreparedAppend, version: int, position: int, timestamp: datetime) -> list[EncodedEvent]:
    """The events of an append that follows `version` in its stream and `position` in the store."""
    stream_id = item.stream_id
    rows: list[EncodedEvent] = []
    for event in item.events:
        version += 1
        position += 1
        rows.append(
            EncodedEvent(
                stream_id,
                version,
                position,
                event.event_id,
                event.event_type,
                event.data,
                event.metadata,
                timestamp,
            )
        )
    return rows


def result_of(rows: Sequence[EncodedEvent]) -> AppendResult:
    """What the append of these events returns, now and when it is repeated."""
    first, last = rows[0], rows[-1]
    return AppendResult(
        first.stream_id,
        first.version,
        last.version,
        first.global_position,
        last.global_position,
        tuple([row.event_id for row in rows]) if last is not first else (first.event_id,),
    )


def decode_event(row: EncodedEvent, transforms: Sequence[EventTransform] = ()) -> StoredEvent:
    """The event to hand to a reader; every call makes new objects (READ-08)."""
    metadata = row.metadata
    event = StoredEvent(
        row.stream_id,
        row.version,
        row.global_position,
        row.event_id,
        row.event_type,
        _undecoded(row.data),
        {} if metadata is None else _undecoded(metadata),
        row.timestamp,
    )
    return apply_incoming(transforms, event) if transforms else event
