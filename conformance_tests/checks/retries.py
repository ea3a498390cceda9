"""APPEND-09: a repeated call is recognized by its event ids, where an exact version is expected."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from conformance_tests.check import check
from conformance_tests.expect import equal, fail, raises, true
from conformance_tests.failure import CheckFailedError
from conformance_tests.looking import nothing_stored, versions
from mink_core import Capability, ConcurrencyError, DuplicateEventError, ExpectedVersion, NewEvent, StreamAppend
from mink_core.limits import limits_of

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from conformance_tests.lab import Lab

ANY, NO_STREAM, STREAM_EXISTS = ExpectedVersion.ANY, ExpectedVersion.NO_STREAM, ExpectedVersion.STREAM_EXISTS


@contextmanager
def refused_as_duplicate(events: Sequence[NewEvent], what: str) -> Generator[None]:
    """Expect the block to be refused with one of these events' ids."""
    try:
        yield
    except DuplicateEventError as error:
        true(
            error.event_id in {event.event_id for event in events},
            f"{what}: the error's event_id",
            expected="an id of the call that is stored",
            seen=error.event_id,
        )
    except CheckFailedError:
        raise
    except Exception as error:  # noqa: BLE001 -- told as what was seen
        fail(what, expected="DuplicateEventError", seen=repr(error))
    else:
        fail(what, expected="DuplicateEventError", seen="it was answered")


def copy_of(event: NewEvent, **changes: Any) -> NewEvent:
    """An event of the same id, with other objects of equal content but for the changes."""
    fields: dict[str, Any] = {"event_type": event.event_type, "data": event.data, "metadata": event.metadata, **changes}
    return NewEvent(fields["event_type"], fields["data"], fields["metadata"], event.event_id)


@check("APPEND-09")
def a_repeat_answers_as_the_first_call(lab: Lab) -> None:
    """A repeated call with its exact version answers as the first one and writes nothing, from any handle."""
    store, other = lab.open(), lab.open()
    calls: list[tuple[Any, list[NewEvent], Any]] = []
    for expected, size in ((NO_STREAM, 2), (2, 1), (3, 3), (6, 1)):
        events = [lab.event({"b": number, "a": [1, 2.5, None]}, metadata={"m": size}) for number in range(size)]
        first = store.append("order-1", events, expected_version=expected)
        calls.append((expected, events, first))
        # At once, and while nothing follows.
        with nothing_stored(store, "a call repeated at once"):
            equal(store.append("order-1", events, expected_version=expected), first, "a call repeated at once")
    with nothing_stored(store, "repeated calls"):
        for expected, events, first in calls:
            copies = [copy_of(event, data={"a": [1, 2.5, None], "b": event.data["b"]}) for event in events]
            again = other.append("order-1", copies, expected_version=expected)
            equal(again, first, f"the call at {expected!r} repeated after later events")
    expected, events, first = calls[0]
    equal(store.append("order-1", events, expected_version=0), first, "NO_STREAM repeated as the exact 0")


@check("APPEND-09")
def a_long_call_repeated(lab: Lab) -> None:
    """A call of 1,200 events, or of as many as the store takes, is recognized, at once and much later; with its last one changed it is refused."""
    store = lab.open()
    events = lab.events(min(1200, limits_of(store).call_events))
    first = store.append("order-1", events, expected_version=0)
    with nothing_stored(store, "a long call repeated"):
        equal(store.append("order-1", events, expected_version=0), first, "a long call repeated")
        changed = [*events[:-1], copy_of(events[-1], data="other")]
        with refused_as_duplicate(events, "its last event changed"):
            store.append("order-1", changed, expected_version=0)
    short = lab.events(2)
    second = store.append("order-1", short, expected_version=first.last_version)
    for _ in range(2):
        store.append("order-1", lab.events(len(events)), expected_version=ANY)
    with nothing_stored(store, "calls repeated when thousands of events had followed"):
        for given, result in ((events, first), (short, second)):
            again = store.append("order-1", given, expected_version=result.first_version - 1)
            equal(again, result, f"a call of {len(given)} repeated when thousands of events had followed")


@check("APPEND-09", "JSON-01")
def a_repeat_with_other_content_is_refused(lab: Lab) -> None:
    """An id that comes again with another type, data or metadata is DuplicateEventError with that id."""
    store = lab.open()
    pairs: tuple[tuple[Any, Any], ...] = (
        (1, 1.0),
        (1.0, 1),
        (1, True),
        (True, 1),
        (0, False),
        (False, None),
        (0, None),
        (0.0, 0),
        ("1", 1),
        ("", None),
        ([], {}),
        ([], None),
        ([1, 2], [2, 1]),
        ([1], [1, 1]),
        ({"a": 1}, {"a": 1, "b": None}),
        ({"a": 1, "b": None}, {"a": 1}),
        ({"a": {"b": [1]}}, {"a": {"b": [1.0]}}),
        ({"a": 1}, {"A": 1}),
        (10**16, 1e16),
        (2**53, 2**53 + 1),
        (0.1, 0.10000000000000002),
        ("e\u0301", "\u00e9"),
        ("a", "a "),
        (None, {}),
    )
    for number, (stored, other) in enumerate(pairs):
        stream_id = f"order-{number}"
        event = lab.event(stored, metadata={"k": stored})
        first = store.append(stream_id, [event], expected_version=0)
        what = f"{stored!r} repeated as {other!r}"
        for changed in (copy_of(event, data=other), copy_of(event, metadata={"k": other})):
            with nothing_stored(store, what), raises(DuplicateEventError, what, event_id=event.event_id):
                store.append(stream_id, [changed], expected_version=0)
        equal(store.append(stream_id, [copy_of(event)], expected_version=0), first, f"{stored!r} repeated as it was")
    event = lab.event(1, event_type="Placed")
    store.append("type-1", [event], expected_version=0)
    for event_type in ("placed", "Placed ", "Other"):
        with nothing_stored(store, "another type"), raises(DuplicateEventError, event_type, event_id=event.event_id):
            store.append("type-1", [copy_of(event, event_type=event_type)], expected_version=0)


@check("APPEND-09", "JSON-04")
def absent_metadata_repeats_as_empty(lab: Lab) -> None:
    """Absent metadata and {} are the same content; an added key is not."""
    store = lab.open()
    pairs: tuple[tuple[Any, Any], ...] = ((None, {}), ({}, None), ({}, {}))
    for number, (metadata, other) in enumerate(pairs):
        event = lab.event(1, metadata=metadata)
        first = store.append(f"order-{number}", [event], expected_version=0)
        with nothing_stored(store, "a repeated call"):
            again = store.append(f"order-{number}", [copy_of(event, metadata=other)], expected_version=0)
            equal(again, first, f"metadata {metadata!r} repeated as {other!r}")
            with raises(DuplicateEventError, "an added key", event_id=event.event_id):
                store.append(f"order-{number}", [copy_of(event, metadata={"k": None})], expected_version=0)


@check("APPEND-09")
def fewer_more_or_other_events_are_refused(lab: Lab) -> None:
    """A call that shares ids with a stored one, but has fewer, more, other or reordered events, is refused."""
    store = lab.open()
    a, b, c, d, e = lab.events(5)
    store.append("order-1", [a, b, c], expected_version=0)
    store.append("order-1", [d, e], expected_version=3)
    new = lab.events(3)
    wrong: tuple[tuple[Any, list[NewEvent], str], ...] = (
        (0, [a, b], "the first two of three"),
        (0, [a], "the first of three"),
        (1, [b, c], "the last two of three"),
        (2, [c], "the last of three"),
        (1, [b], "the middle one of three"),
        (0, [a, b, c, d], "a call and a part of the next"),
        (0, [a, b, c, d, e], "two calls as one"),
        (0, [a, b, c, d, e, new[0]], "two calls and a new event as one"),
        (0, [a, b, c, new[0]], "a call and a new event"),
        (2, [c, d], "the end of a call and the beginning of the next"),
        (3, [d], "the first of two, at the end"),
        (4, [e], "the last of two, at the end"),
        (3, [d, e, new[0]], "the last call and a new event"),
        (0, [b, a, c], "another order"),
        (0, [c, b, a], "the reverse order"),
        (0, [a, new[0], c], "another event in the middle"),
        (0, [new[0], b, c], "another event at the beginning"),
        (0, [new[0], new[1], c], "one id at its place"),
        (0, [new[0], a, new[1]], "one id at another place"),
        (0, [a, new[0], new[1]], "the first id only"),
    )
    for expected, events, what in wrong:
        stored = [event for event in events if event not in new]
        for exact in (expected, NO_STREAM) if expected == 0 else (expected,):
            with nothing_stored(store, what), refused_as_duplicate(stored, what):
                store.append("order-1", events, expected_version=exact)
    equal(versions(store, "order-1"), [1, 2, 3, 4, 5], "the versions after all the refusals")


@check("APPEND-09", "APPEND-03")
def other_ids_are_a_conflict(lab: Lab) -> None:
    """Where no id of the call stands at its place, it is an ordinary conflict, also when the contents are equal."""
    store = lab.open()
    events = lab.events(3)
    store.append("order-1", events, expected_version=0)
    twins = [lab.event(event.data) for event in events]
    for expected in (0, 1, 2):
        with nothing_stored(store, "a conflict"), raises(ConcurrencyError, stream_id="order-1", actual=3):
            store.append("order-1", twins, expected_version=expected)


@check("APPEND-09", needs={Capability.APPEND_BATCH})
def a_batch_repeated_answers_as_the_first(lab: Lab) -> None:
    """A repeated batch answers as the first one and writes nothing, also when later events follow."""
    store, other = lab.open(), lab.open()
    store.append("b-1", lab.events(1), expected_version=0)
    items = [
        StreamAppend("c-1", lab.events(2), NO_STREAM),
        StreamAppend("b-1", lab.events(1), 1),
        StreamAppend("a-1", lab.events(1), 0),
        StreamAppend("c-1", lab.events(1), 2),
    ]
    first = store.append_batch(items)
    for _ in range(2):
        with nothing_stored(store, "a batch repeated"):
            equal(other.append_batch(items), first, "a batch repeated")
        store.append("b-1", lab.events(1), expected_version=ANY)
        store.append("c-1", lab.events(1), expected_version=ANY)


@check("APPEND-09", "APPEND-11", needs={Capability.APPEND_BATCH})
def a_batch_of_old_and_new_items_is_refused(lab: Lab) -> None:
    """A batch some of whose items were stored before, or that differs in one, is DuplicateEventError."""
    store = lab.open()
    old = [StreamAppend("a-1", lab.events(2), 0), StreamAppend("b-1", lab.events(1), 0)]
    store.append_batch(old)
    events = [*old[0].events, *old[1].events]
    changed = StreamAppend("b-1", [copy_of(old[1].events[0], data="other")], 0)
    fewer = StreamAppend("a-1", old[0].events[:1], 0)
    mixes: tuple[tuple[list[StreamAppend], str], ...] = (
        ([*old, StreamAppend("c-1", lab.events(1), 0)], "a stored batch and a new stream"),
        ([StreamAppend("c-1", lab.events(1), 0), *old], "a new stream and a stored batch"),
        ([old[0], StreamAppend("b-1", lab.events(1), 1)], "a stored item and one that fits"),
        ([StreamAppend("b-1", lab.events(1), ANY), old[0]], "one with ANY and a stored item"),
        ([old[0], StreamAppend("b-1", lab.events(1), 0)], "a stored item and a conflict"),
        ([StreamAppend("b-1", lab.events(1), 7), old[0]], "a conflict and a stored item"),
        ([old[0], changed], "a stored item and one with other content"),
        ([fewer, old[1]], "an item with fewer events"),
    )
    for items, what in mixes:
        with nothing_stored(store, what), refused_as_duplicate(events, what):
            store.append_batch(items)


@check("APPEND-09", "TX-01", needs={Capability.TRANSACTIONS})
def repeats_in_and_after_transactions(lab: Lab) -> None:
    """A call is recognized in the transaction that made it, in another one, and after its commit."""
    store = lab.open()
    one, two, three = lab.events(2), lab.events(1), lab.events(1)
    with store.transaction() as transaction:
        first = transaction.append("order-1", one, expected_version=0)
        second = transaction.append("order-1", two, expected_version=2)
        equal(transaction.append("order-1", one, expected_version=0), first, "a call repeated in its transaction")
        equal(transaction.append("order-1", two, expected_version=2), second, "the second call repeated")
    with store.transaction() as transaction:
        equal(transaction.append("order-1", one, expected_version=0), first, "a call repeated in a later transaction")
        third = transaction.append("order-1", three, expected_version=3)
    with nothing_stored(store, "calls repeated after their transactions"):
        equal(store.append("order-1", two, expected_version=2), second, "the second call repeated after the commit")
        equal(store.append("order-1", one, expected_version=0), first, "the first call repeated after the commit")
        equal(store.append("order-1", three, expected_version=3), third, "the third call repeated after the commit")
        with refused_as_duplicate(one, "two calls as one"):
            store.append("order-1", [*one, *two], expected_version=0)


@check("APPEND-09", "FEED-03", needs={Capability.TRANSACTIONS})
def a_rolled_back_call_is_stored_when_repeated(lab: Lab) -> None:
    """A call whose transaction was rolled back was never stored: its repeat stores it."""
    store = lab.open()
    events = lab.events(2)
    with raises(RolledBackError, "the block's own error"), store.transaction() as transaction:
        transaction.append("order-1", events, expected_version=0)
        raise RolledBackError
    result = store.append("order-1", events, expected_version=0)
    equal((result.first_version, result.last_version), (1, 2), "the versions of the repeat")
    equal([it.event_id for it in store.read_all()], [event.event_id for event in events], "the feed after it")


class RolledBackError(Exception):
    """Rolls a transaction back."""
