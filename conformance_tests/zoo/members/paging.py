"""Pages of the feed that end in the wrong place."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from conformance_tests.zoo.member import breaks
from conformance_tests.zoo.members.skipping import TRANSACTIONS, OwnFeed
from conformance_tests.zoo.wrapped import Wrapped, passes
from mink_core import EventFilter, Page
from mink_core.adapter import EVERYTHING


@breaks("FEED-05", needs=TRANSACTIONS)
class HeadIsTheNewest(OwnFeed):
    """Gives the newest committed position as the head, also where the feed does not show it yet."""

    def poll(self, after_position: int, **arguments: Any) -> Any:
        return self.store.poll(after_position, **arguments)

    def read_all(self, **arguments: Any) -> Any:
        return self.store.read_all(**arguments)


@breaks("FEED-05", needs=TRANSACTIONS)
class HeadIsTheHighest(Wrapped):
    """Gives the highest allocated position as the head, also where its append was rolled back."""

    def head_position(self) -> int:
        self.store.head_position()
        return int(self.store.feed_status().high)


@breaks("FEED-06")
class StuckOnFiltered(Wrapped):
    """`next_position` stays at the last matching event: what the filter leaves out is scanned again and again."""

    def poll(self, after_position: int, **arguments: Any) -> Any:
        page = self.store.poll(after_position, **arguments)
        return replace(page, next_position=page.events[-1].global_position if page.events else after_position)


@breaks("FEED-06", "FEED-01")
class EmptyPageJumps(Wrapped):
    """An empty page moves on by the page's size, as if positions had no holes."""

    def poll(self, after_position: int, *, limit: int = 100, **arguments: Any) -> Any:
        page = self.store.poll(after_position, limit=limit, **arguments)
        return page if page.events or page.next_position > after_position else replace(
            page, next_position=after_position + 1
        )  # fmt: skip


@breaks("FEED-06")
class NextIsTheMark(Wrapped):
    """Hands the mark out as a position: above the newest event, it may be allocated again after a crash."""

    def poll(self, after_position: int, **arguments: Any) -> Any:
        page = self.store.poll(after_position, **arguments)
        status = self.store.feed_status()
        return replace(page, next_position=status.mark) if page.next_position == status.head else page


@breaks("FEED-06")
class LosesTheLastOfAPage(Wrapped):
    """A full page moves on past one more event than it gave."""

    def poll(self, after_position: int, *, limit: int = 100, **arguments: Any) -> Any:
        page = self.store.poll(after_position, limit=limit, **arguments)
        full = limit > 1 and len(page.events) == limit
        return replace(page, events=page.events[:-1]) if full else page


@breaks("FEED-06")
class LimitBeforeFilter(Wrapped):
    """Takes `limit` events and then filters them, but moves on to the head."""

    def poll(self, after_position: int, *, limit: int = 100, where: EventFilter = EVERYTHING, **arguments: Any) -> Any:
        page = self.store.poll(after_position, limit=limit, where=where, **arguments)
        if where == EVERYTHING or not page.events:
            return page
        full = self.store.poll(after_position, limit=limit, **arguments)
        return Page([event for event in full.events if passes(where, event)], page.next_position)
