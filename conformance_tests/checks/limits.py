"""APPEND-12: names as they are, and the edges of the limits on names, depths, sizes and counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance_tests.check import check
from conformance_tests.expect import equal, raises, true
from conformance_tests.level import Level
from conformance_tests.looking import nothing_stored, versions
from mink_core import Capability, EventFilter, ExpectedVersion, StreamAppend, UsageError
from mink_core.limits import limits_of

if TYPE_CHECKING:
    from conformance_tests.lab import Lab

ANY = ExpectedVersion.ANY

GOOD_IDS = (
    "a",
    " ",
    "order-",
    "order--1",
    "order-1 ",
    "order 1",
    " order-1",
    "order:1",
    "order/1",
    "order.1",
    "order.1.",
    "order*1",
    "order>1",
    "Order-1",
    "ORDER-1",
    "order_1",
    "order%",
    "order-%",
    "order\\1",
    "'; DROP TABLE events; --",
    '"quoted"',
    "$1",
    "{}",
    "\u00e9",
    "e\u0301",
    "\u00df",
    "SS",
    "\u00a0nbsp",
    "\u2028",
    "\u200b",
    "\ufeff",
    "\ufffe",
    "\uffff",
    "\ue000",
    "\U0001f600-1",
    "\U0010ffff",
    "\u0130stanbul",
    "null",
    "0",
)


@check("APPEND-12")
def ids_are_kept_as_they_are(lab: Lab) -> None:
    """Ids and event types with unusual characters are distinct, never normalised, folded or trimmed."""
    store = lab.open()
    for number, name in enumerate(GOOD_IDS):
        event = lab.event(number, event_type=name)
        equal(store.append(name, [event], expected_version=0).stream_id, name, "the result's stream_id")
    for number, name in enumerate(GOOD_IDS):
        stored = list(store.read_stream(name))
        equal([(it.stream_id, it.event_type, it.data) for it in stored], [(name, name, number)], f"stream {name!r}")
        equal(store.stream_info(name).stream_id, name, "stream_info's stream_id")
        found = list(store.read_all(where=EventFilter(stream_ids=(name,))))
        equal([it.data for it in found], [number], f"the feed of stream {name!r}")
        found = list(store.read_all(where=EventFilter(event_types=(name,))))
        equal([it.data for it in found], [number], f"the feed of event type {name!r}")


@check("APPEND-12")
def name_limits_at_the_edge(lab: Lab) -> None:
    """500 characters pass for a stream id and an event type, 250 for a category; one more is refused with the limit."""
    store = lab.open()
    wide = "\U0001f600"  # one character, four bytes, two UTF-16 units
    for letter in ("x", "\u00e9", wide):
        fits = ("c-" + letter * 498, letter * 250, letter * 250 + "-" + letter * 249)
        for stream_id in fits:
            store.append(stream_id, lab.events(1), expected_version=0)
            equal(store.stream_info(stream_id).version, 1, "a stream at the limit")
            equal(len(list(store.read_stream(stream_id))), 1, "events of a stream at the limit")
        with nothing_stored(store, "a name one past the limit"):
            for stream_id, limit in (
                ("c-" + letter * 499, "500"),
                (letter * 251, "250"),
                (letter * 251 + "-1", "250"),
                (letter * 600, "50"),
            ):
                with raises(UsageError, f"a stream id of {len(stream_id)} characters", says=limit):
                    store.append(stream_id, lab.events(1), expected_version=ANY)
            with raises(UsageError, "an event type of 501 characters", says="500"):
                store.append("order-1", [lab.event(1, event_type=letter * 501)], expected_version=ANY)
        store.append(f"type-{letter}", [lab.event(1, event_type=letter * 500)], expected_version=0)
        equal(next(store.read_stream(f"type-{letter}")).event_type, letter * 500, "an event type at the limit")


@check("APPEND-12")
def depth_limit_at_the_edge(lab: Lab) -> None:
    """128 objects and arrays inside one another pass, in data and in metadata; 129 are refused with the limit."""
    store = lab.open()
    for number, wrap in enumerate((_lists, _dicts, _mixed)):
        data, metadata = wrap(128), {"k": wrap(127)}
        store.append(f"deep-{number}", [lab.event(data, metadata=metadata)], expected_version=0)
        stored = next(store.read_stream(f"deep-{number}"))
        equal((stored.data, stored.metadata), (data, metadata), "values of depth 128")
        with nothing_stored(store, "a value too deep"):
            with raises(UsageError, "data of depth 129", says="128"):
                store.append("order-1", [lab.event(wrap(129))], expected_version=ANY)
            with raises(UsageError, "metadata of depth 129", says="128"):
                store.append("order-1", [lab.event(1, metadata={"k": wrap(128)})], expected_version=ANY)
            with raises(UsageError, "data of depth 5,000"):
                store.append("order-1", [lab.event(wrap(5000))], expected_version=ANY)


def _lists(depth: int) -> Any:
    value: Any = []
    for _ in range(depth - 1):
        value = [value]
    return value


def _dicts(depth: int) -> Any:
    value: Any = {}
    for _ in range(depth - 1):
        value = {"k": value}
    return value


def _mixed(depth: int) -> Any:
    value: Any = [1.5]
    for number in range(depth - 1):
        value = {"k": value, "n": 1} if number % 2 else [0, value]
    return value


_MIB8 = 8 * 1024 * 1024


@check("APPEND-12")
def size_limit_at_the_edge(lab: Lab) -> None:
    """Data of 8 MiB of JSON passes, or what the store takes; one byte more is refused, counting UTF-8 bytes."""
    store = lab.open()
    most = min(_MIB8, limits_of(store).event_bytes)
    fits = "x" * (most - 2)
    store.append("big-1", [lab.event(fits)], expected_version=0)
    true(next(store.read_stream("big-1")).data == fits, "the largest data", expected="the same str", seen="another")
    with nothing_stored(store, "a value too large"):
        with raises(UsageError, "data a byte too large", says=str(most)):
            store.append("big-2", [lab.event(fits + "x")], expected_version=ANY)
        with raises(UsageError, "data a byte too large, in a two-byte character", says=str(most)):
            store.append("big-2", [lab.event("x" * (most - 3) + "\u00e9")], expected_version=ANY)
        with raises(UsageError, "metadata a byte too large", says=str(most)):
            store.append("big-2", [lab.event(1, metadata={"k": "x" * (most - 7)})], expected_version=ANY)


@check("APPEND-12")
def count_limit_at_the_edge(lab: Lab) -> None:
    """A call of 10,000 events passes, or of as many as the store takes; with one more it is refused with the limit."""
    store = lab.open()
    most = limits_of(store).call_events
    events = lab.events(most + 1)
    with nothing_stored(store, "an event too many"), raises(UsageError, f"{most + 1} events", says=str(most)):
        store.append("many-1", events, expected_version=ANY)
    result = store.append("many-1", events[:most], expected_version=0)
    equal(result.last_version, most, f"the last version of {most} events")
    equal(store.stream_info("many-1").version, most, "the stream's version")
    equal(next(store.read_stream("many-1", after_version=most - 1)).event_id, events[most - 1].event_id, "the last one")


@check("APPEND-12", level=Level.STANDARD)
def call_size_limit_at_the_edge(lab: Lab) -> None:
    """A call of 64 MiB of JSON passes, data and metadata together; one byte more is refused with the limit."""
    store = lab.open()
    size = min(_MIB8, limits_of(store).event_bytes)
    parts, left = divmod(8 * _MIB8, size)
    part = "x" * (size - 2)
    sizes = [part] * (parts - 1)
    with nothing_stored(store, "64 MiB and a byte"), raises(UsageError, "64 MiB and a byte", says=str(8 * _MIB8)):
        store.append("huge-1", [*map(lab.event, sizes), lab.event(part), lab.event("x" * left)], expected_version=ANY)
    room = [*map(lab.event, sizes), *([lab.event("x" * (left - 2))] if left > 1 else [])]
    last = lab.event("x" * (size - 2 - 7), metadata={"k": 1})
    store.append("huge-1", [*room, last], expected_version=0)
    equal(versions(store, "huge-1"), list(range(1, len(room) + 2)), "the versions of a call of 64 MiB")


@check("APPEND-12", "APPEND-11", needs={Capability.APPEND_BATCH})
def limits_count_over_a_whole_batch(lab: Lab) -> None:
    """The limits on events, and on equal ids, count over all items of a batch."""
    store = lab.open()
    most = limits_of(store).call_events
    events = lab.events(most + 1)
    with (
        nothing_stored(store, "a batch with an event too many"),
        raises(UsageError, f"{most + 1} events in a batch", says=str(most)),
    ):
        half = most // 2
        store.append_batch([StreamAppend("a-1", events[:half], ANY), StreamAppend("b-1", events[half:], ANY)])
    with nothing_stored(store, "equal ids in a batch"):
        for other in ("a-1", "b-1"):
            with raises(UsageError, "equal ids in two items"):
                store.append_batch([StreamAppend("a-1", events[:2], ANY), StreamAppend(other, events[1:3], ANY)])
