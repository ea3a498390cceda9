"""What errors and reports say, to the letter: an operator acts on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance_tests.check import check
from conformance_tests.expect import equal, raises, true
from mink_core import Capability, DuplicateEventError, StreamAppend

if TYPE_CHECKING:
    from conformance_tests.lab import Lab


@check("FEED-07", needs=[Capability.TRANSACTIONS])
def the_mark_is_below_what_is_open(lab: Lab) -> None:
    """`feed_status`: everything up to the mark is settled, and each holder names where the wait for it begins."""
    store, first, second = lab.open(), lab.open(), lab.open()
    store.append("order-1", lab.events(3), expected_version=0)
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
                true(holder.seconds >= 0, "how long it is open", expected="seconds", seen=holder.seconds)
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
