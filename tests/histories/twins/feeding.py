"""Feeds that skip, stall or show too much."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mink_core import Page
from tests.histories.twins.base import Wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator


class PlainCursor(Wrapped):
    """FEED-01: a poll shows whatever is committed, and moves past positions that commit later."""

    def committed(self) -> list[Any]:
        log = self.inner._handle.log
        with log._lock:
            return sorted(
                (row for rows in log._streams.rows.values() for row in rows), key=lambda row: row.global_position
            )

    def poll(self, after_position: int, *, limit: int = 100, **options: Any) -> Page:
        where = options.get("where")
        only = where.stream_ids if where else ()
        rows = [row for row in self.committed() if row.global_position > after_position][:limit]
        events = [self.inner._view.decode(row) for row in rows if not only or row.stream_id in only]
        return Page(events, rows[-1].global_position if rows else after_position)

    def subscribe(self, **options: Any) -> Any:
        subscription = self.inner.subscribe(**options)
        subscription._log = self
        return subscription


class GapTimeout(PlainCursor):
    """FEED-01: a gap is waited for, but only for two milliseconds."""

    def poll(self, after_position: int, *, limit: int = 100, **options: Any) -> Page:
        until = time.monotonic() + 0.002
        while time.monotonic() < until:
            page = self.inner.poll(after_position, limit=limit, **options)
            if page.events or not self.inner.feed_status().holders:
                return page  # type: ignore[no-any-return]
            time.sleep(0.0005)
        return super().poll(after_position, limit=limit, **options)


class HeadAbove(PlainCursor):
    """FEED-05: the head is the newest committed event, whoever is still in flight below it."""

    def poll(self, after_position: int, **options: Any) -> Page:
        return self.inner.poll(after_position, **options)  # type: ignore[no-any-return]

    def head_position(self) -> int:
        rows = self.committed()
        return rows[-1].global_position if rows else 0


class SkipsPageEnd(Wrapped):
    """FEED-06: a full page says to go on behind the newest event."""

    def poll(self, after_position: int, **options: Any) -> Page:
        page = self.inner.poll(after_position, **options)
        return Page(page.events, max(page.next_position, self.inner.head_position()))


class WaitsForIdle(Wrapped):
    """FEED-04: the feed waits for every open transaction, whether it has appended or not."""

    def poll(self, after_position: int, **options: Any) -> Page:
        if _open_on(self.inner):
            return Page([], after_position)
        return self.inner.poll(after_position, **options)  # type: ignore[no-any-return]

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        opened = _open_on(self.inner)
        opened.append(1)
        try:
            with self.inner.transaction() as tx:
                yield tx
        finally:
            opened.pop()


_opened: dict[int, list[int]] = {}


def _open_on(store: Any) -> list[int]:
    return _opened.setdefault(id(store._handle.log), [])
