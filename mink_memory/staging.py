"""Deciding on appends: what is stored, repeated or refused. Called under the log's lock."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from mink_core.errors import ConcurrencyError, DuplicateEventError, StreamTombstonedError
from mink_core.expected import ExpectedVersion, exact_version
from mink_memory.repeats import fits, is_repeat
from mink_memory.rows import make_rows, result_of
from mink_memory.states import UNMARKED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from mink_core.events import AppendResult
    from mink_core.prepare import PreparedAppend
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
        return make_rows(item, 0, position, stamp)
    last = rows[-1]
    # Never backwards (READ-07), and never twice: it marks where one append ends (APPEND-09).
    if stamp <= last.timestamp:
        stamp = last.timestamp + _TICK
    return make_rows(item, last.version, position, stamp)


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
        return _stage(streams, draft, items, high - size, clock)
    except BaseException:
        draft.undo(size)
        raise


def _stage(
    streams: Streams,
    draft: Draft,
    items: Sequence[PreparedAppend],
    offset: int,
    clock: Callable[[], datetime],
) -> list[AppendResult]:
    results: list[AppendResult] = []
    repeated: list[PreparedAppend] = []
    conflict: ConcurrencyError | None = None
    if streams.states:
        for item in items:
            if streams.states.get(item.stream_id, UNMARKED).tombstoned:
                raise StreamTombstonedError(item.stream_id)
    for item in items:
        try:
            rows = _first_call(streams, draft, item)
        except ConcurrencyError as error:
            # A DuplicateEventError of a later item outweighs it: no retry can mend that one.
            conflict = conflict or error
            continue
        if rows:
            repeated.append(item)
        else:
            last = draft.pending.get(item.stream_id) or streams.rows.get(item.stream_id)
            rows = new_rows(item, last, offset + len(draft.rows), clock)
            draft.add(rows, unique=streams.unique)
        results.append(result_of(rows))
    if repeated and len(repeated) < len(items):
        raise DuplicateEventError(repeated[0].events[0].event_id)
    if conflict:
        raise conflict
    return results


def _first_call(streams: Streams, draft: Draft, item: PreparedAppend) -> Sequence[Row]:
    """The rows of the call that this one repeats; none where it is to be stored (APPEND-09)."""
    exact = exact_version(item.expected)
    state = streams.states.get(item.stream_id, UNMARKED) if streams.states else UNMARKED
    if exact == 0:
        exact = state.hidden_version  # as a soft-deleted stream is missing, so it is created again
    if streams.unique:
        ids = [event.event_id for event in item.events]
        stored = [row for key in ids if (row := streams.ids.get(key) or draft.ids.get(key))]
        if stored:
            after = min(row.version for row in stored) - 1
            here = len(stored) == len(ids) and all(row.stream_id == item.stream_id for row in stored)
            if not here or exact not in (None, after):
                raise DuplicateEventError(stored[0].event_id)
            return _repeat(streams, draft, item, after)
    version = streams.version(item.stream_id, draft)
    gone = state.deleted_at is not None and item.stream_id not in draft.pending
    if gone:
        if item.expected in (ExpectedVersion.ANY, ExpectedVersion.NO_STREAM):
            return ()
    elif (exact == version) if exact is not None else fits(item.expected, version):
        return ()
    if exact is not None and exact != version and (first := _repeat(streams, draft, item, exact)):
        return first
    raise ConcurrencyError(item.stream_id, item.expected, 0 if gone else version)


def _repeat(streams: Streams, draft: Draft, item: PreparedAppend, after: int) -> Sequence[Row]:
    end = after + len(item.events)
    around = streams.span(item.stream_id, max(after - 1, 0), end + 1, draft)
    before = around[0] if around and around[0].version == after else None
    beyond = around[-1] if around and around[-1].version == end + 1 else None
    stored = [row for row in around if after < row.version <= end]
    return stored if is_repeat(item, before, stored, beyond) else ()
