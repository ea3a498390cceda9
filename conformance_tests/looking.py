"""Looks at all that a store holds, so that a check can say that nothing of a call is left."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from conformance_tests.expect import equal, true
from mink_core import AppendResult

if TYPE_CHECKING:
    from collections.abc import Generator

    from mink_core import EventLog, StoredEvent, StreamInfo


@dataclass(frozen=True)
class Contents:
    """All that a store shows."""

    feed: list[StoredEvent]
    streams: list[StreamInfo]
    events: dict[str, list[StoredEvent]]
    head: int


def contents_of(store: EventLog) -> Contents:
    """Read everything, by every way."""
    streams = list(store.streams())
    events = {info.stream_id: list(store.read_stream(info.stream_id)) for info in streams}
    return Contents(list(store.read_all()), streams, events, store.head_position())


@contextmanager
def nothing_stored(store: EventLog, what: str = "a refused call") -> Generator[None]:
    """Expect the store to hold the same after the block as before it."""
    before = contents_of(store)
    yield
    after = contents_of(store)
    equal(told(after.feed), told(before.feed), f"the feed after {what}")
    equal(after.streams, before.streams, f"the streams after {what}")
    equal(after, before, f"all that is stored after {what}")


def paged(store: EventLog, after: int, limit: int, **more: Any) -> list[StoredEvent]:
    """The feed above a position, page by page to its end.

    `limit` is the most that a page may have: a store may end it sooner, and with a filter give none at all and
    move on.
    """
    got: list[StoredEvent] = []
    while True:
        page = store.poll(after, limit=limit, **more)
        what = f"the page after {after}, limit {limit}"
        true(len(page.events) <= limit, what, expected=f"{limit} events at most", seen=len(page.events))
        true(page.next_position >= after, f"next_position of {what}", expected="not below", seen=page.next_position)
        got += page.events
        if page.next_position == after:
            equal(told(list(page.events)), [], f"{what}, which does not move on")
            return got
        after = page.next_position


def told(events: list[StoredEvent]) -> list[str]:
    """Events in short, for a failure that people read."""
    return [f"{event.stream_id}@{event.version} #{event.global_position} {event.event_type}" for event in events]


def result_of(events: list[StoredEvent]) -> AppendResult:
    """The result of the append that stored these."""
    first, last = events[0], events[-1]
    return AppendResult(
        first.stream_id,
        first.version,
        last.version,
        first.global_position,
        last.global_position,
        tuple(event.event_id for event in events),
    )


def versions(store: EventLog, stream_id: str) -> list[int]:
    """The versions that a stream reads as."""
    return [event.version for event in store.read_stream(stream_id)]


def positions(events: Any) -> list[int]:
    """The positions of events."""
    return [event.global_position for event in events]
