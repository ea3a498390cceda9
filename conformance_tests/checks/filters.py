"""READ-05 and FEED-06: filters answer exactly, and deliver everything once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from conformance_tests.check import check
from conformance_tests.expect import equal, true
from conformance_tests.looking import paged, told
from conformance_tests.matching import passes
from mink_core import Capability, Direction, EventFilter, ExpectedVersion, Partition, partition_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from conformance_tests.lab import Lab
    from mink_core import EventLog, StoredEvent

ANY = ExpectedVersion.ANY

STREAMS = (
    "order",
    "order-1",
    "order-10",
    "order-1-1",
    "order--",
    "orders-1",
    "Order-1",
    "ord_r-1",
    "ord%-1",
    "ord\\r-1",
    "or",
    "\u00e9-1",
    "e\u0301-1",
)
TYPES = ("Placed", "placed", "Place", "PlacedTwice", "Pl_ced", "Pl%", "Placed ", "\u00e9", "-")


def expect_filtered(store: EventLog, where: EventFilter, everything: list[StoredEvent], what: str) -> list[StoredEvent]:
    """Expect read_all and polls of several page sizes to give just the events that pass, once, in order."""
    want = [event for event in everything if passes(event, where)]
    equal(told(list(store.read_all(where=where))), told(want), f"read_all with {what}")
    newest = everything[-1].global_position
    for limit in (1, 2, 1000):
        got: list[StoredEvent] = []
        position = 0
        for _ in range(2 * len(everything) + 2):
            page = store.poll(position, limit=limit, where=where)
            got += page.events
            true(
                len(page.events) <= limit,
                f"a page's size with {what}",
                expected=f"at most {limit}",
                seen=len(page.events),
            )
            last = page.events[-1].global_position if page.events else position
            true(
                last <= page.next_position <= newest,
                f"next_position with {what}",
                expected=f"from {last} to {newest}, the newest event",
                seen=page.next_position,
            )
            if page.next_position == position:
                break
            position = page.next_position
        equal(told(got), told(want), f"polls of {limit} with {what}")
        equal(position, newest, f"where polls of {limit} with {what} ended: they move over what the filter left out")
    return want


def _expect_all(store: EventLog, filters: Iterable[EventFilter], everything: list[StoredEvent]) -> None:
    matched = 0
    for where in filters:
        what = f"EventFilter({', '.join(f'{axis}={getattr(where, axis)!r}' for axis in where.__struct_fields__ if getattr(where, axis))})"
        matched += len(expect_filtered(store, where, everything, what)) > 0
    true(matched, "filters that match", expected="some")


@check("READ-05", "FEED-06")
def filters_by_stream_category_and_type(lab: Lab) -> None:
    """Streams, categories and types match whole and exactly: no prefix, no pattern, no folding."""
    store = lab.open()
    for round_ in range(3):
        for number, stream_id in enumerate(STREAMS):
            kinds = [TYPES[(number + round_ + part) % len(TYPES)] for part in range(1 + number % 2)]
            store.append(stream_id, [lab.event(None, event_type=kind) for kind in kinds], expected_version=ANY)
    everything = list(store.read_all())
    categories = sorted({stream_id.split("-")[0] for stream_id in STREAMS} | {"ORDER", "orde", "ord?r", "%", "_"})
    filters = [EventFilter()]
    filters += [EventFilter(stream_ids=(name,)) for name in (*STREAMS, "order-", "ORDER-1", "order%", "missing")]
    filters += [EventFilter(categories=(name,)) for name in categories]
    filters += [EventFilter(event_types=(name,)) for name in (*TYPES, "PLACED", "Placed%", "Missing")]
    filters += [
        EventFilter(stream_ids=("order-1", "order-10", "missing")),
        EventFilter(categories=("order", "\u00e9")),
        EventFilter(event_types=("Placed", "Pl%")),
        EventFilter(event_types=("Placed", "placed"), categories=("order",)),
        EventFilter(stream_ids=("order-1",), categories=("orders",)),
        EventFilter(stream_ids=("order-1", "orders-1"), categories=("orders", "or")),
        EventFilter(stream_ids=("order-1",), categories=("order",), event_types=("Placed", "placed", "Place")),
    ]
    _expect_all(store, filters, everything)


_ABSENT = object()
METADATA: tuple[Any, ...] = (
    _ABSENT,
    None,
    True,
    False,
    0,
    0.0,
    1,
    1.0,
    -1,
    2,
    1.5,
    0.1,
    10**16,
    1e16,
    1e300,
    2**53,
    2**53 + 1,
    2**63 - 1,
    "",
    "1",
    "1.0",
    "true",
    "null",
    "a",
    "A",
    "a ",
    "a%",
    "a_",
    'quote " and \\ slash',
    "\u00e9",
    "e\u0301",
    "\U0001f600",
    [],
    [1],
    ["a"],
    [None],
    {},
    {"k": 1},
    {"a": "a"},
)


@check("READ-05", "FEED-06", needs={Capability.METADATA_FILTER})
def filters_by_metadata(lab: Lab) -> None:
    """Numbers compare as numbers, true is no number, an absent key is not null, a list holding it is not the scalar."""
    store = lab.open()
    for number, value in enumerate(METADATA):
        metadata = {"other": number % 3, "third": "yes" if number % 2 else "no"}
        if value is not _ABSENT:
            metadata["k"] = value
        store.append(f"order-{number % 4}", [lab.event(number, metadata=metadata)], expected_version=ANY)
    store.append("bare-1", [lab.event(1, metadata=None), lab.event({"k": 1}, metadata={"K": 1})], expected_version=0)
    store.append("nested-1", [lab.event(1, metadata={"n": {"k": 1}})], expected_version=0)
    everything = list(store.read_all())
    scalars = [value for value in METADATA if value is not _ABSENT and not isinstance(value, (list, dict))]
    filters = [EventFilter(metadata={"k": value}) for value in (*scalars, "missing", 3, 0.2, -0.0, 1e15, 2**53 + 2)]
    filters += [
        EventFilter(metadata={"k": 1, "other": 0}),
        EventFilter(metadata={"k": None, "other": 1}),
        *(EventFilter(metadata={"k": 1, "other": 0, "third": third}) for third in ("yes", "no")),
        EventFilter(metadata={"K": 1}),
        EventFilter(metadata={"missing": None}),
        EventFilter(metadata={"n.k": 1}),
        EventFilter(metadata={"k": True}, categories=("order",)),
        EventFilter(metadata={"other": 1.0}, stream_ids=("order-1", "order-2")),
    ]
    _expect_all(store, filters, everything)


@check("READ-05", "FEED-06", needs={Capability.TIME_FILTER})
def filters_by_time(lab: Lab) -> None:
    """`since` is inclusive and `until` exclusive, to the microsecond, whatever zone they are given in."""
    store = lab.open()
    for number in range(8):
        store.append(f"order-{number % 2}", lab.events(1 + number % 2), expected_version=ANY)
    everything = list(store.read_all())
    stamps = sorted({event.timestamp for event in everything})
    least = timedelta(microseconds=1)
    edges = [edge for stamp in stamps for edge in (stamp - least, stamp, stamp + least)]
    east = timezone(timedelta(hours=5, minutes=30))
    filters = [EventFilter(since=edge) for edge in edges]
    filters += [EventFilter(until=edge.astimezone(east)) for edge in edges]
    filters += [EventFilter(since=one, until=other) for one in stamps[::2] for other in stamps[1::2]]
    filters += [
        EventFilter(since=datetime(1970, 1, 1, tzinfo=UTC)),
        EventFilter(since=datetime(2999, 1, 1, tzinfo=UTC)),
        EventFilter(until=datetime(2999, 1, 1, tzinfo=east)),
        EventFilter(since=stamps[1], stream_ids=("order-1",)),
    ]
    _expect_all(store, filters, everything)


@check("FEED-06", "READ-05")
def sparse_filters_move_on(lab: Lab) -> None:
    """A filter that matches nothing, or one event in hundreds, loses none and moves over the rest."""
    store = lab.open()
    for number in range(6):
        store.append("noise-1", lab.events(199), expected_version=ANY)
        store.append(f"rare-{number}", lab.events(1), expected_version=0)
    store.append("noise-1", lab.events(150), expected_version=ANY)
    everything = list(store.read_all())
    newest = everything[-1].global_position
    for where, want in ((EventFilter(categories=("rare",)), 6), (EventFilter(categories=("none",)), 0)):
        for limit in (1, 3, 100):
            position, got, pages = 0, 0, 0
            while position < newest:
                page = store.poll(position, limit=limit, where=where)
                true(
                    position < page.next_position <= newest,
                    "a poll moves on",
                    expected=f"({position}, {newest}]",
                    seen=page.next_position,
                )
                position, got, pages = page.next_position, got + len(page.events), pages + 1
            equal(got, want, f"events found by polls of {limit}")
            equal(store.poll(newest, where=where).next_position, newest, "next_position at the head")
    backward = Capability.BACKWARDS in lab.capabilities
    for category in ("rare", "noise"):
        where = EventFilter(categories=(category,))
        passed = told([event for event in everything if event.stream_id.startswith(category)])
        equal(told(list(store.read_all(where=where))), passed, f"read_all of {category}, across pages")
        if backward:
            found = told(list(store.read_all(where=where, direction=Direction.BACKWARD)))
            equal(found, passed[::-1], f"read_all of {category} backward, across pages")


@check("SUB-09", "READ-05", needs={Capability.PARTITIONS})
def filters_by_partition(lab: Lab) -> None:
    """A share of the feed is that of `partition_of`, by itself and together with every other axis."""
    store = lab.open()
    for number, stream_id in enumerate((*STREAMS, *(f"order-{extra}" for extra in range(100, 120)))):
        events = [lab.event(None, event_type=TYPES[number % 2]), lab.event(None, event_type="Placed")]
        store.append(stream_id, events, expected_version=0)
    everything = list(store.read_all())
    axes_beside: list[dict[str, Any]] = [
        {},
        {"event_types": ("Placed",)},
        {"categories": ("order",)},
        {"stream_ids": STREAMS},
    ]
    for of in (1, 3):
        for index in range(of):
            for axes in axes_beside:
                where = EventFilter(partition=Partition(index, of), **axes)
                share = [it for it in everything if partition_of(it.stream_id, of) == index]
                want = [it for it in share if passes(it, EventFilter(**axes))]
                what = f"partition {index} of {of} with {axes}"
                equal(told(list(store.read_all(where=where))), told(want), f"read_all of {what}")
                equal(told(paged(store, 0, 1000, where=where)), told(want), f"the pages of {what}")
