"""FEED: the order of all events, and where it ends. What holds it back is in `feed_holding`."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING
from uuid import uuid4

from conformance_tests.check import check
from conformance_tests.expect import equal, raises, true
from conformance_tests.looking import paged, positions, told
from mink_core import Capability, Direction, EventFilter, ExpectedVersion, PositionAheadError, StoreIdentity

if TYPE_CHECKING:
    from conformance_tests.lab import Lab
    from mink_core import Store, StoredEvent

ANY = ExpectedVersion.ANY


def pages_of(store: Store, limit: int, where: EventFilter | None = None, after: int = 0) -> list[StoredEvent]:
    """The feed by polls, until one is empty and does not move on."""
    got: list[StoredEvent] = []
    while True:
        page = store.poll(after, limit=limit, where=where or EventFilter())
        got += page.events
        if page.next_position <= after:
            # Else a store that gives the same page again would be polled for ever.
            equal(
                told(list(page.events)),
                [],
                f"events of a page after {after} whose next_position is {page.next_position}",
            )
            return got
        after = page.next_position


@check("FEED-02", "FEED-06")
def positions_follow_the_appends(lab: Lab) -> None:
    """Positions are at least 1 and strictly increase in the order of the appends, over streams and handles."""
    handles = [lab.open() for _ in range(3)]
    given = []
    last = 0
    for number in range(24):
        events = lab.events(1 + number % 3)
        result = handles[number % 3].append(f"order-{number % 5}", events, expected_version=ANY)
        true(
            last < result.first_position <= result.last_position,
            "an append's positions",
            expected=f"above {last}",
            seen=result,
        )
        last = result.last_position
        given += [event.event_id for event in events]
    for store in handles:
        feed = list(store.read_all())
        equal([event.event_id for event in feed], given, "the feed's order")
        ascending = positions(feed)
        true(ascending[0] >= 1, "the first position", expected="at least 1", seen=ascending[0])
        true(all(one < other for one, other in pairwise(ascending)), "positions", expected="increasing", seen=ascending)
        for stream_id in {event.stream_id for event in feed}:
            mine = [event for event in feed if event.stream_id == stream_id]
            equal(
                [event.version for event in mine],
                list(range(1, len(mine) + 1)),
                f"the versions of {stream_id} in feed order",
            )
            equal(mine, list(store.read_stream(stream_id)), f"{stream_id} in the feed and as a stream")


@check("FEED-06", "FEED-01")
def pages_of_every_size_give_the_same_feed(lab: Lab) -> None:
    """Polls of any limit give every event once and in order; a position already passed gives nothing new."""
    store = lab.open()
    for number in range(15):
        store.append(f"order-{number % 4}", lab.events(1 + number % 4), expected_version=ANY)
    feed = list(store.read_all())
    for limit in (1, 2, 3, 7, len(feed) - 1, len(feed), len(feed) + 1, 1000):
        equal(told(pages_of(store, limit)), told(feed), f"the feed by polls of {limit}")
    for event in feed:
        rest = [it for it in feed if it.global_position > event.global_position]
        equal(told(pages_of(store, 5, after=event.global_position)), told(rest), "the feed after an event's position")
    equal(store.poll(0).events, store.poll(0).events, "the same page twice")


@check("FEED-06")
def next_position_is_where_to_go_on(lab: Lab) -> None:
    """next_position is the last event's in a full page, the given one where there is nothing, and never above the newest."""
    store = lab.open()
    page = store.poll(0)
    equal((list(page.events), page.next_position), ([], 0), "a poll of an empty store")
    store.append("order-1", lab.events(5), expected_version=0)
    feed = list(store.read_all())
    newest = feed[-1].global_position
    for limit in (1, 2, 4, 5, 6, 100):  # and where a store ends its page sooner, that of its last event all the same
        page = store.poll(0, limit=limit)
        true(0 < len(page.events) <= limit, "a page's size", expected=f"1 to {limit}", seen=len(page.events))
        last = feed[len(page.events) - 1].global_position
        equal(page.next_position, last, f"next_position of a page of {limit}, with {len(page.events)} events")
    page = store.poll(newest)
    equal((list(page.events), page.next_position), ([], newest), "a poll at the head")
    page = store.poll(feed[1].global_position, limit=0)
    equal((list(page.events), page.next_position), ([], feed[1].global_position), "a poll of limit 0")
    page = store.poll(0, where=EventFilter(stream_ids=("other-1",)))
    equal((list(page.events), page.next_position), ([], newest), "a poll whose filter leaves all out")
    page = store.poll(0, limit=2, where=EventFilter(stream_ids=("order-1",)))
    equal(page.next_position, page.events[-1].global_position, "next_position of a filtered page that has not all")


@check("FEED-05")
def head_is_the_newest_event(lab: Lab) -> None:
    """head_position is 0 in an empty store, then the newest event's position, and feed_status tells the same."""
    store, other = lab.open(), lab.open()
    equal(store.head_position(), 0, "the head of an empty store")
    equal(store.feed_status().head, 0, "feed_status's head of an empty store")
    for number in range(6):
        result = store.append(f"order-{number % 2}", lab.events(1 + number), expected_version=ANY)
        for handle in (store, other):
            equal(handle.head_position(), result.last_position, "the head after an append")
            status = handle.feed_status()
            equal(status.head, result.last_position, "feed_status's head")
            true(status.high >= status.head, "feed_status's high", expected=f"at least {status.head}", seen=status.high)
            equal(status.holders, (), "who holds the feed back while nobody writes")


@check("FEED-01")
def read_all_ends_under_load(lab: Lab) -> None:
    """read_all ends at the mark it took at its start, though an event is appended for each that it gives."""
    store, other = lab.open(), lab.open()
    for number in range(7):
        store.append(f"order-{number}", lab.events(100), expected_version=0)
    before = list(store.read_all())
    got = []
    for event in store.read_all():
        got.append(event)
        if len(got) > len(before) + 50:
            break
        if len(got) % 7 == 0 or len(got) > len(before) - 3:
            other.append("late-1", lab.events(1), expected_version=ANY)
    equal(told(got), told(before), "what read_all gave while others appended")
    late = list(store.read_all(after_position=before[-1].global_position))
    equal({event.stream_id for event in late}, {"late-1"}, "what came after the mark")
    equal(told(list(store.read_all())[: len(before)]), told(before), "the beginning of the feed afterwards")


@check("FEED-01", needs={Capability.BACKWARDS})
def backward_begins_at_the_mark(lab: Lab) -> None:
    """read_all backward begins at a mark taken at its start and gives the same set, reversed, though others append."""
    store, other = lab.open(), lab.open()
    store.append("order-1", lab.events(700), expected_version=0)
    before = list(store.read_all())
    got = []
    for event in store.read_all(direction=Direction.BACKWARD):
        got.append(event)
        if len(got) % 100 == 1:
            other.append("late-1", lab.events(1), expected_version=ANY)
    equal(told(got), told(before[::-1]), "the feed backward while others appended")


@check("FEED-08")
def a_store_has_an_identity(lab: Lab) -> None:
    """The identity is the same on every handle and at every call, and another for another store."""
    store, other, elsewhere = lab.open(), lab.open(), lab.open(lab.namespace())
    identity = store.identity()
    true(isinstance(identity, StoreIdentity), "identity()", expected="a StoreIdentity", seen=repr(identity))
    store.append("order-1", lab.events(1), expected_version=0)
    store.initialize()
    for handle in (store, other, lab.open()):
        equal(handle.identity(), identity, "the identity on another handle, after an append and initialize()")
    true(
        elsewhere.identity().store != identity.store, "the identity of another store", expected="another", seen=identity
    )


@check("FEED-08")
def a_position_ahead_is_told(lab: Lab) -> None:
    """A position above all that was ever allocated raises PositionAheadError from every reader, never silence."""
    for store, number in ((lab.open(), 0), (lab.open(lab.namespace()), 3)):
        if number:
            store.append("order-1", lab.events(number), expected_version=0)
        high = store.feed_status().high
        for ahead in (high + 1, high + 1000, 2**62):
            for where in (EventFilter(), EventFilter(categories=("none",))):
                with raises(PositionAheadError, f"poll({ahead}) of {high}", position=ahead, high=high):
                    store.poll(ahead, where=where)
                with raises(PositionAheadError, f"read_all(after_position={ahead})", position=ahead, high=high):
                    list(store.read_all(after_position=ahead, where=where))
                with raises(PositionAheadError, f"poll({ahead}, limit=0)", position=ahead, high=high):
                    store.poll(ahead, limit=0, where=where)
                with raises(PositionAheadError, f"read_all({ahead}, limit=0)", position=ahead, high=high):
                    list(store.read_all(after_position=ahead, limit=0, where=where))
        equal(list(store.poll(high).events), [], "a poll at the highest position")
        equal(list(store.read_all(after_position=high)), [], "read_all after the highest position")


@check("FEED-08", needs={Capability.BACKWARDS})
def a_position_ahead_is_told_backward(lab: Lab) -> None:
    """A backward read with a position above all that was allocated raises PositionAheadError."""
    store = lab.open()
    store.append("order-1", lab.events(2), expected_version=0)
    ahead = store.feed_status().high + 1
    with raises(PositionAheadError, "read_all backward", position=ahead):
        list(store.read_all(after_position=ahead, direction=Direction.BACKWARD))


@check("FEED-08")
def another_identity_is_told(lab: Lab) -> None:
    """A reader with another store's identity, or another epoch, gets PositionAheadError; its own is served."""
    store = lab.open()
    store.append("order-1", lab.events(3), expected_version=0)
    own = store.identity()
    equal(len(paged(store, 0, 100, identity=own)), 3, "events polled with the store's own identity")
    equal(len(list(store.read_all(identity=own))), 3, "events read with the store's own identity")
    foreign = (
        StoreIdentity(uuid4(), own.epoch),
        StoreIdentity(own.store, own.epoch + 1),
        StoreIdentity(own.store, own.epoch - 1),
        lab.open(lab.namespace()).identity(),
    )
    for identity in foreign:
        for after in (0, 1):
            with raises(PositionAheadError, f"poll({after}) with {identity}"):
                store.poll(after, identity=identity)
            with raises(PositionAheadError, f"read_all(after_position={after}) with {identity}"):
                list(store.read_all(after_position=after, identity=identity))


@check("FEED-06", "READ-06")
def another_namespace_is_isolated(lab: Lab) -> None:
    """Stores of two namespaces see nothing of each other: the kit and its findings rest on it."""
    one, other = lab.open(), lab.open(lab.namespace())
    one.append("order-1", lab.events(2), expected_version=0)
    equal(list(other.read_stream("order-1")), [], "the stream in another namespace")
    equal(list(other.read_all()), [], "the feed of another namespace")
    equal(list(other.streams()), [], "the streams of another namespace")
    other.append("order-1", lab.events(1), expected_version=0)
    equal(one.stream_info("order-1").version, 2, "the version after another namespace's append")
