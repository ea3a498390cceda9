"""Batches that are not one call."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from conformance_tests.zoo.expecting import number_of, version_of
from conformance_tests.zoo.member import breaks
from conformance_tests.zoo.wrapped import Wrapped
from mink_core import (
    Capability,
    ConcurrencyError,
    NewEvent,
    StreamAppend,
)


@breaks("APPEND-11", "APPEND-01", needs=[Capability.APPEND_BATCH])
class BatchItemByItem(Wrapped):
    """Stores a batch item by item: an error in the middle leaves the items before it."""

    def append_batch(self, items: Any) -> Any:
        items = list(items)
        if len(items) <= 1:
            return self.store.append_batch(items)
        return [result for item in items for result in self.store.append_batch([item])]


@breaks("APPEND-11", needs=[Capability.APPEND_BATCH])
class BatchInStreamOrder(Wrapped):
    """Gives positions in the order of stream ids, not of the call."""

    def append_batch(self, items: Any) -> Any:
        items = list(items)
        if not all(hasattr(item, "stream_id") and type(item.stream_id) is str for item in items):
            return self.store.append_batch(items)
        order = sorted(range(len(items)), key=lambda index: items[index].stream_id)
        results = self.store.append_batch([items[index] for index in order])
        placed = dict(zip(order, results, strict=True))
        return [placed[index] for index in range(len(items))]


@breaks("APPEND-11", needs=[Capability.APPEND_BATCH])
class BatchChecksFirst(Wrapped):
    """Checks every item against the stream as it was: one named twice conflicts with itself."""

    def append_batch(self, items: Any) -> Any:
        items = list(items)
        named: set[str] = set()
        for item in items:
            wanted = number_of(getattr(item, "expected_version", None))
            if wanted and item.stream_id in named and wanted != version_of(self.store, item.stream_id):
                raise ConcurrencyError(item.stream_id, wanted, version_of(self.store, item.stream_id))
            named.add(getattr(item, "stream_id", ""))
        return self.store.append_batch(items)


@breaks("APPEND-07", needs=[Capability.APPEND_BATCH])
class EqualIdsInABatch(Wrapped):
    """Looks for equal ids in each item of a batch by itself."""

    def append_batch(self, items: Any) -> Any:
        seen: set[Any] = set()
        given = []
        for item in items:
            if isinstance(item, StreamAppend) and isinstance(item.events, (list, tuple)):
                events = [
                    replace(event, event_id=None) if isinstance(event, NewEvent) and event.event_id in seen else event
                    for event in item.events
                ]
                seen |= {event.event_id for event in item.events if isinstance(event, NewEvent)}
                item = replace(item, events=events)  # noqa: PLW2901 -- the one to send
            given.append(item)
        return self.store.append_batch(given)
