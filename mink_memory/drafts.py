"""What is not committed yet: the rows of an open transaction, and of a plain call for a moment."""

from __future__ import annotations

from bisect import bisect_left
from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from mink_memory.keys import Key, RecordKey
    from mink_memory.rewriting import Rewriter
    from mink_memory.rows import Row


_position: Callable[[Row], int] = attrgetter("global_position")


class Draft:
    """Rows that only their writer sees."""

    __slots__ = ("ids", "pending", "records", "rewriters", "rows")

    def __init__(self) -> None:
        self.pending: dict[str, list[Row]] = {}
        """By stream, in version order: what follows the stream's committed rows."""
        self.rows: list[Row] = []
        """All of them, in position order."""
        self.ids: dict[UUID, Row] = {}
        """By event id; kept where the log has unique event ids."""
        self.records: dict[RecordKey, Any] = {}
        """What its sub-stores have put or dropped."""
        self.rewriters: dict[str, Rewriter] = {}
        """By stream, what a privacy operation will do to what is stored."""

    def add(self, rows: Sequence[Row], *, unique: bool) -> None:
        """Add one append's rows."""
        self.pending.setdefault(rows[0].stream_id, []).extend(rows)
        self.rows.extend(rows)
        if unique:
            self.ids.update((row.event_id, row) for row in rows)

    def undo(self, size: int) -> None:
        """Take back what was added since there were `size` rows."""
        while len(self.rows) > size:
            row = self.rows.pop()
            own = self.pending[row.stream_id]
            own.pop()
            if not own:
                del self.pending[row.stream_id]
            self.ids.pop(row.event_id, None)

    def has_row(self, position: int) -> bool:
        """Whether the row at a position is one of them."""
        index = bisect_left(self.rows, position, key=_position)
        return index < len(self.rows) and self.rows[index].global_position == position

    def clear(self) -> None:
        """Let go of the rows, which are published or dropped."""
        self.pending, self.rows, self.ids, self.records, self.rewriters = {}, [], {}, {}, {}

    def wrote(self, key: Key) -> bool:
        """Whether this stream, the row with this event id, or this record is changed by the draft."""
        return key in self.pending or key in self.ids or key in self.records or key in self.rewriters
