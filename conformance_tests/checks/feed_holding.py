"""FEED-03 to 09: open transactions and the feed, in orders that are forced."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from conformance_tests.check import check
from conformance_tests.checks.feed import pages_of
from conformance_tests.expect import equal, true
from conformance_tests.looking import paged, positions, told
from mink_core import Capability, EventFilter, ExpectedVersion

if TYPE_CHECKING:
    from uuid import UUID

    from conformance_tests.lab import Lab
    from mink_core import AppendResult

ANY = ExpectedVersion.ANY
TRANSACTIONS = {Capability.TRANSACTIONS}


class _UndoError(Exception):
    """Rolls a transaction back."""


@check("FEED-03", "FEED-05", "FEED-06", needs=TRANSACTIONS)
def a_rollback_delays_nobody(lab: Lab) -> None:
    """After a rollback the feed goes on at once, over the hole, and the head never points into it."""
    store, other = lab.open(), lab.open()
    store.append("order-1", lab.events(2), expected_version=0)
    for round_ in range(3):
        newest = store.head_position()
        with suppress(_UndoError), store.transaction() as transaction:
            transaction.append("undone-1", lab.events(3), expected_version=0)
            raise _UndoError
        equal(store.head_position(), newest, "the head after a rollback")
        page = other.poll(0, where=EventFilter(stream_ids=("none",)))
        equal(page.next_position, newest, "next_position after a rollback: the newest committed event")
        equal(other.poll(newest).next_position, newest, "next_position at the head after a rollback")
        result = other.append("order-1", lab.events(1), expected_version=2 + round_)
        true(result.first_position > newest, "the position after a rollback", expected=f"above {newest}", seen=result)
        equal(store.head_position(), result.last_position, "the head after the next append")
        got = [event.event_id for event in store.poll(newest).events]
        equal(got, list(result.event_ids), "the feed after the next append")
    equal([info.stream_id for info in store.streams()], ["order-1"], "the streams after the rollbacks")


@check("FEED-04", needs=TRANSACTIONS)
def a_transaction_that_has_not_appended_delays_nobody(lab: Lab) -> None:
    """While a transaction is open that only read, or was refused, the feed shows others' appends at once."""
    store, other = lab.open(), lab.open()
    newest = store.append("order-1", lab.events(1), expected_version=0).last_position
    with store.transaction() as transaction:
        list(transaction.read_stream("order-1"))
        transaction.poll(0)
        for number in range(1, 4):
            result = other.append("order-1", lab.events(1), expected_version=number)
            equal(other.head_position(), result.last_position, "the head while a reader's transaction is open")
            equal(
                positions(other.read_all())[-1:],
                [result.last_position],
                "the feed while a reader's transaction is open",
            )
            page = other.poll(newest)
            seen, newest = (positions(page.events), page.next_position), result.last_position
            equal(seen, ([newest], newest), "the next page while a reader's transaction is open")
            equal(other.feed_status().holders, (), "who holds the feed back")
            equal(len(list(transaction.read_stream("order-1"))), number + 1, "what the transaction reads")


@check("FEED-07", "FEED-01", "FEED-05", "FEED-06", needs=TRANSACTIONS)
def an_open_append_holds_back_what_is_above_it(lab: Lab) -> None:
    """An open append holds back only what is above it, is reported, and is delivered in its place after the commit."""
    store, other, reader = lab.open(), lab.open(), lab.open()
    below = other.append("order-1", lab.events(2), expected_version=0)
    with store.transaction() as transaction:
        held = transaction.append("held-1", lab.events(1), expected_version=0)
        above = [other.append("order-1", lab.events(1), expected_version=2 + number) for number in range(3)]
        true(held.first_position < above[0].first_position, "positions of two appends in turn", seen=(held, above[0]))
        for handle in (reader, other):
            equal(
                positions(handle.read_all()), [below.first_position, below.last_position], "the feed while it is held"
            )
            equal(handle.head_position(), below.last_position, "the head while the feed is held")
            page = handle.poll(0, where=EventFilter(categories=("none",)))
            equal(page.next_position, below.last_position, "next_position while the feed is held")
            equal(list(handle.poll(below.last_position).events), [], "the next page while the feed is held")
        equal(reader.stream_info("order-1").version, 5, "a stream's own version is not held back")
        equal(len(list(reader.read_stream("order-1"))), 5, "a stream's own events are not held back")
        status = reader.feed_status()
        true(len(status.holders) == 1, "who holds the feed back", expected="one holder", seen=status)
        holder = status.holders[0]
        true(
            below.last_position <= holder.after_position < held.first_position,
            "the holder's after_position",
            expected=f"from {below.last_position}, below {held.first_position}",
            seen=holder,
        )
        true(holder.seconds >= 0, "how long it has held the feed back", expected="at least 0", seen=holder.seconds)
        equal(status.head, below.last_position, "feed_status's head while the feed is held")
        true(status.high >= above[-1].last_position, "the highest position allocated", seen=status)
    feed = list(reader.read_all())
    want = [held.first_position, *(result.first_position for result in above)]
    equal(positions(feed)[2:], want, "the feed above the mark after the commit")
    got = positions(pages_of(reader, 100, after=below.last_position))
    equal(got, want, "what a reader that waited at the mark is given")
    equal(reader.feed_status().holders, (), "who holds the feed back after the commit")


@check("FEED-07", "FEED-01", needs=TRANSACTIONS)
def two_open_appends_end_in_the_wrong_order(lab: Lab) -> None:
    """Where the later of two open appends commits first, nothing above the earlier is shown; no reader skips it."""
    store, other, reader = lab.open(), lab.open(), lab.open()
    given: list[UUID] = []
    for undo in (False, True):
        position = reader.head_position()
        results: list[AppendResult] = []
        with suppress(_UndoError), store.transaction() as early:
            results.append(early.append("early-1", lab.events(1), expected_version=ANY))
            with other.transaction() as late:
                results.append(late.append("late-1", lab.events(2), expected_version=ANY))
                equal(list(reader.poll(position).events), [], "the feed while both are open")
                true(len(reader.feed_status().holders) == 2, "holders", expected="two", seen=reader.feed_status())  # noqa: PLR2004 -- as opened
            page = reader.poll(position)
            equal((list(page.events), page.next_position), ([], position), "the feed while the earlier is open")
            if undo:
                raise _UndoError
        committed = results[1:] if undo else results
        want = [event_id for result in committed for event_id in result.event_ids]
        equal([event.event_id for event in paged(reader, position, 100)], want, "the feed after both have ended")
        given += want
    equal([event.event_id for event in reader.read_all()], given, "the whole feed, once")


@check("FEED-01", "FEED-02", "FEED-07", needs=TRANSACTIONS)
def a_transaction_that_wrote_elsewhere_first(lab: Lab) -> None:
    """A transaction that appended early to one stream and late to another keeps version and position order."""
    store, other, reader = lab.open(), lab.open(), lab.open()
    other.append("a-1", lab.events(1), expected_version=0)
    with store.transaction() as transaction:
        transaction.append("b-1", lab.events(1), expected_version=0)
        other.append("a-1", lab.events(1), expected_version=1)
        late = transaction.append("a-1", lab.events(1), expected_version=2)
        equal(late.first_version, 3, "the version that the late append was given")
        seen = pages_of(reader, 1)
    after = pages_of(reader, 1, after=seen[-1].global_position)
    feed = list(reader.read_all())
    equal(told([*seen, *after]), told(feed), "what a reader was given before and after the commit")
    equal([event.version for event in feed if event.stream_id == "a-1"], [1, 2, 3], "the versions of a-1 in the feed")
    equal(positions(feed), sorted(positions(feed)), "the feed's positions")


@check("FEED-09", "READ-06", needs=TRANSACTIONS)
def a_transactions_own_events_are_not_in_its_feed(lab: Lab) -> None:
    """In a transaction its own events are read in their streams, and are in no feed, listing the head or a page."""
    store = lab.open()
    before = store.append("order-1", lab.events(2), expected_version=0)
    with store.transaction() as transaction:
        transaction.append("order-1", lab.events(1), expected_version=2)
        transaction.append("own-1", lab.events(2), expected_version=0)
        equal([it.version for it in transaction.read_stream("order-1")], [1, 2, 3], "its own events in their stream")
        equal(transaction.stream_info("own-1").version, 2, "stream_info of a stream of its own")
        equal([it.stream_id for it in transaction.streams()], ["order-1", "own-1"], "the streams it lists")
        equal(positions(transaction.read_all()), [before.first_position, before.last_position], "its feed")
        page = transaction.poll(0)
        equal(positions(paged(transaction, 0, 100)), [before.first_position, before.last_position], "the pages in it")
        true(page.next_position <= before.last_position, "next_position in it", seen=page.next_position)
        equal(transaction.head_position(), before.last_position, "the head in it")
    equal(len(list(store.read_all())), 5, "the feed after the commit")
