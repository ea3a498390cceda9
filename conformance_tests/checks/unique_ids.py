"""APPEND-09 with UNIQUE_EVENT_IDS: an id is stored once in the whole store, under every expectation."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from conformance_tests.check import Layer, check
from conformance_tests.checks.retries import copy_of, refused_as_duplicate
from conformance_tests.expect import equal, raises, true
from conformance_tests.interleavings.holding import Started
from conformance_tests.looking import nothing_stored, versions
from mink_core import AppendResult, Capability, DuplicateEventError, ExpectedVersion, MinkError, StreamAppend

if TYPE_CHECKING:
    from conformance_tests.lab import Lab
    from mink_core import NewEvent

ANY, NO_STREAM, STREAM_EXISTS = ExpectedVersion.ANY, ExpectedVersion.NO_STREAM, ExpectedVersion.STREAM_EXISTS
UNIQUE = {Capability.UNIQUE_EVENT_IDS}


class _UndoError(Exception):
    """Rolls a transaction back."""


@check("APPEND-09", needs=UNIQUE)
def a_repeat_under_any_answers_as_the_first(lab: Lab) -> None:
    """Under ANY and STREAM_EXISTS a repeated call answers as the first one, also when later events follow."""
    store, other = lab.open(), lab.open()
    calls: list[tuple[Any, list[NewEvent], AppendResult]] = []
    for expected, size in ((ANY, 2), (STREAM_EXISTS, 1), (ANY, 3)):
        events = lab.events(size)
        calls.append((expected, events, store.append("order-1", events, expected_version=expected)))
        with nothing_stored(store, "repeated calls"):
            for repeated, given, first in calls:
                for handle in (store, other):
                    again = handle.append("order-1", [copy_of(event) for event in given], expected_version=repeated)
                    equal(again, first, f"a call under {repeated.name} repeated")
    equal(versions(store, "order-1"), [1, 2, 3, 4, 5, 6], "the versions")


@check("APPEND-09", needs=UNIQUE)
def an_id_used_elsewhere_is_refused(lab: Lab) -> None:
    """An id that is stored at another place is DuplicateEventError under every expectation, and stores nothing."""
    store = lab.open()
    a, b, c = lab.events(3)
    store.append("order-1", [a, b], expected_version=0)
    store.append("order-1", [c], expected_version=2)
    new = lab.event()
    wrong: tuple[tuple[str, Any, list[NewEvent], str], ...] = (
        ("order-2", NO_STREAM, [a], "in a new stream"),
        ("order-2", ANY, [new, b], "in a new stream, under ANY"),
        ("order-2", ANY, [a, b], "a whole call in another stream"),
        ("order-0", ANY, [a, b], "a whole call in a stream that is listed before it"),
        ("order-0", NO_STREAM, [a, b], "a whole call in a new stream that is listed before it"),
        ("order-2", 5, [c], "with a wrong expectation"),
        ("order-2", STREAM_EXISTS, [c], "under STREAM_EXISTS, in a missing stream"),
        ("order-1", 3, [a], "at a right expectation"),
        ("order-1", 3, [new, c], "at a right expectation, among new ones"),
        ("order-1", ANY, [a], "fewer under ANY"),
        ("order-1", ANY, [a, b, c], "two calls as one under ANY"),
        ("order-1", ANY, [b, a], "reordered under ANY"),
        ("order-1", STREAM_EXISTS, [new, a, b], "more under STREAM_EXISTS"),
        ("order-1", ANY, [copy_of(a, data="other"), b], "other content under ANY"),
        ("order-1", STREAM_EXISTS, [a, copy_of(b, event_type="Other")], "another type under STREAM_EXISTS"),
    )
    for stream_id, expected, events, what in wrong:
        with nothing_stored(store, what), refused_as_duplicate([event for event in events if event is not new], what):
            store.append(stream_id, events, expected_version=expected)
    with raises(DuplicateEventError, "the id at fault", event_id=c.event_id):
        store.append("order-3", [new, c], expected_version=ANY)
    store.append("order-3", [new], expected_version=ANY)


@check("APPEND-09", "APPEND-06", needs=UNIQUE)
def racing_repeats_store_once(lab: Lab) -> None:
    """One call made by eight callers at once under ANY is stored once, and all are given the same result."""
    handles = [lab.open() for _ in range(8)]
    for round_ in range(6):
        events = lab.events(2)
        stream_id = f"race-{round_ // 2}"
        results = lab.together([partial(store.append, stream_id, events, expected_version=ANY) for store in handles])
        for result in results:
            true(isinstance(result, AppendResult), "a repeat in a race", expected="the first result", seen=repr(result))
            equal(result, results[0], "the results of one call made at once")
    equal(len(list(handles[0].read_all())), 12, "how many events are stored")


@check("APPEND-09", "APPEND-11", needs={Capability.UNIQUE_EVENT_IDS, Capability.APPEND_BATCH})
def batches_with_unique_ids(lab: Lab) -> None:
    """A batch under ANY is recognized when repeated; one that uses a stored id anew is refused whole."""
    store = lab.open()
    items = [StreamAppend("a-1", lab.events(2), ANY), StreamAppend("b-1", lab.events(1), ANY)]
    first = store.append_batch(items)
    store.append("a-1", lab.events(1), expected_version=2)
    with nothing_stored(store, "a batch repeated under ANY"):
        equal(store.append_batch(items), first, "a batch repeated under ANY")
    stored = items[1].events
    for mix in (
        [items[0], StreamAppend("c-1", lab.events(1), ANY)],
        [StreamAppend("c-1", lab.events(1), 0), StreamAppend("d-1", stored, 0)],
        [StreamAppend("c-1", stored, ANY)],
    ):
        with nothing_stored(store, "a mix"), refused_as_duplicate([*items[0].events, *stored], "a mix of old and new"):
            store.append_batch(mix)


@check("APPEND-09", "TX-01", "TX-03", needs={Capability.UNIQUE_EVENT_IDS, Capability.TRANSACTIONS})
def unique_ids_in_transactions(lab: Lab) -> None:
    """In a transaction its own ids count too; a refusal leaves it usable; a rollback gives the ids back."""
    store = lab.open()
    a, b = lab.events(2)
    with store.transaction() as transaction:
        first = transaction.append("order-1", [a], expected_version=ANY)
        equal(transaction.append("order-1", [a], expected_version=ANY), first, "a call repeated in its transaction")
        with raises(DuplicateEventError, "an id of its own in another stream", event_id=a.event_id):
            transaction.append("order-2", [a], expected_version=ANY)
        transaction.append("order-1", lab.events(1), expected_version=1)
    with suppress(_UndoError), store.transaction() as transaction:
        transaction.append("order-2", [b], expected_version=ANY)
        raise _UndoError
    equal(store.append("order-3", [b], expected_version=0).last_version, 1, "an id whose first use was rolled back")
    equal([(it.stream_id, it.version) for it in store.streams()], [("order-1", 2), ("order-3", 1)], "the streams")


@check("APPEND-09", "TX-01", needs={Capability.UNIQUE_EVENT_IDS, Capability.TRANSACTIONS}, layer=Layer.INTERLEAVING)
def an_id_of_an_open_transaction_is_stored_once(lab: Lab) -> None:
    """An append elsewhere of an id that an open transaction has appended is not stored as well, if that commits."""
    for commits in (True, False):
        namespace = lab.namespace()
        store, other = lab.open(namespace), lab.open(namespace)
        event = lab.event()
        waiting: list[Started] = []
        with suppress(_UndoError), store.transaction() as transaction:
            transaction.append("order-1", [event], expected_version=ANY)
            waiting.append(Started(partial(other.append, "order-2", [event], expected_version=ANY)))
            waiting[0].ended(0.1)
            if not commits:
                raise _UndoError
        with suppress(MinkError):
            waiting[0].result()
        stored = [it.stream_id for it in store.read_all() if it.event_id == event.event_id]
        if commits:
            equal(stored, ["order-1"], "the streams that have the id, after the commit")
        else:
            true(stored in ([], ["order-2"]), "the streams that have the id, after the rollback", seen=stored)
