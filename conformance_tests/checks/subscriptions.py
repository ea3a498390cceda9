"""SUB-01 to 05: following the feed without a loss, a repeat or a reordering."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from conformance_tests.check import check
from conformance_tests.expect import equal, raises, true
from conformance_tests.following import QUICK, Follower, following, following_until
from conformance_tests.looking import told
from conformance_tests.matching import passes
from conformance_tests.patience import promptly, take, wait_until
from mink_core import Capability, EventFilter, ExpectedVersion, PositionAheadError, StoreIdentity, UsageError

if TYPE_CHECKING:
    from conformance_tests.lab import Lab
    from mink_core import StoredEvent

ANY = ExpectedVersion.ANY
SUBSCRIBE = {Capability.SUBSCRIBE}
_LONG = 60.0
"""Between polls, where a check shows that something does not wait for the next one."""


@check("SUB-01", "SUB-02", needs=SUBSCRIBE)
def catch_up_hands_over_to_live(lab: Lab) -> None:
    """Subscriptions that begin before, amid and after concurrent appends give the feed, once and in order."""
    store, writer = lab.open(), lab.open()
    writer.append("order-0", lab.events(40), expected_version=0)
    half = writer.head_position()
    batches = [(f"order-{number % 5}", lab.events(1 + number % 4)) for number in range(160)]

    refusals: list[Exception] = []

    def write() -> None:
        try:
            for stream_id, events in batches:
                writer.append(stream_id, events, expected_version=ANY)
        except Exception as error:  # noqa: BLE001 -- told below
            refusals.append(error)

    thread = threading.Thread(target=write, daemon=True)
    first = Follower(store.subscribe(batch_size=7, poll_interval=QUICK))
    thread.start()
    followers = [(0, first)]
    for after, size in ((0, 100), (half, 1), (half, 13)):
        followers.append((after, Follower(store.subscribe(after_position=after, batch_size=size, poll_interval=QUICK))))
        time.sleep(0.01)
    thread.join()
    equal(refusals, [], "what appends by another thread, beside subscriptions, raised")
    feed = list(store.read_all())
    for after, follower in followers:
        want = [event for event in feed if event.global_position > after]
        with following_until(follower, len(want)):
            equal(told(follower.events), told(want), f"what a subscription after {after} gave")
            equal(follower.events, want, f"the events that a subscription after {after} gave, and the feed's")


@check("SUB-01", "SUB-05", needs=SUBSCRIBE)
def batches_are_full_and_position_is_where_to_go_on(lab: Lab) -> None:
    """Batches are never empty nor above batch_size; another subscription goes on at `position` without loss or repeat."""
    store = lab.open()
    store.append("order-1", lab.events(23), expected_version=0)
    feed = list(store.read_all())
    for size in (1, 5, 23, 100):
        got: list[StoredEvent] = []
        position = 0
        while len(got) < len(feed):
            with store.subscribe(after_position=position, batch_size=size, poll_interval=QUICK) as subscription:
                equal(subscription.position, position, "the position before the first batch")
                for _ in range(2):
                    if len(got) == len(feed):
                        break
                    batch = take(subscription)
                    true(0 < len(batch) <= size, "a batch's size", expected=f"1 to {size}", seen=len(batch))
                    got += batch
                    equal(subscription.position, batch[-1].global_position, "the position after a batch")
                position = subscription.position
        equal(told(got), told(feed), f"what subscriptions by {size} gave, each going on where one had ended")


@check("SUB-01", "FEED-06", needs=SUBSCRIBE)
def filtered_subscriptions(lab: Lab) -> None:
    """A filtered subscription gives just what passes, through catch-up and live, and moves over the rest."""
    store = lab.open()
    store.append("noise-1", lab.events(120), expected_version=0)
    where = EventFilter(categories=("order",), event_types=("Placed", "Paid"))
    wanted: list[UUID] = []
    with following(store.subscribe(where=where, batch_size=10, poll_interval=QUICK)) as follower:
        for number in range(12):
            kind = ("Placed", "Paid", "placed")[number % 3]
            result = store.append(f"order-{number % 2}", [lab.event(None, event_type=kind)], expected_version=ANY)
            wanted += result.event_ids if kind != "placed" else ()
            store.append("noise-1", [lab.event(None, event_type="Placed"), *lab.events(20)], expected_version=ANY)
        follower.wait_for(len(wanted))
        head = store.head_position()
        wait_until(lambda: follower.subscription.position == head, "the head", lambda: follower.subscription.position)
        equal([event.event_id for event in follower.events], wanted, "what the filtered subscription gave")


@check("SUB-01", "READ-05", needs=SUBSCRIBE | {Capability.METADATA_FILTER, Capability.TIME_FILTER})
def subscriptions_filter_by_every_axis(lab: Lab) -> None:
    """A subscription's filter by metadata and by time holds through catch-up and live, by itself and with other axes."""
    store = lab.open()

    def append(number: int) -> None:
        event = lab.event(None, event_type=("Placed", "Paid")[number % 2], metadata={"tenant": number % 3})
        store.append(f"order-{number % 4}", [event], expected_version=ANY)

    for number in range(18):
        append(number)
    since = list(store.read_all())[9].timestamp
    filters = [
        EventFilter(metadata={"tenant": 1}),
        EventFilter(since=since),
        EventFilter(metadata={"tenant": 2}, since=since, event_types=("Paid",)),
    ]
    with ExitStack() as stack:
        followers = [
            stack.enter_context(following(store.subscribe(where=where, batch_size=4, poll_interval=QUICK)))
            for where in filters
        ]
        for number in range(18, 36):
            append(number)
        feed, head = list(store.read_all()), store.head_position()
        for where, follower in zip(filters, followers, strict=True):
            wanted = [event.event_id for event in feed if passes(event, where)]
            follower.wait_for(len(wanted))
            position = partial(getattr, follower.subscription, "position")
            wait_until(lambda at=position: at() == head, "the head", position)  # type: ignore[misc]
            equal([event.event_id for event in follower.events], wanted, f"what a subscription with {where} gave")


@check("SUB-02", needs=SUBSCRIBE)
def events_arrive_by_polling_alone(lab: Lab) -> None:
    """An event appended by another handle arrives soon after the poll interval, again and again."""
    store, other = lab.open(), lab.open()
    with following(store.subscribe(poll_interval=0.05)) as follower:
        for number in range(1, 6):
            other.append("order-1", lab.events(1), expected_version=ANY)
            begun = time.monotonic()
            follower.wait_for(number)
            took = time.monotonic() - begun
            true(
                took < promptly(),
                "an event's way to the subscriber",
                expected=f"under {promptly():g} s",
                seen=f"{took:.1f} s",
            )


@check("SUB-04", needs=SUBSCRIBE)
def closing_ends_a_waiting_subscription(lab: Lab) -> None:
    """close() from another thread ends a subscription that waits, promptly, whatever its poll interval."""
    store = lab.open()
    store.append("order-1", lab.events(1), expected_version=0)
    subscription = store.subscribe(poll_interval=_LONG)
    follower = Follower(subscription)
    follower.wait_for(1)
    time.sleep(0.05)
    subscription.close()
    true(follower.ended(promptly()), "a waiting subscription that was closed", expected="an end", seen="it waits on")
    equal(follower.error, None, "what the subscription raised")
    subscription.close()
    with raises(StopIteration, "a step after close"):
        next(subscription)
    equal(len(list(store.read_all())), 1, "the store after one of its subscriptions was closed")


@check("SUB-04", "LIFE-01", needs=SUBSCRIBE)
def closing_the_store_ends_its_subscriptions(lab: Lab) -> None:
    """Closing the store ends its subscriptions, waiting or between batches, and nobody else's."""
    store, other = lab.open(), lab.open()
    store.append("order-1", lab.events(5), expected_version=0)
    waiting = Follower(store.subscribe(poll_interval=_LONG))
    waiting.wait_for(5)
    between = store.subscribe(batch_size=2, poll_interval=QUICK)
    true(take(between), "a batch before the store was closed", expected="some events", seen="none")
    untouched = store.subscribe(poll_interval=QUICK)
    with following(other.subscribe(poll_interval=QUICK)) as follower:
        store.close()
        true(
            waiting.ended(promptly()), "a waiting subscription of a closed store", expected="an end", seen="it waits on"
        )
        equal(waiting.error, None, "what the subscription of a closed store raised")
        for ended in (between, untouched):
            with raises(StopIteration, "a step after the store was closed"):
                next(ended)
        other.append("order-1", lab.events(1), expected_version=5)
        follower.wait_for(6)


@check("SUB-04", needs=SUBSCRIBE)
def leaving_the_context_closes(lab: Lab) -> None:
    """A subscription is a context manager; after it, it gives nothing more, though there are more events."""
    store = lab.open()
    store.append("order-1", lab.events(5), expected_version=0)
    with store.subscribe(batch_size=2, poll_interval=QUICK) as subscription:
        true(take(subscription), "the first batch", expected="some events", seen="none")
    for _ in range(2):
        with raises(StopIteration, "a step after the context was left"):
            next(subscription)
    closed = store.subscribe(poll_interval=QUICK)
    closed.close()
    equal(list(closed), [], "what a subscription gives that was closed before its first step")


@check("SUB-05", needs=SUBSCRIBE)
def a_slow_consumer_loses_nothing(lab: Lab) -> None:
    """A consumer that stops for a while is given everything afterwards, in order and in batches of its size."""
    store = lab.open()
    with store.subscribe(batch_size=50, poll_interval=QUICK) as subscription:
        store.append("order-1", lab.events(10), expected_version=0)
        got = take(subscription)
        for number in range(12):
            store.append(f"order-{number}", lab.events(100), expected_version=ANY)
        time.sleep(0.1)
        feed = list(store.read_all())
        while len(got) < len(feed):
            batch = take(subscription)
            true(0 < len(batch) <= 50, "a batch's size", expected="1 to 50", seen=len(batch))  # noqa: PLR2004 -- as subscribed
            got += batch
    equal(told(got), told(feed), "what a slow consumer was given")


@check("SUB-01", "FEED-08", needs=SUBSCRIBE)
def a_subscription_from_another_history_is_told(lab: Lab) -> None:
    """A subscription with a position ahead, or another store's identity, raises PositionAheadError; its own is served."""
    store = lab.open()
    store.append("order-1", lab.events(2), expected_version=0)
    own = store.identity()
    ahead = store.feed_status().high + 1
    with raises(PositionAheadError, "a subscription with a position ahead", position=ahead):
        take(store.subscribe(after_position=ahead, poll_interval=QUICK))
    for identity in (StoreIdentity(uuid4(), own.epoch), StoreIdentity(own.store, own.epoch + 1)):
        with raises(PositionAheadError, f"a subscription with {identity}"):
            take(store.subscribe(identity=identity, poll_interval=QUICK))
    with store.subscribe(identity=own, poll_interval=QUICK) as subscription:
        true(take(subscription), "events given to the store's own identity", expected="some", seen="none")


@check("SUB-01", "READ-03", needs=SUBSCRIBE)
def wrong_arguments_of_subscribe_are_refused(lab: Lab) -> None:
    """A wrong position, batch size, poll interval or filter is a UsageError, raised by the call itself."""
    store: Any = lab.open()
    wrong: dict[str, tuple[Any, ...]] = {
        "after_position": (-1, True, 1.0, None, "1"),
        "batch_size": (0, -1, True, 1.0, None),
        "poll_interval": (0, -1, -0.1, True, "1", None, float("nan"), float("inf")),
        "where": ({}, None, "order"),
        "identity": ("identity", uuid4()),
    }
    for name, values in wrong.items():
        for value in values:
            with raises(UsageError, f"subscribe({name}={value!r})"):
                store.subscribe(**{name: value})
