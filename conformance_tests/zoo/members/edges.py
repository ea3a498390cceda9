"""Reads that lose something at the edge of a page, share one, or look late at what was asked."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from conformance_tests.zoo.member import breaks
from conformance_tests.zoo.wrapped import Wrapped

PAGE = 500


@breaks("READ-03", "READ-04")
class LosesAtThePagesEdge(Wrapped):
    """Reading a stream loses the first event of its second page."""

    def read_stream(self, stream_id: str, **arguments: Any) -> Any:
        events = self.store.read_stream(stream_id, **arguments)
        return (event for number, event in enumerate(events, 1) if number != PAGE + 1)


@breaks("READ-03", "READ-04", "FEED-06")
class FeedLosesAtThePagesEdge(Wrapped):
    """Reading the feed repeats the last event of its first page."""

    def read_all(self, **arguments: Any) -> Any:
        for number, event in enumerate(self.store.read_all(**arguments), 1):
            yield event
            if number == PAGE:
                yield event


@breaks("READ-08")
class OnePageForAll(Wrapped):
    """`poll` gives every reader the same objects."""

    def poll(self, after_position: int, **arguments: Any) -> Any:
        page = self.store.poll(after_position, **arguments)
        kept = self.shared.facts
        return replace(page, events=[kept.setdefault(event.global_position, event) for event in page.events])


@breaks("READ-03")
class ArgumentsCheckedLate(Wrapped):
    """Finds out that an argument is wrong when the first event is asked for."""

    def read_stream(self, stream_id: str, **arguments: Any) -> Any:
        yield from self.store.read_stream(stream_id, **arguments)
