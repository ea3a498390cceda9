"""Changing what was stored, for privacy operations alone. Every method is called under the log's lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mink_core.stream_state import UNMARKED, StreamState
from mink_memory.holes import is_hole

if TYPE_CHECKING:
    from mink_memory.feed import Feed
    from mink_memory.rows import Row
    from mink_memory.streams import Streams


class Rewriter:
    """The committed rows and marks of a log."""

    def __init__(self, streams: Streams, feed: Feed) -> None:
        """Made by the log."""
        self._streams = streams
        self._feed = feed

    def rows(self, stream_id: str) -> list[Row]:
        """A stream's rows, hidden ones and holes too."""
        return self._streams.rows.get(stream_id, [])

    def state(self, stream_id: str) -> StreamState:
        """A stream's marks."""
        return self._streams.states.get(stream_id, UNMARKED)

    def mark(self, stream_id: str, state: StreamState) -> None:
        """Change a stream's marks."""
        self._streams.states[stream_id] = state

    def rewrite(self, old: Row, new: Row) -> None:
        """Put a row in the place of another one, in its stream and in the feed; readers go by position."""
        self._streams.rows[old.stream_id][old.version - 1] = new
        self._feed.rewrite(new)
        if self._streams.unique:
            self._streams.ids.pop(old.event_id, None)
            if not is_hole(new):
                self._streams.ids[new.event_id] = new
