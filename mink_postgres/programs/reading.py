"""Reads of streams, page by page: a page is one program, a reader knows which comes next."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Generic, TypeVar

from mink_core.direction import Direction
from mink_core.errors import StreamNotFoundError
from mink_postgres.query import Program, Query
from mink_postgres.rows import VERSION, incoming, stored_events, stream_info

if TYPE_CHECKING:
    from collections.abc import Callable

    from mink_core.events import StoredEvent, StreamInfo
    from mink_postgres.context import Context
    from mink_postgres.query import Rows

T = TypeVar("T")

PAGE = 1000
"""Rows read at a time: what a reader holds in memory."""
_END = 2**63 - 1


class Reader(ABC, Generic[T]):
    """A read in pages: `next_page` reads rows, `items` makes values of them.

    They are two steps so that the query of the page after next is on its way before this one is worked on.
    """

    readable: Callable[[T], T] | None = None
    """What is done to an item when it is handed out."""
    looks = False
    """Whether the next page rests on a look at the locks, and so must have one server for all of it."""

    def __init__(self, context: Context, limit: int | None) -> None:
        """Keep what all readers need."""
        self._context = context
        self._left = limit
        self._done = limit == 0

    def next_page(self) -> Program[Rows] | None:
        """The program that reads the next page, None when everything was read."""
        return None if self._done else self._page()

    @abstractmethod
    def items(self, rows: Rows) -> list[T]:
        """What the rows of a page stand for."""

    @abstractmethod
    def _page(self) -> Program[Rows]:
        """The program of the page that comes next. The reader moves on when its rows are there, not before."""

    def _size(self) -> int:
        return PAGE if self._left is None else min(PAGE, self._left)

    def _took(self, count: int, asked: int) -> None:
        """Count what a page gave; a short page is the last one."""
        if self._left is not None:
            self._left -= count
        if count < asked or self._left == 0:
            self._done = True


class StreamReader(Reader["StoredEvent"]):
    """One stream, by key."""

    def __init__(
        self, context: Context, stream_id: str, after_version: int, limit: int | None, direction: Direction
    ) -> None:
        """Start at one end of the stream."""
        super().__init__(context, limit)
        self.readable = incoming(context.transforms)
        self._stream_id = stream_id
        self._after = after_version
        self._before = _END
        self._forward = direction is Direction.FORWARD

    def items(self, rows: Rows) -> list[StoredEvent]:
        """The events of a page, as they are stored."""
        return stored_events(rows, ())

    def _page(self) -> Program[Rows]:
        sql, size = self._context.sql, self._size()
        if self._forward:
            query = Query(sql.read_stream_forward, (self._stream_id, self._after, size))
        else:
            query = Query(sql.read_stream_backward, (self._stream_id, self._after, self._before, size))
        rows = yield query
        if rows and self._forward:
            self._after = rows[-1][VERSION]
        elif rows:
            self._before = rows[-1][VERSION]
        self._took(len(rows), size)
        return rows


class StreamsReader(Reader["StreamInfo"]):
    """The list of streams, in code point order."""

    def __init__(self, context: Context, category: str | None, after: str | None, limit: int | None) -> None:
        """Start after `after`."""
        super().__init__(context, limit)
        self._category = category
        self._after = after or ""

    def items(self, rows: Rows) -> list[StreamInfo]:
        """The streams of a page."""
        return [stream_info(row) for row in rows]

    def _page(self) -> Program[Rows]:
        sql, size = self._context.sql, self._size()
        if self._category is None:
            rows = yield Query(sql.streams, (self._after, size))
        else:
            rows = yield Query(sql.streams_of_category, (self._after, size, self._category))
        if rows:
            self._after = rows[-1][0]
        self._took(len(rows), size)
        return rows


def read_info(context: Context, stream_id: str) -> Program[StreamInfo]:
    """What is known of one stream."""
    rows = yield Query(context.sql.stream_info, (stream_id,))
    if not rows:
        raise StreamNotFoundError(stream_id)
    return stream_info(rows[0])
