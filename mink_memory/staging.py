"""A draft on top of the committed streams, as the core decides on appends. Used under the log's lock."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from mink_core.deciding import Staging, store_appends
from mink_core.stream_state import UNMARKED
from mink_memory.rows import rows_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from uuid import UUID

    from mink_core.events import AppendResult
    from mink_core.prepare import PreparedAppend
    from mink_core.stream_state import StreamState
    from mink_memory.drafts import Draft
    from mink_memory.rows import Row
    from mink_memory.streams import Streams

_TICK = timedelta(microseconds=1)


def new_rows(
    item: PreparedAppend, rows: Sequence[Row] | None, position: int, clock: Callable[[], datetime]
) -> list[Row]:
    """The rows of an append that follows `rows` in its stream and `position` in the store."""
    stamp = clock()
    if not rows:
        return rows_of(item, 0, position, stamp)
    last = rows[-1]
    # Never backwards (READ-07), and never twice: it marks where one append ends (APPEND-09).
    if stamp <= last.timestamp:
        stamp = last.timestamp + _TICK
    return rows_of(item, last.version, position, stamp)


def stage(
    streams: Streams,
    draft: Draft,
    items: Sequence[PreparedAppend],
    high: int,
    clock: Callable[[], datetime],
) -> list[AppendResult]:
    """Decide on the items in order and add their rows to the draft; a refusal adds none (APPEND-11).

    Raises:
        ConcurrencyError: For the first item that is not as expected.
        DuplicateEventError: Some of it is stored already, but not all of it by this same call.
    """
    size = len(draft.rows)
    try:
        return store_appends(_DraftStaging(streams, draft, high - size, clock), items)
    except BaseException:
        draft.undo(size)
        raise


class _DraftStaging(Staging):
    def __init__(self, streams: Streams, draft: Draft, offset: int, clock: Callable[[], datetime]) -> None:
        self._streams = streams
        self._draft = draft
        self._offset = offset
        self._clock = clock

    def version(self, stream_id: str) -> int:
        return self._streams.version(stream_id, self._draft)

    def span(self, stream_id: str, after_version: int, last_version: int) -> Sequence[Row]:
        return self._streams.span(stream_id, after_version, last_version, self._draft)

    def insert(self, item: PreparedAppend, version: int) -> Sequence[Row]:
        del version  # the last row has it, and the last timestamp as well
        last = self._draft.pending.get(item.stream_id) or self._streams.rows.get(item.stream_id)
        rows = new_rows(item, last, self._offset + len(self._draft.rows), self._clock)
        self._draft.add(rows, unique=self._streams.unique)
        return rows

    def state(self, stream_id: str) -> StreamState:
        return self._streams.states.get(stream_id, UNMARKED)

    def find(self, event_ids: Sequence[UUID]) -> Sequence[Row]:
        if not self._streams.unique:
            return ()
        find, new = self._streams.find, self._draft.ids
        return [row for key in event_ids if (row := find(key) or new.get(key))]
