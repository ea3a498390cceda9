"""What errors and reports say, to the letter: an operator acts on it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from conformance_tests.check import check
from conformance_tests.expect import equal, raises, true
from conformance_tests.looking import nothing_stored
from mink_core import Capability, DuplicateEventError, ExpectedVersion, NewEvent, StreamAppend, UsageError

if TYPE_CHECKING:
    from conformance_tests.lab import Lab
    from mink_core import StoredEvent

ANY = ExpectedVersion.ANY


@check("FEED-07", needs=[Capability.TRANSACTIONS])
def the_mark_is_below_what_is_open(lab: Lab) -> None:
    """`feed_status`: everything up to the mark is settled, and each holder names where the wait for it begins."""
    store, first, second = lab.open(), lab.open(), lab.open()
    store.append("order-1", lab.events(3), expected_version=0)
    begun = time.monotonic()
    with first.transaction() as one:
        early = one.append("held-1", lab.events(2), expected_version=0)
        store.append("order-1", lab.events(1), expected_version=3)
        with second.transaction() as two:
            late = two.append("held-2", lab.events(1), expected_version=0)
            status = store.feed_status()
            feed = [event.global_position for event in store.read_all()]
            true(
                feed[-1] <= status.mark < early.first_position,
                "the mark while two appends are open",
                expected=f"from {feed[-1]}, the last event shown, to below {early.first_position}, the first open one",
                seen=status.mark,
            )
            equal(status.head, feed[-1], "the head")
            true(status.high >= late.last_position, "the highest position", expected="that of the last", seen=status)
            equal(len(status.holders), 2, "how many hold the feed back")
            for holder, append in zip(status.holders, (early, late), strict=True):
                true(
                    status.mark <= holder.after_position < append.first_position,
                    f"after_position of who holds {append.first_position}",
                    expected=f"from the mark {status.mark} to below {append.first_position}",
                    seen=holder.after_position,
                )
                true(
                    0 <= holder.seconds <= time.monotonic() - begun + 1,
                    "how long it is open",
                    expected=f"at most {time.monotonic() - begun:.3f} seconds",
                    seen=holder.seconds,
                )
    status = store.feed_status()
    equal((status.mark, status.head, status.holders), (status.high, late.last_position, ()), "the status at rest")


@check("APPEND-09", "APPEND-11", needs=[Capability.APPEND_BATCH])
def a_duplicate_names_the_first_id_of_the_call_that_is_stored(lab: Lab) -> None:
    """`DuplicateEventError.event_id`: of what the call has in common with the store, the first in the call's order."""
    store = lab.open()
    old = [StreamAppend(f"{name}-1", lab.events(2), 0) for name in "ab"]
    store.append_batch(old)
    for one, other in ((old[0], old[1]), (old[1], old[0])):
        new = StreamAppend("c-1", lab.events(1), 0)
        with raises(DuplicateEventError, "two stored items and a new one", event_id=one.events[0].event_id):
            store.append_batch([one, new, other])
    fresh, stored = lab.events(1), old[0].events
    with raises(DuplicateEventError, "a call that begins with a new event", event_id=stored[1].event_id):
        store.append("a-1", [*fresh, stored[1]], expected_version=0)


@check("APPEND-07", "APPEND-11", needs=[Capability.APPEND_BATCH])
def equal_ids_across_a_batch_are_refused(lab: Lab) -> None:
    """Two equal event ids in one batch are a UsageError wherever they stand: in one item, in two, in one stream or two."""
    store = lab.open()
    twice, other = lab.event(), lab.event()
    again = NewEvent("Other", {"n": 1}, None, twice.event_id)
    batches = {
        "in one item": [StreamAppend("a-1", [twice, again], 0)],
        "in two items": [StreamAppend("a-1", [twice], 0), StreamAppend("b-1", [again], 0)],
        "the same event in two items": [StreamAppend("a-1", [twice], 0), StreamAppend("b-1", [twice], 0)],
        "in two items of one stream": [StreamAppend("a-1", [twice], 0), StreamAppend("a-1", [other, again], 1)],
        "under ANY": [StreamAppend("a-1", [twice], ANY), StreamAppend("b-1", [other, twice], ANY)],
    }
    for what, items in batches.items():
        with nothing_stored(store, what), raises(UsageError, f"equal ids {what}", says=str(twice.event_id)):
            store.append_batch(items)


@check("READ-01", "READ-06", "READ-07")
def stream_info_tells_its_first_and_newest_event(lab: Lab) -> None:
    """`stream_info` and `streams`: category and version, created with the first event, updated with the newest one."""
    store = lab.open()
    for version in range(3):
        store.append("order-a-1", lab.events(1), expected_version=version)
        events = list(store.read_stream("order-a-1"))
        info = store.stream_info("order-a-1")
        equal((info.stream_id, info.category, info.version), ("order-a-1", "order", version + 1), "the stream")
        equal(info.created_at, events[0].timestamp, "created_at, and the first event's timestamp")
        equal(info.updated_at, events[-1].timestamp, "updated_at, and the newest event's timestamp")
        equal(info.deleted_at, None, "deleted_at")
        equal(list(store.streams()), [info], "what is listed, and stream_info")


@check("LIFE-02", "READ-06")
def what_is_stored_outlives_its_handles(lab: Lab) -> None:
    """A store that was closed, the last of its handles too, has all it had when it is opened again."""
    namespace = lab.namespace()
    kept: list[StoredEvent] = []
    for round_ in range(3):
        with lab.unopened(namespace) as store:
            store.initialize()
            equal(list(store.read_stream("order-1")), kept, f"the events, when opened for the {round_ + 1}. time")
            equal(list(store.read_all()), kept, f"the feed, when opened for the {round_ + 1}. time")
            store.append("order-1", lab.events(2), expected_version=len(kept))
            kept = list(store.read_stream("order-1"))
            equal(len(kept), 2 * round_ + 2, "how many events are stored")
