"""Feeds that skip, reorder, or show what is not settled."""

from __future__ import annotations

import itertools
import threading
import time
from contextlib import contextmanager
from typing import Any

from msgspec.structs import replace

from conformance_tests.zoo.member import breaks
from conformance_tests.zoo.wrapped import Shared, Wrapped, passes
from mink_core import Capability, Direction, EventFilter, Page, StoredEvent
from mink_core.adapter import EVERYTHING

TRANSACTIONS = [Capability.TRANSACTIONS]


class OwnFeed(Wrapped):
    """Makes the feed of the committed events, which the streams show at once; members say in what way."""

    def committed(self) -> list[StoredEvent]:
        """Every committed event, in position order."""
        found: list[StoredEvent] = []
        for info in self.store.streams():
            found.extend(self.store.read_stream(info.stream_id))
        return sorted(found, key=lambda event: event.global_position)

    def shown(self, after: int) -> list[StoredEvent]:
        """The events above a position that the feed shows now, in its order."""
        return [event for event in self.committed() if event.global_position > after]

    def poll(
        self, after_position: int, *, limit: int = 100, where: EventFilter = EVERYTHING, identity: Any = None
    ) -> Any:
        self.store.poll(after_position, limit=limit, where=where, identity=identity)
        events: list[StoredEvent] = []
        position = after_position
        for event in self.shown(after_position):
            if len(events) == limit:
                break
            position = event.global_position
            if passes(where, event):
                events.append(event)
        return Page(events, position)

    def read_all(self, *, after_position: int = 0, limit: int | None = None, where: EventFilter = EVERYTHING,
                 direction: Direction = Direction.FORWARD, identity: Any = None) -> Any:  # fmt: skip
        self.store.read_all(
            after_position=after_position, limit=limit, where=where, direction=direction, identity=identity
        )
        events = [event for event in self.shown(after_position) if passes(where, event)]
        return iter((events if direction is Direction.FORWARD else events[::-1])[:limit])

    def head_position(self) -> int:
        self.store.head_position()
        shown = self.shown(0)
        return shown[-1].global_position if shown else 0


@breaks("FEED-01", needs=TRANSACTIONS)
class PlainPolling(OwnFeed):
    """Polls `WHERE global_position > $1`: walks past positions that commit later."""


@breaks("FEED-01", needs=TRANSACTIONS)
class WaitsForGapsBriefly(OwnFeed):
    """Waits 50 ms for a missing position, then takes it for dead."""

    def shown(self, after: int) -> list[StoredEvent]:
        with self.shared.lock:
            missing, last = self.shared.facts, 0
            found: list[StoredEvent] = []
            for event in self.committed():
                for gap in range(last + 1, event.global_position):
                    if time.monotonic() - missing.setdefault(gap, time.monotonic()) < 0.05:  # noqa: PLR2004 -- seconds
                        return [event for event in found if event.global_position > after]
                last = event.global_position
                found.append(event)
            return [event for event in found if event.global_position > after]


class _Numbered(OwnFeed):
    """Gives each transaction an id when it first writes, as PostgreSQL does, and remembers whose an event is."""

    def __init__(self, store: Any, shared: Shared, *, inside: bool = False) -> None:
        super().__init__(store, shared, inside=inside)
        with shared.lock:
            self.numbers: itertools.count[int] = shared.facts.setdefault("numbers", itertools.count(1))
            self.open: set[int] = shared.facts.setdefault("open", set())
            self.owner: dict[Any, int] = shared.facts.setdefault("owner", {})
        self.number = 0

    def _take_number(self) -> int:
        with self.shared.lock:
            number = next(self.numbers)
            self.open.add(number)
            return number

    @contextmanager
    def _transaction(self, transaction: Any) -> Any:
        inner = type(self)(None, self.shared, inside=True)
        try:
            with transaction as opened:
                inner.store = opened
                yield inner
        finally:
            self.open.discard(inner.number)

    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        if self.inside:
            self.number = self.number or self._take_number()
            return self._append(self.number, stream_id, events, expected_version)
        number = self._take_number()
        try:
            time.sleep(0)  # between the lock of the stream's row and the sequence
            return self._append(number, stream_id, events, expected_version)
        finally:
            self.open.discard(number)

    def _append(self, number: int, stream_id: str, events: Any, expected_version: Any) -> Any:
        events = list(events)
        self.owner.update((getattr(event, "event_id", None), number) for event in events)
        return self.store.append(stream_id, events, expected_version=expected_version)


@breaks("FEED-01", needs=TRANSACTIONS)
class BelowTheOldestTransaction(_Numbered):
    """Shows events of transactions older than the oldest open one (`age(xmin)`), by position."""

    def shown(self, after: int) -> list[StoredEvent]:
        with self.shared.lock:
            oldest = min(self.open, default=2**62)
        return [event for event in super().shown(after) if self.owner.get(event.event_id, 0) < oldest]


@breaks("FEED-02", needs=TRANSACTIONS)
class ByTransactionThenPosition(_Numbered):
    """Orders the feed by (transaction id, position): one that began early comes before what it followed."""

    def __init__(self, store: Any, shared: Shared, *, inside: bool = False) -> None:
        super().__init__(store, shared, inside=inside)
        if inside:
            self.number = self._take_number()  # it wrote something else first

    def committed(self) -> list[StoredEvent]:
        with self.shared.lock:
            oldest = min(self.open, default=2**62)
            settled = [event for event in super().committed() if self.owner.get(event.event_id, 0) < oldest]
        settled.sort(key=lambda event: (self.owner.get(event.event_id, 0), event.global_position))
        return settled

    def shown(self, after: int) -> list[StoredEvent]:
        # A cursor is a position here; where it stands in this order is found by looking.
        events = self.committed()
        places = [place for place, event in enumerate(events) if event.global_position == after]
        return events[places[0] + 1 :] if places else events


@breaks("FEED-01")
class NoMark(Wrapped):
    """`read_all` has no mark: under load it goes on to events that were not there when it began."""

    def read_all(self, **arguments: Any) -> Any:
        first = self.store.read_all(**arguments)
        if arguments.get("direction", Direction.FORWARD) is Direction.BACKWARD or arguments.get("limit") is not None:
            return first
        return self._endless(first, arguments)

    def _endless(self, events: Any, arguments: dict[str, Any]) -> Any:
        while True:
            last = None
            for last in events:
                yield last
            if last is None:
                return
            events = self.store.read_all(**{**arguments, "after_position": last.global_position})


@breaks("FEED-01", needs=[Capability.BACKWARDS, *TRANSACTIONS])
class BackwardWithoutMark(OwnFeed):
    """Backwards starts at the newest committed event, also where the feed does not show it yet."""

    def read_all(self, **arguments: Any) -> Any:
        events = self.store.read_all(**arguments)
        return super().read_all(**arguments) if arguments.get("direction") is Direction.BACKWARD else events

    def poll(self, after_position: int, **arguments: Any) -> Any:
        return self.store.poll(after_position, **arguments)

    def head_position(self) -> int:
        return int(self.store.head_position())


@breaks("FEED-09", needs=TRANSACTIONS)
class ShowsItsOwn(Wrapped):
    """Inside a transaction, the feed shows its own events."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        result = self.store.append(stream_id, events, expected_version=expected_version)
        self.own = [*getattr(self, "own", ()), result]
        return result

    def poll(self, after_position: int, **arguments: Any) -> Any:
        page = self.store.poll(after_position, **arguments)
        if not self.inside or page.events or arguments.get("where", EVERYTHING) != EVERYTHING:
            return page
        found = [
            event
            for result in getattr(self, "own", ())
            for event in self.store.read_stream(result.stream_id, after_version=result.first_version - 1)
            if event.global_position > after_position
        ]
        return Page(found, found[-1].global_position) if found else page


@breaks("FEED-02", needs=[Capability.SUBSCRIBE])
class BlocksOfPositions(OwnFeed):
    """Each handle takes positions from a block of its own, as a sequence with CACHE does."""

    _numbers = itertools.count(1)
    _guard = threading.Lock()

    def __init__(self, store: Any, shared: Shared, *, inside: bool = False) -> None:
        super().__init__(store, shared, inside=inside)
        with shared.lock:
            self.block = shared.facts.setdefault("blocks", itertools.count(0))
            self.given: dict[Any, int] = shared.facts.setdefault("given", {})
            self.next = next(self.block) * 1000 + 1

    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        result = self.store.append(stream_id, events, expected_version=expected_version)
        for number in range(len(result.event_ids)):
            self.given.setdefault((stream_id, result.first_version + number), self.next)
            self.next += 1
        first = self.given[stream_id, result.first_version]
        return replace(result, first_position=first, last_position=self.given[stream_id, result.last_version])

    def _moved(self, event: StoredEvent) -> StoredEvent:
        key = event.stream_id, event.version
        return replace(event, global_position=self.given.get(key, event.global_position))

    def read_stream(self, stream_id: str, **arguments: Any) -> Any:
        return map(self._moved, self.store.read_stream(stream_id, **arguments))

    def committed(self) -> list[StoredEvent]:
        return sorted(map(self._moved, super().committed()), key=lambda event: event.global_position)

    def poll(self, after_position: int, **arguments: Any) -> Any:
        self.store.poll(min(after_position, self.store.feed_status().high), **{**arguments, "limit": 1})
        where, limit = arguments.get("where", EVERYTHING), arguments.get("limit", 100)
        events = [event for event in self.shown(after_position) if passes(where, event)][:limit]
        return Page(events, events[-1].global_position if events else after_position)

    def read_all(self, **arguments: Any) -> Any:
        after = arguments.get("after_position", 0)
        arguments["after_position"] = min(after, self.store.feed_status().high)
        return (event for event in super().read_all(**arguments) if event.global_position > after)
