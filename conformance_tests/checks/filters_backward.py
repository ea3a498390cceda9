"""READ-05 and READ-03: what passes a filter backward is what passes it forward."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from conformance_tests.check import check
from conformance_tests.checks.filters import ANY, METADATA, STREAMS, TYPES
from conformance_tests.expect import equal
from conformance_tests.looking import told
from conformance_tests.matching import passes
from mink_core import Capability, Direction, EventFilter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from conformance_tests.lab import Lab
    from mink_core import EventLog


@check("READ-05", "READ-03", needs={Capability.BACKWARDS})
def filters_backward(lab: Lab) -> None:
    """A filtered feed backward is the filtered feed forward, reversed; its limit counts what passed."""
    store = lab.open()
    for number in range(30):
        kinds = [TYPES[(number + part) % 3] for part in range(2)]
        store.append(STREAMS[number % 5], [lab.event(None, event_type=kind) for kind in kinds], expected_version=ANY)
    filters = (
        EventFilter(event_types=("Placed",)),
        EventFilter(categories=("order",), event_types=("placed", "Place")),
        EventFilter(stream_ids=("order-1",)),
        EventFilter(stream_ids=("missing",)),
    )
    _expect_reversed(store, filters)


@check("READ-05", "READ-03", needs={Capability.BACKWARDS, Capability.METADATA_FILTER})
def filters_by_metadata_backward(lab: Lab) -> None:
    """Filtered by metadata, the feed backward is the feed forward, reversed; the limit counts what passed."""
    store = lab.open()
    for number in range(24):
        metadata = {"k": METADATA[1 + number % 8], "other": number % 3}
        store.append(STREAMS[number % 3], [lab.event(number, metadata=metadata)], expected_version=ANY)
    filters = [EventFilter(metadata={"k": value}) for value in (None, True, 0, 1.0, "missing")]
    filters += [EventFilter(metadata={"k": 1, "other": 0}), EventFilter(metadata={"other": 1}, categories=("order",))]
    _expect_reversed(store, filters)


@check("READ-05", "READ-03", needs={Capability.BACKWARDS, Capability.TIME_FILTER})
def filters_by_time_backward(lab: Lab) -> None:
    """Filtered by time, the feed backward is the feed forward, reversed; the limit counts what passed."""
    store = lab.open()
    for number in range(12):
        store.append(STREAMS[number % 3], lab.events(1 + number % 2), expected_version=ANY)
    stamps = sorted({event.timestamp for event in store.read_all()})
    middle = stamps[len(stamps) // 2]
    since, until = EventFilter(since=middle), EventFilter(until=middle)
    both = EventFilter(since=stamps[1], until=middle, stream_ids=STREAMS[:2])
    _expect_reversed(store, [since, until, both, EventFilter(since=datetime(2999, 1, 1, tzinfo=UTC))])


def _expect_reversed(store: EventLog, filters: Iterable[EventFilter]) -> None:
    everything = list(store.read_all())
    for where in filters:
        want = [event for event in everything if passes(event, where)]
        for limit in (None, 0, 1, 3, 1000):
            for way, wanted in ((Direction.FORWARD, want), (Direction.BACKWARD, want[::-1])):
                got = list(store.read_all(where=where, limit=limit, direction=way))
                equal(told(got), told(wanted[:limit]), f"the feed with {where}, limit {limit}, {way.value}")
