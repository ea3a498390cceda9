"""Feeds that wait for what delays nobody, or do not say who holds them back."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any

from msgspec.structs import replace

from conformance_tests.zoo.member import breaks
from conformance_tests.zoo.members.skipping import TRANSACTIONS, OwnFeed
from conformance_tests.zoo.wrapped import Wrapped
from mink_core import Page, StoredEvent


class _Counting(Wrapped):
    """Knows how many transactions are open."""

    @contextmanager
    def _transaction(self, transaction: Any) -> Any:
        with self.shared.lock:
            mark = self.shared.facts.setdefault("open", {})
            key = object()
            mark[key] = self.store.head_position()
        try:
            with super()._transaction(transaction) as inner:
                yield inner
        finally:
            del mark[key]


@breaks("FEED-03", "READ-06", needs=TRANSACTIONS)
class WaitsForGaps(OwnFeed):
    """Shows positions only without a gap: one rolled-back append stops the feed for ever."""

    def shown(self, after: int) -> list[StoredEvent]:
        found: list[StoredEvent] = []
        for event in self.committed():
            if event.global_position != len(found) + 1:
                break
            found.append(event)
        return [event for event in found if event.global_position > after]


@breaks("FEED-04", needs=TRANSACTIONS)
class StallsOnOpenTransactions(_Counting):
    """Any open transaction holds the feed back, whether it has appended or not."""

    def poll(self, after_position: int, **arguments: Any) -> Any:
        page = self.store.poll(after_position, **arguments)
        mark = min(list(self.shared.facts.get("open", {}).values()), default=2**62)
        if page.next_position <= mark:
            return page
        events = [event for event in page.events if event.global_position <= mark]
        return Page(events, events[-1].global_position if events else after_position)


@breaks("FEED-07", "FEED-01", needs=TRANSACTIONS)
class HoldsEverythingBack(OwnFeed):
    """While a transaction has appended, the feed shows nothing new at all, not even below its first append."""

    def poll(self, after_position: int, **arguments: Any) -> Any:
        page = self.store.poll(after_position, **arguments)
        return Page([], after_position) if self.store.feed_status().holders else page

    def read_all(self, **arguments: Any) -> Any:
        return self.store.read_all(**arguments)

    def head_position(self) -> int:
        return int(self.store.head_position())


@breaks("FEED-07", needs=TRANSACTIONS)
class NamesNoHolder(Wrapped):
    """Does not tell who holds the feed back."""

    def feed_status(self) -> Any:
        return replace(self.store.feed_status(), holders=())
