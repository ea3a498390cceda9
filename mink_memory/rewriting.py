"""Changing what was stored, for privacy operations alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mink_core.stream_state import StreamState
    from mink_memory.rows import Row


class Rewriter:
    """What is to become of a stream's committed rows and marks. Nothing is changed before the log makes its steps of it."""

    def __init__(self, rows: Sequence[Row], state: StreamState) -> None:
        """Made by the log.

        Args:
            rows: The stream's rows, hidden ones and holes too.
            state: The stream's marks.
        """
        self.rows = rows
        self.state = state
        self.rewritten: list[tuple[Row, Row]] = []
        """Rows, each with the one that takes its place."""
        self.marked: StreamState | None = None
        """The stream's marks from now on, None where they stay."""

    def mark(self, state: StreamState) -> None:
        """Give the stream other marks."""
        self.marked = state

    def rewrite(self, old: Row, new: Row) -> None:
        """Put a row in the place of another one, in its stream and in the feed; readers go by position."""
        self.rewritten.append((old, new))
