"""Events as the log keeps them: encoded, so that no object is shared with a caller or a reader."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 -- msgspec resolves a Struct's annotations at run time
from operator import attrgetter
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import msgspec

from mink_core.events import AppendResult, StoredEvent
from mink_core.json_codec import decode_json

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mink_core.prepare import PreparedAppend


class Row(msgspec.Struct, frozen=True, gc=False):
    """One event. `gc=False`: millions of rows cost the garbage collector nothing."""

    position: int
    stream_id: str
    version: int
    event_id: UUID
    event_type: str
    data: str
    metadata: str | None
    timestamp: datetime

    @property
    def is_hole(self) -> bool:
        """Whether the event was purged: the row keeps the place of its version and position."""
        return not self.data


position_of: Callable[[Row], int] = attrgetter("position")


def make_rows(item: PreparedAppend, version: int, position: int, stamp: datetime) -> list[Row]:
    """The rows of an append that follows `version` and `position`, all with one timestamp."""
    stream_id = item.stream_id
    rows: list[Row] = []
    for event in item.events:
        version += 1
        position += 1
        rows.append(
            Row(position, stream_id, version, event.event_id, event.event_type, event.data, event.metadata, stamp)
        )
    return rows


def hole(row: Row) -> Row:
    """What is left of a purged event."""
    return Row(row.position, row.stream_id, row.version, uuid4(), "", "", None, row.timestamp)


def result_of(rows: Sequence[Row]) -> AppendResult:
    """What the append of these rows returns, now and when it is repeated."""
    first, last = rows[0], rows[-1]
    return AppendResult(
        first.stream_id,
        first.version,
        last.version,
        first.position,
        last.position,
        tuple([row.event_id for row in rows]),
    )


def stored_event(row: Row) -> StoredEvent:
    """Decode a row; every call makes new objects (READ-08)."""
    metadata = row.metadata
    return StoredEvent(
        row.stream_id,
        row.version,
        row.position,
        row.event_id,
        row.event_type,
        decode_json(row.data),
        {} if metadata is None else decode_json(metadata),
        row.timestamp,
    )
