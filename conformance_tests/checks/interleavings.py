"""Commits held open in orders that are forced: what skips an event skips it here every time."""

from __future__ import annotations

import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from conformance_tests.check import Layer, check
from conformance_tests.expect import equal, fail, true
from conformance_tests.interleavings.following import Following
from conformance_tests.interleavings.holding import (
    HELD,
    HELD_BY_GATE,
    HELD_BY_TRANSACTION,
    OVERTAKEN,
    Started,
    UndoneError,
    hold,
    meanwhile,
    ways,
)
from conformance_tests.interleavings.readers import Heads, Polling, Whole, compare
from conformance_tests.level import Level
from mink_core import Capability, ConcurrencyError, ExpectedVersion, StreamAppend, StreamNotFoundError

if TYPE_CHECKING:
    from conformance_tests.interleavings.holding import Held, Way
    from conformance_tests.interleavings.readers import Reader
    from conformance_tests.lab import Lab
    from mink_core import Store, StoredEvent

ANY = ExpectedVersion.ANY
_LONG = {Level.SMOKE: 0.4, Level.STANDARD: 2.5, Level.DEEP: 30.0}
"""Seconds of a hold that must not be ended by a clock."""
_ROUNDS = {Level.SMOKE: 1, Level.STANDARD: 4, Level.DEEP: 40}
_STREAMS = [f"held-{number}" for number in range(4)]


def _truth(store: Store) -> list[StoredEvent]:
    """Everything that is stored, in position order, from the streams themselves."""
    events = [event for info in store.streams() for event in store.read_stream(info.stream_id)]
    return sorted(events, key=lambda event: event.global_position)


def _readers(lab: Lab, namespace: str, rule: str) -> list[Reader]:
    stores = [lab.open(namespace) for _ in range(2)]
    readers: list[Reader] = [
        Polling(stores[0], rule),
        Polling(stores[1], rule, limit=1),
        Polling(stores[0], rule, stream_id=_STREAMS[0]),
        Polling(stores[1], rule, stream_id="free-1"),
        Whole(stores[1], rule),
        Heads(stores[0]),
    ]
    if Capability.BACKWARDS in lab.capabilities:
        readers.append(Whole(stores[0], rule, backward=True))
    return readers


@check("FEED-01", "FEED-03", "FEED-05", "FEED-06", layer=Layer.INTERLEAVING, requires=[OVERTAKEN])
def commits_out_of_order_are_read_in_order(lab: Lab) -> None:
    """Appends held open while others commit above them, and let go in any order, are missed by no reader."""
    for _ in range(_ROUNDS[lab.level]):
        namespace = lab.namespace()
        for way in ways(lab, namespace):
            before = lab.counters[OVERTAKEN]
            _out_of_order(lab, lab.namespace() if way.name == HELD_BY_TRANSACTION else namespace, way)
            if way.name == HELD_BY_GATE and lab.level > Level.SMOKE and lab.counters[OVERTAKEN] == before:
                fail(
                    "the adapter's commit gate: without an append above a held one nothing is shown",
                    expected="an append to another stream is stored while one is held",
                    seen="every other append waited for it",
                )


def _out_of_order(lab: Lab, namespace: str, way: Way) -> None:
    stores = [lab.open(namespace) for _ in _STREAMS]
    free = lab.open(namespace)
    readers = _readers(lab, namespace, "FEED-01")
    # Existing streams and new ones: where rows are locked and ids are taken differs.
    for stream in _STREAMS[:2]:
        free.append(stream, lab.events(1), expected_version=0)
    held: list[Held] = []
    others: list[Started] = []

    def step() -> None:
        for reader in readers:
            reader.step()

    step()
    for store, stream in zip(stores, _STREAMS, strict=True):
        held.append(hold(lab, way, store, StreamAppend(stream, lab.events(lab.random.randint(1, 3)), ANY)))
        others.append(meanwhile(lab, free, "free-1"))
        step()
    order = list(held)
    lab.random.shuffle(order)
    for index, one in enumerate(order):
        one.end(commit=not (way.can_roll_back and index == 1))
        step()
        others.append(meanwhile(lab, free, "free-1"))
        step()
    for other in others:
        other.result()
    truth = _truth(free)
    for reader in readers:
        reader.finish(truth)


@check("FEED-07", "FEED-01", layer=Layer.INTERLEAVING, requires=[OVERTAKEN])
def a_held_commit_is_never_skipped_by_time(lab: Lab) -> None:
    """However long an append is held open, nothing above it is shown, and what is below it is."""
    namespace = lab.namespace()
    for way in ways(lab, namespace):
        store, free = lab.open(namespace), lab.open(namespace)
        readers = _readers(lab, namespace, "FEED-07")
        below = free.append("free-1", lab.events(2), expected_version=ANY)
        held = hold(lab, way, store, StreamAppend(_STREAMS[0], lab.events(1), ANY))
        other = meanwhile(lab, free, "free-1")
        until = time.monotonic() + _LONG[lab.level]
        while time.monotonic() < until:
            for reader in readers:
                reader.step()
            top = [event.global_position for event in free.poll(0, limit=1000).events][-1:]
            if held.allocated and other.ended():
                equal(top, [below.last_position], "FEED-07: the newest event shown while an append below it is held")
            time.sleep(0.02)
        held.end()
        other.result()
        truth = _truth(free)
        for reader in readers:
            reader.finish(truth)


@check("FEED-02", "FEED-01", needs=[Capability.TRANSACTIONS], layer=Layer.INTERLEAVING, requires=[HELD_BY_TRANSACTION])
def a_transaction_that_wrote_elsewhere_first_keeps_the_order(lab: Lab) -> None:
    """A stream's versions are in the order of positions, also for a transaction that had written elsewhere before."""
    for _ in range(_ROUNDS[lab.level]):
        namespace = lab.namespace()
        store, free = lab.open(namespace), lab.open(namespace)
        readers = _readers(lab, namespace, "FEED-02")
        free.append(_STREAMS[0], lab.events(1), expected_version=0)
        undo = lab.random.random() < 0.2  # noqa: PLR2004 -- one in five
        other: Started | None = None
        with suppress(UndoneError), store.transaction() as early:
            early.append("elsewhere-1", lab.events(1), expected_version=ANY)
            lab.count(HELD_BY_TRANSACTION)
            other = meanwhile(lab, free, _STREAMS[0])
            for reader in readers:
                reader.step()
            if other.ended():
                early.append(_STREAMS[0], lab.events(1), expected_version=ANY)
            for reader in readers:
                reader.step()
            if undo:
                raise UndoneError
        if other is not None:
            other.result()
        truth = _truth(free)
        for stream in {event.stream_id for event in truth}:
            versions = [event.version for event in truth if event.stream_id == stream]
            equal(versions, list(range(1, len(versions) + 1)), f"FEED-02: {stream}'s versions by position")
        for reader in readers:
            reader.finish(truth)


@check("TX-01", "FEED-09", "READ-06", layer=Layer.INTERLEAVING, requires=[HELD])
def a_held_commit_is_seen_by_nobody(lab: Lab) -> None:
    """Until its commit an append is seen in no stream, list or feed; after it, in all of them."""
    namespace = lab.namespace()
    for way in ways(lab, namespace):
        store, free = lab.open(namespace), lab.open(namespace)
        new, old = f"new{len(way.name)}-1", f"old{len(way.name)}-1"
        free.append(old, lab.events(1), expected_version=0)
        for stream, expected in ((new, 0), (old, 1)):
            events = lab.events(2)
            held = hold(lab, way, store, StreamAppend(stream, events, expected))
            if held.allocated:
                seen = [event.event_id for event in free.read_stream(stream) if event.version > expected]
                equal(seen, [], f"TX-01: {stream} read while its append is held")
                with suppress(StreamNotFoundError):
                    equal(free.stream_info(stream).version, expected, f"TX-01: {stream}'s version meanwhile")
                    true(expected > 0, "TX-01: stream_info of a stream that no commit has made", seen="it was found")
                ids = {event.event_id for event in events}
                feed = [event for event in free.poll(0, limit=1000).events if event.event_id in ids]
                equal(feed, [], "FEED-09: events of a held append in the feed")
            held.end()
            stored = [event.event_id for event in free.read_stream(stream)][-2:]
            equal(stored, [event.event_id for event in events], f"READ-06: {stream} after the commit")


@check("APPEND-06", "APPEND-03", "TX-01", layer=Layer.INTERLEAVING, requires=[HELD])
def a_rival_of_a_held_append_loses(lab: Lab) -> None:
    """Of two appends with one expectation, the first held open before its commit, exactly one is stored."""
    namespace = lab.namespace()
    for way in ways(lab, namespace):
        for number, commit in enumerate([True, False] if way.can_roll_back else [True]):
            stream = f"rivals{len(way.name)}-{number}"
            store, free = lab.open(namespace), lab.open(namespace)
            free.append(stream, lab.events(1), expected_version=0)
            held = hold(lab, way, store, StreamAppend(stream, lab.events(2), 1))
            rival = Started(partial(free.append, stream, lab.events(1), expected_version=1))
            rival.ended(0.05)
            first = held.end(commit=commit)
            won = [] if first is None else [first]
            try:
                won.append(rival.result())
            except ConcurrencyError as error:
                stored = free.stream_info(stream).version
                equal(error.actual, stored, "APPEND-03: the actual version that the loser is told")
            if len(won) != 1:
                told = [f"versions {one.first_version} to {one.last_version}" for one in won]
                fail("APPEND-06: winners of two appends that expect version 1", expected="one", seen=told)
            events = list(free.read_stream(stream))
            equal([event.version for event in events], list(range(1, won[0].last_version + 1)), "the stream's versions")
            equal(tuple(event.event_id for event in events[1:]), won[0].event_ids, "the winner's events")


@check("SUB-01", "SUB-02", needs=[Capability.SUBSCRIBE], layer=Layer.INTERLEAVING, requires=[OVERTAKEN])
def a_subscription_waits_for_held_commits(lab: Lab) -> None:
    """Subscriptions that begin before, during and after a hold are all given exactly the feed."""
    namespace = lab.namespace()
    for way in ways(lab, namespace):
        store, free = lab.open(namespace), lab.open(namespace)
        free.append("free-1", lab.events(3), expected_version=ANY)
        following = [_follow(lab, namespace, 2)]
        held = hold(lab, way, store, StreamAppend(_STREAMS[0], lab.events(2), ANY))
        following.append(_follow(lab, namespace, 100))
        others = [meanwhile(lab, free, "free-1") for _ in range(3)]
        following.append(_follow(lab, namespace, 1))
        time.sleep(0.1)
        held.end()
        for other in others:
            other.result()
        following.append(_follow(lab, namespace, 100))
        free.append("free-1", lab.events(1), expected_version=ANY)
        truth = _truth(free)
        for number, one in enumerate(following):
            compare(f"SUB-01: subscription {number + 1} of 4", one.finish(len(truth)), truth, [])


def _follow(lab: Lab, namespace: str, batch_size: int) -> Following:
    return Following(lab.open(namespace).subscribe(batch_size=batch_size, poll_interval=0.005))
