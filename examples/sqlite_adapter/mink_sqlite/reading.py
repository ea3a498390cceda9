"""Reading: arguments are checked by the call, then one page is read at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from mink_core import Direction, EventFilter, Page, PositionAheadError, StoredEvent, StoreIdentity, StreamNotFoundError
from mink_core.adapter import (
    EVERYTHING,
    EncodedEvent,
    check_feed,
    check_poll,
    check_read_stream,
    check_stream_id,
    check_streams,
    decode_event,
    predicate_of,
)
from mink_sqlite.rows import COLUMNS, encoded_event, stream_info
from mink_sqlite.staging import high_position

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

    from mink_core import EventTransform, StreamInfo
    from mink_sqlite.database import Database

PAGE = 500
"""Rows read at a time: what a reader holds in memory (READ-04)."""
SCAN = 10_000
"""Rows that one poll looks at, at most, whatever its filter leaves out."""
_END = 2**63 - 1


class SqliteReader:
    """Everything that reads; the store adds what writes."""

    _database: Database
    _transforms: Sequence[EventTransform]

    def read_stream(
        self,
        stream_id: str,
        *,
        after_version: int = 0,
        limit: int | None = None,
        direction: Direction = Direction.FORWARD,
    ) -> Iterator[StoredEvent]:
        """See `EventStore.read_stream`."""
        self._database.check_open()
        check_read_stream(stream_id, after_version, limit, direction)
        return self._stream_pages(stream_id, after_version, _END if limit is None else limit, direction)

    def _stream_pages(self, stream_id: str, low: int, left: int, direction: Direction) -> Iterator[StoredEvent]:
        forward, high = direction is Direction.FORWARD, _END
        while left:
            size = min(PAGE, left)
            rows = self._page(
                "stream_id = ? AND version > ? AND version < ?", "version", stream_id, low, high, size, forward=forward
            )
            yield from self._decoded(rows)
            if len(rows) < size:
                return
            left -= size
            if forward:
                low = rows[-1].version
            else:
                high = rows[-1].version

    def read_all(
        self,
        *,
        after_position: int = 0,
        limit: int | None = None,
        where: EventFilter = EVERYTHING,
        direction: Direction = Direction.FORWARD,
        identity: StoreIdentity | None = None,
    ) -> Iterator[StoredEvent]:
        """See `EventStore.read_all`."""
        self._database.check_open()
        check_feed(after_position, limit, where, identity, direction)
        # The mark is taken once, here: the read ends there, also under load (FEED-01).
        mark = self._mark(after_position, identity)
        return self._feed_pages(after_position, mark, _END if limit is None else limit, where, direction)

    def _feed_pages(
        self, low: int, mark: int, left: int, where: EventFilter, direction: Direction
    ) -> Iterator[StoredEvent]:
        forward, high, passes = direction is Direction.FORWARD, mark + 1, predicate_of(where)
        while left:
            rows = self._page(
                "global_position > ? AND global_position < ?", "global_position", low, high, PAGE, forward=forward
            )
            found = [row for row in rows if passes is None or passes(row)][:left]
            yield from self._decoded(found)
            if len(rows) < PAGE:
                return
            left -= len(found)
            if forward:
                low = rows[-1].global_position
            else:
                high = rows[-1].global_position

    def poll(
        self,
        after_position: int,
        *,
        limit: int = 100,
        where: EventFilter = EVERYTHING,
        identity: StoreIdentity | None = None,
    ) -> Page:
        """See `EventStore.poll`."""
        self._database.check_open()
        check_poll(after_position, limit, where, identity)
        self._mark(after_position, identity)
        found: list[EncodedEvent] = []
        position, looked, passes = after_position, 0, predicate_of(where)
        while len(found) < limit and looked < SCAN:
            rows = self._page("global_position > ?", "global_position", position, PAGE)
            for row in rows:
                position = row.global_position  # also over what the filter leaves out (FEED-06)
                if passes is None or passes(row):
                    found.append(row)
                    if len(found) == limit:
                        break
            looked += len(rows)
            if len(rows) < PAGE:
                break
        return Page(list(self._decoded(found)), position)

    def stream_info(self, stream_id: str) -> StreamInfo:
        """See `EventStore.stream_info`."""
        check_stream_id(stream_id)
        with self._database.reading() as connection:
            row = connection.execute("SELECT * FROM streams WHERE stream_id = ?", (stream_id,)).fetchone()
        if row is None:
            raise StreamNotFoundError(stream_id)
        return stream_info(row)

    def streams(
        self, *, category: str | None = None, after: str | None = None, limit: int | None = None
    ) -> Iterator[StreamInfo]:
        """See `EventStore.streams`."""
        self._database.check_open()
        check_streams(category, after, limit)
        return self._info_pages(category, after or "", _END if limit is None else limit)

    def _info_pages(self, category: str | None, after: str, left: int) -> Iterator[StreamInfo]:
        # SQLite compares TEXT byte by byte, and UTF-8 keeps the order of code points (READ-09).
        condition, values = ("category = ? AND ", (category,)) if category is not None else ("", ())
        while left:
            size = min(PAGE, left)
            with self._database.reading() as connection:
                rows = connection.execute(
                    f"SELECT * FROM streams WHERE {condition} stream_id > ? ORDER BY stream_id LIMIT ?",
                    (*values, after, size),
                ).fetchall()
            yield from map(stream_info, rows)
            if len(rows) < size:
                return
            after = rows[-1][0]
            left -= size

    def head_position(self) -> int:
        """See `EventStore.head_position`."""
        with self._database.reading() as connection:
            return head_position(connection)

    def _mark(self, position: int, identity: StoreIdentity | None) -> int:
        """How far the feed is; refuses a reader from another history (FEED-08)."""
        with self._database.reading() as connection:
            high = high_position(connection)
            if identity is not None and identity != (found := read_identity(connection)):
                raise PositionAheadError(position, high, f"position {position} is from {identity}, but this is {found}")
            if position > high:
                raise PositionAheadError(position, high)
            return high

    def _page(self, condition: str, column: str, *values: object, forward: bool = True) -> list[EncodedEvent]:
        order = "ASC" if forward else "DESC"
        with self._database.reading() as connection:
            rows = connection.execute(
                f"SELECT {COLUMNS} FROM events WHERE {condition} ORDER BY {column} {order} LIMIT ?", values
            ).fetchall()
        return [encoded_event(row) for row in rows]

    def _decoded(self, rows: Sequence[EncodedEvent]) -> Iterator[StoredEvent]:
        # One by one: of a page in which a transform cannot read an event, a reader has those before it (READ-04).
        return (decode_event(row, self._transforms) for row in rows)


def head_position(connection: sqlite3.Connection) -> int:
    """The newest event's position, 0 where there is none."""
    return int(connection.execute("SELECT coalesce(max(global_position), 0) FROM events").fetchone()[0])


def read_identity(connection: sqlite3.Connection) -> StoreIdentity:
    """Which history this file holds."""
    store, epoch = connection.execute("SELECT identity, epoch FROM store").fetchone()
    return StoreIdentity(UUID(store), epoch)
