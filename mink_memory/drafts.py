"""What is not committed yet: the rows of an open transaction, and of a plain call for a moment."""

from __future__ import annotations

import time
from bisect import bisect_left
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from mink_core.errors import StorageError, StoreClosedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from uuid import UUID

    from mink_memory.locks import Key, Turn
    from mink_memory.records import RecordKey
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


class OpenTransaction(Draft):
    """A transaction as the log knows it. All but the constants change under the log's lock only."""

    __slots__ = ("began", "doing", "end_reason", "failure", "held", "since", "turns")

    def __init__(self, since: datetime, doing: str) -> None:
        """Begin; nothing is locked or held back before the first append.

        Args:
            since: When it began, by the store's clock.
            doing: Whose it is, as told to those who wait for it.
        """
        super().__init__()
        self.since = since
        self.began = time.monotonic()
        self.doing = doing
        self.held: list[Key] = []
        self.turns: set[Turn] = set()
        self.end_reason: str | None = None
        self.failure: BaseException | None = None

    @property
    def first_position(self) -> int:
        """The first position it was given; only for one that has appended."""
        return self.rows[0].global_position

    @property
    def seconds(self) -> float:
        """How long it has been open."""
        return time.monotonic() - self.began

    def check_open(self) -> None:
        """Refuse the use, and the commit, of a transaction that has ended.

        Raises:
            StorageError: A `StorageError` or an interrupted wait ended it (TX-03), though its block went on.
            StoreClosedError: Its block or its store has ended.
        """
        if self.end_reason is None:
            return
        if self.failure is not None:
            msg = f"the transaction was ended by an earlier error, and nothing of it is stored: {self.failure!r}"
            raise StorageError(msg) from self.failure
        msg = f"the transaction {self.end_reason}; nothing was stored by this call: begin a new one"
        raise StoreClosedError(msg)
