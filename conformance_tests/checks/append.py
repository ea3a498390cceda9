"""APPEND-01 to 06 and 10: what an append stores, what it expects, what it answers."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from conformance_tests.check import check
from conformance_tests.expect import equal, fail, raises, same, true
from conformance_tests.interleavings.holding import Started
from conformance_tests.looking import nothing_stored, positions, result_of, versions
from mink_core import AppendResult, ConcurrencyError, ExpectedVersion, NewEvent, StreamNotFoundError, UsageError
from mink_core.limits import limits_of

if TYPE_CHECKING:
    from conformance_tests.lab import Lab
    from mink_core import EventLog, Expected, StoredEvent

ANY, NO_STREAM, STREAM_EXISTS = ExpectedVersion.ANY, ExpectedVersion.NO_STREAM, ExpectedVersion.STREAM_EXISTS
_CALLERS = 8


@check("APPEND-01", "READ-06")
def a_long_call_is_seen_whole_or_not_at_all(lab: Lab) -> None:
    """While one handle appends long calls, another finds each of them whole or not at all, in its stream and the feed."""
    store, other = lab.open(), lab.open()
    size = min(1000, limits_of(store).call_events)
    calls = [lab.events(size) for _ in range(5)]

    def write() -> None:
        for number, events in enumerate(calls):
            store.append(f"long-{number}", events, expected_version=0)

    writing, position, ended = Started(write), 0, False
    while not ended:
        ended = writing.ended()
        # Not by `poll`, whose page may end anywhere; `read_all` ends at a mark.
        new = positions(other.read_all(after_position=position))
        position = max([position, *new])
        equal(len(new) % size, 0, f"of {len(new)} events, each call being {size}, how many are of no whole call")
        for info in other.streams():
            equal(info.version, size, f"the version of {info.stream_id}, which one call wrote")
    writing.result()
    equal(len(list(other.read_all())), len(calls) * size, "the events in the end")


@check("APPEND-01", "APPEND-07")
def one_bad_event_stores_none(lab: Lab) -> None:
    """Where the last event of a call cannot be stored, its other events are not stored either."""
    store = lab.open()
    store.append("order-1", lab.events(1), expected_version=0)
    for bad in (lab.event(object()), lab.event(2**63), lab.event("nul \0"), lab.event(None, event_type="")):
        for stream_id, expected in (("order-1", 1), ("order-2", 0), ("order-1", ANY), ("order-2", ANY)):
            with nothing_stored(store, "a call with one bad event"), raises(UsageError, "one bad event of three"):
                store.append(stream_id, [*lab.events(2), bad], expected_version=expected)
    store.append("order-1", lab.events(1), expected_version=1)


@check("APPEND-02", "APPEND-10")
def versions_count_from_one(lab: Lab) -> None:
    """Appends give a stream the versions 1 to n, in the order of the calls and of their events."""
    one, other = lab.open(), lab.open()
    given: dict[str, list[NewEvent]] = {"order-1": [], "order-10": [], "order": []}
    for size in (2, 1, 3, 1):
        for number, (stream_id, before) in enumerate(given.items()):
            events = lab.events(size + number)
            store = one if size % 2 else other
            result = store.append(stream_id, events, expected_version=len(before))
            first = len(before) + 1
            equal((result.first_version, result.last_version), (first, len(before) + len(events)), "result's versions")
            before.extend(events)
    for stream_id, events in given.items():
        stored = list(one.read_stream(stream_id))
        equal([event.version for event in stored], list(range(1, len(events) + 1)), f"the versions of {stream_id}")
        equal([event.event_id for event in stored], [event.event_id for event in events], f"the ids of {stream_id}")
        equal([event.data for event in stored], [event.data for event in events], f"the data of {stream_id}")
        equal(one.stream_info(stream_id).version, len(events), f"stream_info's version of {stream_id}")


@check("APPEND-02")
def many_events_in_one_call(lab: Lab) -> None:
    """A call of 1,500 events, or of as many as the store takes, stores them in order."""
    store = lab.open()
    events = lab.events(min(1500, limits_of(store).call_events))
    store.append("order-1", events, expected_version=0)
    stored = list(store.read_stream("order-1"))
    equal([event.version for event in stored], list(range(1, len(events) + 1)), "the versions")
    equal([event.event_id for event in stored], [event.event_id for event in events], "the ids in order")


@check("APPEND-03")
def exact_conflict_tells_the_true_version(lab: Lab) -> None:
    """An exact expectation below or above the version is refused with the true one, and nothing is stored."""
    store, other = lab.open(), lab.open()
    store.append("order-1", lab.events(2), expected_version=0)
    store.append("order-10", lab.events(5), expected_version=0)
    for number, expected in enumerate((1, 3, 4, 5, 7, 1000, 2**62)):
        with (
            nothing_stored(store, f"expecting {expected} of 2"),
            raises(ConcurrencyError, f"expecting {expected} of 2", stream_id="order-1", expected=expected, actual=2),
        ):
            (other if number % 2 else store).append("order-1", lab.events(1 + number % 3), expected_version=expected)
    store.append("order-1", lab.events(1), expected_version=2)
    equal(versions(store, "order-1"), [1, 2, 3], "the versions after a right expectation")


@check("APPEND-03")
def exact_version_of_a_missing_stream_is_a_conflict(lab: Lab) -> None:
    """Expecting 7 of a stream that does not exist is a conflict with actual 0, and creates nothing."""
    store = lab.open()
    store.append("order-10", lab.events(7), expected_version=0)
    for expected in (1, 7, 2**62):
        with (
            nothing_stored(store, f"expecting {expected} of nothing"),
            raises(ConcurrencyError, "a missing stream", stream_id="order-1", expected=expected, actual=0),
        ):
            store.append("order-1", lab.events(2), expected_version=expected)
        with raises(StreamNotFoundError, "stream_info after the refusal", stream_id="order-1"):
            store.stream_info("order-1")
    equal(store.append("order-1", lab.events(1), expected_version=0).last_version, 1, "the first version afterwards")


@check("APPEND-04")
def no_stream_needs_a_missing_stream(lab: Lab) -> None:
    """NO_STREAM, and the exact 0, are refused on an existing stream, and pass on a missing one."""
    store = lab.open()
    for stream_id, expected in (("order-1", NO_STREAM), ("order-2", 0)):
        store.append(stream_id, lab.events(3), expected_version=expected)
        for again in (NO_STREAM, 0):
            with nothing_stored(store, "NO_STREAM on a stream"):
                error = _conflict(store, stream_id, lab, again)
            true(
                same(error.expected, again) or error.expected is NO_STREAM, "the error's expected", seen=error.expected
            )
            equal((error.stream_id, error.actual), (stream_id, 3), "the error's stream_id and actual")


def _conflict(store: EventLog, stream_id: str, lab: Lab, expected: Any) -> ConcurrencyError:
    try:
        store.append(stream_id, lab.events(1), expected_version=expected)
    except ConcurrencyError as error:
        return error
    return fail(
        f"appending with {expected!r} to a stream that exists", expected="ConcurrencyError", seen="it was stored"
    )


@check("APPEND-04")
def stream_exists_needs_a_stream(lab: Lab) -> None:
    """STREAM_EXISTS is refused on a missing stream, which it does not create, and passes on one that exists."""
    store = lab.open()
    store.append("order-10", lab.events(1), expected_version=NO_STREAM)
    with (
        nothing_stored(store, "STREAM_EXISTS on nothing"),
        raises(ConcurrencyError, "STREAM_EXISTS on nothing", stream_id="order-1", expected=STREAM_EXISTS, actual=0),
    ):
        store.append("order-1", lab.events(2), expected_version=STREAM_EXISTS)
    store.append("order-1", lab.events(2), expected_version=NO_STREAM)
    equal(store.append("order-1", lab.events(1), expected_version=STREAM_EXISTS).last_version, 3, "the version")


@check("APPEND-05")
def any_fits_every_version(lab: Lab) -> None:
    """ANY appends to a missing stream and to one at whatever version."""
    store = lab.open()
    for number in range(1, 5):
        result = store.append("order-1", lab.events(number), expected_version=ANY)
        equal(result.first_version, sum(range(number)) + 1, "the first version")
    equal(versions(store, "order-1"), list(range(1, 11)), "the versions")


@check("APPEND-05", "APPEND-02")
def any_never_conflicts_when_creating(lab: Lab) -> None:
    """Callers that race with ANY to create a stream all succeed, at versions of their own."""
    handles = [lab.open() for _ in range(_CALLERS)]
    for round_ in range(6):
        stream_id = f"race-{round_}"
        batches = [lab.events(1 + number % 3) for number in range(_CALLERS)]
        calls = [
            partial(store.append, stream_id, events, expected_version=ANY)
            for store, events in zip(handles, batches, strict=True)
        ]
        results = lab.together(calls)
        for result in results:
            true(isinstance(result, AppendResult), "an append with ANY in a race", expected="a result", seen=result)
        total = sum(map(len, batches))
        stored = list(handles[0].read_stream(stream_id))
        equal([event.version for event in stored], list(range(1, total + 1)), "the versions after the race")
        _belong(stored, results, batches)


def _belong(stored: list[StoredEvent], results: list[Any], batches: list[list[NewEvent]]) -> None:
    for result, events in zip(results, batches, strict=True):
        mine = stored[result.first_version - 1 : result.last_version]
        equal(
            [event.event_id for event in mine], [event.event_id for event in events], "the events at a result's place"
        )


@check("APPEND-06", "APPEND-03")
def one_wins_a_race(lab: Lab) -> None:
    """Of callers with one exact expectation one wins; each other is told the version that the winner made."""
    handles = [lab.open() for _ in range(_CALLERS)]
    for round_ in range(6):
        stream_id = f"race-{round_ // 2}"
        expected = handles[0].stream_info(stream_id).version if round_ % 2 else 0
        calls = [partial(store.append, stream_id, lab.events(2), expected_version=expected) for store in handles]
        results = lab.together(calls)
        losers = [result for result in results if not isinstance(result, AppendResult)]
        for result in losers:
            true(isinstance(result, ConcurrencyError), "a loser", expected="ConcurrencyError", seen=repr(result))
        won = len(results) - len(losers)
        equal(won, 1, f"how many of {_CALLERS} callers with expected version {expected} won")
        for result in losers:
            equal(getattr(result, "actual", None), expected + 2, "the actual version that a loser was told")
        equal(versions(handles[-1], stream_id), list(range(1, expected + 3)), "the versions after the race")


@check("APPEND-03", "APPEND-06")
def update_decides_again_after_a_conflict(lab: Lab) -> None:
    """`update` reads, decides and appends; after a conflict it decides again on what is stored then."""
    store, other = lab.open(), lab.open()
    seen: list[int] = []

    def decide(events: list[StoredEvent]) -> list[NewEvent]:
        seen.append(len(events))
        if len(seen) == 1:
            other.append("order-1", lab.events(2), expected_version=ANY)
        return lab.events(1)

    result = store.update("order-1", decide)
    equal(seen, [0, 2], "how many events each decision saw")
    equal(result and result.first_version, 3, "where the decision was stored")
    equal(store.update("order-1", lambda _: []), None, "an update that decides for nothing")

    def spoil(_: list[StoredEvent]) -> list[NewEvent]:
        other.append("order-1", lab.events(1), expected_version=ANY)
        return lab.events(1)

    with raises(ConcurrencyError, "an update that never gets through", stream_id="order-1"):
        store.update("order-1", spoil, retries=2)
    equal(store.stream_info("order-1").version, 6, "the version after one decision and two retries were spoilt")


@check("APPEND-10")
def result_equals_what_a_read_returns(lab: Lab) -> None:
    """A result's stream, versions, positions and ids are those of the events that a read returns."""
    store, other = lab.open(), lab.open()
    expectations: tuple[Expected, ...] = (NO_STREAM, 1, ANY, STREAM_EXISTS, 10)
    for number, expected in enumerate(expectations):
        events = [lab.event({"n": number}, event_type=f"Type{n}", metadata={"n": n}) for n in range(number + 1)]
        result = store.append("order-1", events, expected_version=expected)
        mine = list(other.read_stream("order-1", after_version=result.first_version - 1))
        equal(result, result_of(mine), "an append's result, and one made of the events read")
        for given, stored in zip(events, mine, strict=True):
            equal(stored.stream_id, "order-1", "stream_id")
            equal(stored.event_type, given.event_type, "event_type")
            equal((stored.data, stored.metadata), (given.data, given.metadata), "data and metadata")
        equal(list(other.read_all(after_position=result.first_position - 1)), mine, "the same events in the feed")


@check("READ-07", "APPEND-10")
def timestamps_tell_when(lab: Lab) -> None:
    """A timestamp, of an event or a stream, is an aware time in UTC about now, moves on, and never decreases in a stream."""
    store, other = lab.open(), lab.open()
    for number in range(20):
        (store if number % 2 else other).append("order-1", lab.events(1 + number % 3), expected_version=ANY)
    time.sleep(0.05)
    store.append("order-1", lab.events(1), expected_version=ANY)
    stamps = [event.timestamp for event in store.read_stream("order-1")]
    for stamp in stamps:
        true(isinstance(stamp, datetime) and stamp.utcoffset() == timedelta(0), "a timestamp in UTC", seen=repr(stamp))
    true(stamps == sorted(stamps), "timestamps within a stream", expected="ascending", seen=stamps)
    true(stamps[-1] - stamps[-2] >= timedelta(milliseconds=20), "timestamps 50 ms apart", seen=stamps[-1] - stamps[-2])
    now = datetime.now(UTC)
    true(abs(now - stamps[-1]) < timedelta(days=1), "a timestamp about now", expected=now, seen=stamps[-1])
    info = store.stream_info("order-1")
    equal(info.updated_at, stamps[-1], "updated_at and the newest event's timestamp")
    true(info.created_at <= stamps[0], "created_at", expected=f"at or before {stamps[0]}", seen=info.created_at)
    for it in (info, *store.streams()):
        for stamp in (it.created_at, it.updated_at):
            true(stamp.utcoffset() == timedelta(0), "a stream's time in UTC", seen=repr(stamp))
