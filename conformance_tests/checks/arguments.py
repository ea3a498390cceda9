"""APPEND-07: what is refused before anything is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance_tests.check import check
from conformance_tests.expect import equal, raises, true
from conformance_tests.looking import nothing_stored
from mink_core import EventFilter, ExpectedVersion, NewEvent, UsageError

if TYPE_CHECKING:
    from conformance_tests.lab import Lab

ANY = ExpectedVersion.ANY

BAD_IDS: tuple[tuple[Any, str], ...] = (
    ("", "an empty stream id"),
    ("-", "a stream id of a dash"),
    ("-order", "a stream id without a category"),
    ("nul\0", "NUL in a stream id"),
    ("line\nfeed-1", "a line feed in a stream id"),
    ("tab-\t", "a tab in a stream id"),
    ("delete-\x7f", "DEL in a stream id"),
    ("c1-\x85", "a C1 control in a stream id"),
    ("c1-\x9f", "the last C1 control in a stream id"),
    ("unit-\x1f", "the last C0 control in a stream id"),
    ("half-\ud800", "a lone high surrogate in a stream id"),
    ("half-\udfff", "a lone low surrogate in a stream id"),
    (b"order-1", "bytes for a stream id"),
    (1, "an int for a stream id"),
    (None, "None for a stream id"),
)


@check("APPEND-07", "APPEND-12")
def bad_stream_ids_and_types_are_refused(lab: Lab) -> None:
    """Ids and event types that break the grammar are a UsageError, in appends and in reads, and store nothing."""
    store = lab.open()
    with nothing_stored(store, "bad stream ids and event types"):
        for bad, what in BAD_IDS:
            for expected in (ANY, 0, 3):
                with raises(UsageError, f"{what}, in append"):
                    store.append(bad, lab.events(1), expected_version=expected)
            with raises(UsageError, f"{what}, in read_stream, by the call itself"):
                store.read_stream(bad)
            with raises(UsageError, f"{what}, in stream_info"):
                store.stream_info(bad)
            with raises(UsageError, f"{what}, in a filter"):
                store.poll(0, where=EventFilter(stream_ids=(bad,)))
            kind = what.replace("stream id", "event type")
            if isinstance(bad, str) and bad.startswith("-"):
                continue  # a dash is nothing special in an event type
            with raises(UsageError, f"{kind}, in append"):
                store.append("order-1", [lab.event(None, event_type=bad)], expected_version=ANY)
    store.append("order-1", [lab.event(None, event_type="-dash")], expected_version=0)


@check("APPEND-07")
def wrong_expectations_are_refused(lab: Lab) -> None:
    """An expectation that is neither an exact version nor an ExpectedVersion is refused, a bool and -1 above all."""
    store = lab.open()
    store.append("order-1", lab.events(1), expected_version=0)
    wrong: tuple[Any, ...] = (
        -1,
        -2,
        -(2**63),
        True,
        False,
        1.0,
        0.0,
        "any",
        "1",
        None,
        2**63,
        2**64,
        (1,),
        [1],
        object(),
    )
    for stream_id in ("order-1", "order-2"):
        for expected in wrong:
            what = f"expected_version={expected!r:.40}"
            with nothing_stored(store, what), raises(UsageError, what):
                store.append(stream_id, lab.events(1), expected_version=expected)


@check("APPEND-07")
def expected_version_must_be_said(lab: Lab) -> None:
    """The expected version has no default and is given by keyword only."""
    store: Any = lab.open()
    with nothing_stored(store, "an append without an expectation"):
        with raises(TypeError, "append without expected_version"):
            store.append("order-1", lab.events(1))
        with raises(TypeError, "append with expected_version by position"):
            store.append("order-1", lab.events(1), ANY)


@check("APPEND-07")
def wrong_events_are_refused(lab: Lab) -> None:
    """No events, and what are no events, is a UsageError."""
    store: Any = lab.open()
    event = lab.event()
    wrong: tuple[tuple[Any, str], ...] = (
        ([], "an empty list"),
        ((), "an empty tuple"),
        (iter(()), "an empty iterator"),
        (event, "an event that is not in a sequence"),
        ("event", "a str"),
        (b"event", "bytes"),
        ({"event_type": "a"}, "a dict"),
        (None, "None"),
        ([event, None], "None among the events"),
        ([("Happened", {})], "a tuple for an event"),
        ([{"event_type": "Happened", "data": {}}], "a dict for an event"),
        ([NewEvent(None, {})], "None for an event type"),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] -- on purpose
        ([NewEvent("Happened", {}, [])], "a list for metadata"),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] -- as above
        ([NewEvent("Happened", {}, "{}")], "a str for metadata"),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] -- as above
        ([NewEvent("Happened", {}, None, "id")], "a str for an event id"),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] -- as above
        ([NewEvent("Happened", {}, None, str(lab.uuid()))], "a UUID's str for an event id"),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] -- as above
    )
    for events, what in wrong:
        with nothing_stored(store, what), raises(UsageError, what):
            store.append("order-1", events, expected_version=ANY)
    true(issubclass(UsageError, ValueError), "a UsageError is a ValueError")


@check("APPEND-07")
def any_iterable_of_events_is_taken(lab: Lab) -> None:
    """Events come in a list, a tuple or any other iterable."""
    store = lab.open()
    events = lab.events(6)
    store.append("order-1", tuple(events[:2]), expected_version=0)
    store.append("order-1", iter(events[2:4]), expected_version=2)
    store.append("order-1", (event for event in events[4:]), expected_version=4)
    equal([it.event_id for it in store.read_stream("order-1")], [it.event_id for it in events], "the ids in order")


@check("APPEND-07")
def equal_ids_in_one_call_are_refused(lab: Lab) -> None:
    """Two equal ids in one call are refused, wherever they stand, also when their contents are equal."""
    store = lab.open()
    twin = lab.event({"n": 1})
    same_id = NewEvent("Other", 2, None, twin.event_id)
    for events in ([twin, twin], [twin, same_id], [twin, *lab.events(3), same_id], [lab.event(), twin, same_id]):
        for expected in (ANY, 0, 5):
            with nothing_stored(store, "equal ids"), raises(UsageError, "equal ids in one call"):
                store.append("order-1", events, expected_version=expected)


@check("APPEND-07")
def bad_usage_is_told_before_a_conflict(lab: Lab) -> None:
    """What is refused up front is refused whatever the stream's version is: nothing was sent to find out."""
    store = lab.open()
    store.append("order-1", lab.events(2), expected_version=0)
    with nothing_stored(store, "bad usage"):
        for expected in (0, 1, 7):
            with raises(UsageError, "a bad event and a wrong expectation"):
                store.append("order-1", [lab.event(float("nan"))], expected_version=expected)
        with raises(UsageError, "no events and a wrong expectation"):
            store.append("order-1", [], expected_version=7)
