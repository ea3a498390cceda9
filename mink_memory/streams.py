"""The streams of a log: committed rows, and with them those of one writer's own draft.

Every method is called under the log's lock.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from operator import setitem
from typing import TYPE_CHECKING

from msgspec.structs import replace

from mink_core.errors import StreamNotFoundError
from mink_core.events import StreamInfo
from mink_core.limits import category_of
from mink_memory.holes import is_hole

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from uuid import UUID

    from mink_core.stream_state import StreamState
    from mink_memory.at_once import Step
    from mink_memory.drafts import Draft
    from mink_memory.rewriting import Rewriter
    from mink_memory.rows import Row

_AFTER_DASH = "."
"""The code point after `-`."""


class Streams:
    """Rows by stream, in version order: the row of version v is at index v - 1."""

    __slots__ = ("_sorted_names", "ids", "new_names", "purged", "rows", "states", "unique")

    def __init__(self, *, unique: bool) -> None:
        self.unique = unique
        """Whether event ids are stored once only, and `ids` is kept."""
        self.rows: dict[str, list[Row]] = {}
        self.ids: dict[UUID, Row] = {}
        """By event id. What was purged is a hole, and counts as missing."""
        self.purged: dict[UUID, Row] = {}
        """The holes of `ids`, until they are swept."""
        self.states: dict[str, StreamState] = {}
        """Of the streams that a privacy operation has marked."""
        self._sorted_names: list[str] = []
        self.new_names: list[str] = []
        """Of streams that are not sorted in yet."""

    def publishing(self, draft: Draft) -> list[Step]:
        """The steps that add what is committed of a draft."""
        steps: list[Step] = [(self.ids.update, draft.ids)]
        for stream_id, own in draft.pending.items():
            if (rows := self.rows.get(stream_id)) is None:
                steps += [(setitem, self.rows, stream_id, own), (self.new_names.append, stream_id)]
            else:
                steps.append((rows.extend, own))
            if (state := self.states.get(stream_id)) is not None:
                steps.append((setitem, self.states, stream_id, replace(state, deleted_at=None)))
        return steps

    def rewriting(self, stream_id: str, rewriter: Rewriter) -> list[Step]:
        """The steps that change a stream as a rewriter says. It must not have changed since that was made."""
        steps: list[Step] = [(setitem, self.rows[stream_id], row.version - 1, row) for _, row in rewriter.rewritten]
        if self.unique:  # by dictionaries, which keep the hashes of their keys: a UUID's is computed in Python
            ids = {old.event_id: row for old, row in rewriter.rewritten}
            steps += [(self.ids.update, ids), (self.purged.update, {k: v for k, v in ids.items() if is_hole(v)})]
        if rewriter.marked is not None:
            steps.append((setitem, self.states, stream_id, rewriter.marked))
        return steps

    def find(self, event_id: UUID) -> Row | None:
        """The committed row with an event id; only where these are unique."""
        row = self.ids.get(event_id)
        return None if row is None or is_hole(row) else row

    def sweep(self) -> None:
        """Let go of the ids of what was purged. Whatever interrupts it is made good by the next."""
        for event_id in tuple(self.purged):
            if (row := self.ids.get(event_id)) is not None and is_hole(row):
                del self.ids[event_id]
        self.purged = {}

    def version(self, stream_id: str, draft: Draft | None) -> int:
        """The version of a stream, 0 where there is none."""
        own = draft.pending.get(stream_id) if draft is not None else None
        rows = own or self.rows.get(stream_id)
        return rows[-1].version if rows else 0

    def span(self, stream_id: str, start: int, end: int, draft: Draft | None) -> list[Row]:
        """The rows of versions above `start`, up to `end`."""
        rows: Sequence[Row] = self.rows.get(stream_id, ())
        found = list(rows[start:end])
        if draft is not None and (own := draft.pending.get(stream_id)):
            size = len(rows)
            found.extend(own[max(start - size, 0) : max(end - size, 0)])
        return found

    def info(self, stream_id: str, draft: Draft | None) -> StreamInfo:
        """What is known of a stream.

        Raises:
            StreamNotFoundError: It does not exist.
        """
        rows = self.rows.get(stream_id)
        own = draft.pending.get(stream_id) if draft is not None else None
        first, last = rows or own, own or rows
        if not first or not last:
            raise StreamNotFoundError(stream_id)
        newest = last[-1]
        state = None if own else self.states.get(stream_id)
        return StreamInfo(
            stream_id,
            category_of(stream_id),
            newest.version,
            first[0].timestamp,
            newest.timestamp,
            state.deleted_at if state else None,
        )

    def page(self, category: str | None, after: str, limit: int, draft: Draft | None) -> list[StreamInfo]:
        """The first streams after `after`, in code point order, which is how str compares."""
        names = self._names(category, after, limit)
        if draft is not None:
            own = [name for name in draft.pending if name > after and name not in self.rows and _is_of(name, category)]
            names = sorted([*names, *own])[:limit]
        return [self.info(name, draft) for name in names]

    def _names(self, category: str | None, after: str, limit: int) -> list[str]:
        if self.new_names:
            # A sort of a long sorted run and a short tail is a merge. No call stands between the two: see `at_once`.
            names: list[str] = []
            self._sorted_names, self.new_names = sorted(self._sorted_names + self.new_names), names
        return list(self._matching(category, after, limit))

    def _matching(self, category: str | None, after: str, limit: int) -> Iterator[str]:
        names = self._sorted_names
        start, end = bisect_right(names, after), len(names)
        if category is not None:
            start = max(start, bisect_left(names, category))
            end = bisect_left(names, category + _AFTER_DASH)
        for index in range(start, end):
            if not limit:
                return
            if _is_of(names[index], category):
                limit -= 1
                yield names[index]


def _is_of(name: str, category: str | None) -> bool:
    return category is None or category_of(name) == category
