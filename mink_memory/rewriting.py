"""Changing what was stored, for privacy operations alone. Every method is called under the log's lock."""

from __future__ import annotations

from operator import setitem
from typing import TYPE_CHECKING

from mink_core.stream_state import UNMARKED, StreamState
from mink_memory.holes import is_hole

if TYPE_CHECKING:
    from uuid import UUID

    from mink_memory.at_once import Step
    from mink_memory.feed import Feed
    from mink_memory.rows import Row
    from mink_memory.streams import Streams


class Rewriter:
    """What is to become of a stream's committed rows and marks; nothing is changed before its `steps` are made."""

    def __init__(self, stream_id: str, streams: Streams, feed: Feed) -> None:
        """Made by the log."""
        self.stream_id = stream_id
        self._streams = streams
        self._feed = feed
        self._state: StreamState | None = None
        self._rows: list[tuple[Row, Row]] = []

    @property
    def rows(self) -> list[Row]:
        """The stream's rows, hidden ones and holes too."""
        return self._streams.rows.get(self.stream_id, [])

    @property
    def state(self) -> StreamState:
        """The stream's marks."""
        return self._streams.states.get(self.stream_id, UNMARKED)

    def mark(self, state: StreamState) -> None:
        """Give the stream other marks."""
        self._state = state

    def rewrite(self, old: Row, new: Row) -> None:
        """Put a row in the place of another one, in its stream and in the feed; readers go by position."""
        self._rows.append((old, new))

    def steps(self) -> list[Step]:
        """The steps that do all of it. The stream must not have changed meanwhile; the feed may have."""
        streams, new = self._streams, [row for _, row in self._rows]
        steps = self._feed.rewriting(new)
        steps += [(setitem, self.rows, row.version - 1, row) for row in new]
        if (
            streams.unique
        ):  # by dictionaries, which keep the hashes of their keys: those of a UUID are computed in Python
            ids: dict[UUID, Row] = {old.event_id: row for old, row in self._rows}
            steps += [(streams.ids.update, ids), (streams.purged.update, {k: v for k, v in ids.items() if is_hole(v)})]
        if self._state is not None:
            steps.append((setitem, streams.states, self.stream_id, self._state))
        return steps
