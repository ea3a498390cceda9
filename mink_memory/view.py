"""Reading a log, for both facades: checks first, then pages, decoded outside of the lock.

What takes several pages is an iterator of pages. The arguments are checked by the call; the
store's or the transaction's end is noticed at each page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mink_core.direction import Direction
from mink_core.events import Page, StoredEvent
from mink_core.limits import check_stream_id
from mink_core.matching import predicate_of
from mink_core.runtime.checks import check_feed, check_poll, check_read_stream, check_streams
from mink_core.transforms import apply_incoming
from mink_memory.holes import is_hole
from mink_memory.rows import event_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mink_core.events import StoreIdentity, StreamInfo
    from mink_core.filters import EventFilter
    from mink_memory.handle import Handle
    from mink_memory.open_transaction import OpenTransaction
    from mink_memory.rows import Row

_PAGE = 500
_SCAN = 10_000
"""So many rows a poll looks at, at most, whatever its filter leaves out."""
_NO_LIMIT = 2**63


class View:
    """The log as a store sees it, or as one of its transactions does."""

    def __init__(self, handle: Handle[Any], transaction: OpenTransaction | None = None) -> None:
        """Look through a store's handle; with a transaction, at its uncommitted rows too."""
        self._handle = handle
        self._log = handle.log
        self._transaction = transaction
        self.decode: Callable[[Row], StoredEvent] = self._transformed if handle.transforms else event_of
        """Make the event of a row."""

    def check(self) -> None:
        """Refuse when the transaction or the store has ended.

        Raises:
            StoreClosedError: It has.
        """
        if self._transaction is not None:
            self._transaction.check_open()
        self._handle.check_open()

    def _transformed(self, row: Row) -> StoredEvent:
        return apply_incoming(self._handle.transforms, event_of(row))

    def stream_pages(
        self, stream_id: str, after_version: int, limit: int | None, direction: Direction
    ) -> Iterator[list[Row]]:
        """See `EventLog.read_stream`."""
        self.check()
        check_read_stream(stream_id, after_version, limit, direction)
        left = _NO_LIMIT if limit is None else limit
        if direction is Direction.FORWARD:
            return self._stream_forward(stream_id, after_version, left)
        return self._stream_backward(stream_id, after_version, left)

    def _stream_forward(self, stream_id: str, after: int, left: int) -> Iterator[list[Row]]:
        after = max(after, self._log.hidden_version(stream_id))
        while left:
            self.check()
            full = min(left, _PAGE)
            rows = self._log.span(stream_id, after, after + full, self._transaction)
            found = self._present(rows)
            yield found
            if len(rows) < full:
                return
            after += full
            left -= len(found)

    def _present(self, rows: list[Row]) -> list[Row]:
        # Asked once the rows were taken: a purge between two pages, or beside this call, says so before it makes holes.
        return [row for row in rows if not is_hole(row)] if self._log.has_holes else rows

    def _stream_backward(self, stream_id: str, after: int, left: int) -> Iterator[list[Row]]:
        self.check()
        after = max(after, self._log.hidden_version(stream_id))
        top = self._log.version(stream_id, self._transaction)
        while left and top > after:
            self.check()
            bottom = max(after, top - min(left, _PAGE))
            found = self._present(self._log.span(stream_id, bottom, top, self._transaction))
            yield found[::-1]
            left -= len(found)
            top = bottom

    def feed_pages(
        self,
        after_position: int,
        limit: int | None,
        where: EventFilter,
        direction: Direction,
        identity: StoreIdentity | None,
    ) -> Iterator[list[Row]]:
        """See `EventLog.read_all`; the mark is taken here, by the call."""
        self.check()
        check_feed(after_position, limit, where, identity, direction)
        start, end = self._log.feed_bounds(after_position, identity)
        return self._feed_pages(start, end, _NO_LIMIT if limit is None else limit, where, direction)

    def _feed_pages(
        self, start: int, end: int, left: int, where: EventFilter, direction: Direction
    ) -> Iterator[list[Row]]:
        passes = predicate_of(where)
        while left and start < end:
            self.check()
            if direction is Direction.FORWARD:
                rows = self._log.feed_page(start, min(start + _PAGE, end))
                start += len(rows)
            else:
                rows = self._log.feed_page(max(end - _PAGE, start), end)[::-1]
                end -= len(rows)
            found = self._present(rows)
            if passes:
                found = [row for row in found if passes(row)]
            yield found[:left]
            left -= min(left, len(found))

    def poll(self, after_position: int, limit: int, where: EventFilter, identity: StoreIdentity | None) -> Page:
        """See `EventLog.poll`."""
        self.check()
        check_poll(after_position, limit, where, identity)
        start, end = self._log.feed_bounds(after_position, identity)
        end = min(end, start + _SCAN)
        passes = predicate_of(where)
        if passes is None and not self._log.has_holes:
            rows = self._log.feed_page(start, min(end, start + limit))
            next_position = rows[-1].global_position if rows else after_position
            return Page([*map(self.decode, self._present(rows))], next_position)
        rows, scanned = self._scan(start, end, limit, passes)
        if self._log.has_holes:  # never above the newest event: what came after it was purged
            scanned = min(scanned, self._log.head_position())
        return Page([*map(self.decode, rows)], max(scanned, after_position))

    def _scan(self, start: int, end: int, limit: int, passes: Callable[[Row], bool] | None) -> tuple[list[Row], int]:
        found: list[Row] = []
        position = 0
        while limit and start < end:
            rows = self._log.feed_page(start, min(start + _PAGE, end))
            start += len(rows)
            for row in rows:
                position = row.global_position
                if (passes is None or passes(row)) and not is_hole(row):
                    found.append(row)
                    if len(found) == limit:
                        return found, position
        return found, position

    def version(self, stream_id: str) -> int:
        """A stream's version, 0 where there is none."""
        self.check()
        return self._log.version(stream_id, self._transaction)

    def has_erased(self, stream_id: str, version: int) -> bool:
        """See `StreamState.has_erased`; of a stream."""
        return self._log.has_erased(stream_id, version)

    def stream_info(self, stream_id: str) -> StreamInfo:
        """See `EventLog.stream_info`."""
        self.check()
        return self._log.stream_info(check_stream_id(stream_id), self._transaction)

    def info_pages(self, category: str | None, after: str | None, limit: int | None) -> Iterator[Sequence[StreamInfo]]:
        """See `EventLog.streams`."""
        self.check()
        check_streams(category, after, limit)
        return self._info_pages(category, after or "", _NO_LIMIT if limit is None else limit)

    def _info_pages(self, category: str | None, after: str, left: int) -> Iterator[Sequence[StreamInfo]]:
        while left:
            self.check()
            full = min(left, _PAGE)
            infos = self._log.stream_page(category, after, full, self._transaction)
            yield infos
            if len(infos) < full:
                return
            after = infos[-1].stream_id
            left -= full

    def head_position(self) -> int:
        """See `EventLog.head_position`."""
        self.check()
        return self._log.head_position()
