"""READ: reading streams, and listing them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from conformance_tests.check import check
from conformance_tests.expect import equal, raises, true
from conformance_tests.interleavings.holding import Started
from conformance_tests.looking import nothing_stored, paged
from conformance_tests.patience import soon
from mink_core import Capability, ConcurrencyError, Direction, EventFilter, ExpectedVersion, StreamNotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from conformance_tests.lab import Lab
    from mink_core import Store, StoredEvent

ANY = ExpectedVersion.ANY
BACKWARD = Direction.BACKWARD
_LONG = 1103
"""Longer than two pages of any store seen."""


def fill(store: Store, lab: Lab, stream_id: str, number: int) -> None:
    """Append so many events."""
    for first in range(0, number, 400):
        store.append(stream_id, lab.events(min(400, number - first)), expected_version=ANY)


def numbers(events: Iterable[StoredEvent]) -> list[int]:
    """Their versions."""
    return [event.version for event in events]


@check("READ-01")
def a_missing_stream_reads_as_empty(lab: Lab) -> None:
    """A missing stream reads as empty, and stream_info raises, also where other ids begin or end alike."""
    store = lab.open()
    for name in ("order-1", "order-10", "order", "order-1-1", "xorder-2", "Order-2", "order_2"):
        store.append(name, lab.events(2), expected_version=0)
    with nothing_stored(store, "reads of missing streams"):
        for missing in ("order-2", "order-", "order-100", "orde", "order-1-", "order%", "order-_", "ORDER-1"):
            equal(list(store.read_stream(missing)), [], f"the missing stream {missing}")
            equal(
                list(store.read_stream(missing, after_version=1, limit=5)), [], f"the missing stream {missing}, bounded"
            )
            with raises(StreamNotFoundError, f"stream_info of {missing}", stream_id=missing):
                store.stream_info(missing)
    true(issubclass(StreamNotFoundError, LookupError), "a StreamNotFoundError is a LookupError")


@check("READ-01", "READ-03", needs={Capability.BACKWARDS})
def a_missing_stream_reads_as_empty_backward(lab: Lab) -> None:
    """A missing stream reads as empty backward, and so does an empty feed."""
    store = lab.open()
    equal(list(store.read_all(direction=BACKWARD)), [], "the empty feed backward")
    store.append("order-1", lab.events(2), expected_version=0)
    equal(list(store.read_stream("order-2", direction=BACKWARD)), [], "a missing stream backward")


@check("READ-02", "READ-03")
def bounds_and_limits_of_a_stream(lab: Lab) -> None:
    """after_version is exclusive and limit counts events, at every edge."""
    store = lab.open()
    store.append("order-10", lab.events(9), expected_version=0)
    store.append("order-1", lab.events(5), expected_version=0)
    for after in (0, 1, 2, 4, 5, 6, 100, 2**62):
        for limit in (None, 0, 1, 2, 4, 5, 6, 2**62):
            reader = store.read_stream("order-1", after_version=after, limit=limit)
            true(hasattr(reader, "__next__"), "what read_stream gives", expected="an iterator", seen=type(reader))
            got = numbers(reader)
            equal(got, list(range(after + 1, 6))[:limit], f"versions after {after}, limit {limit}")


@check("READ-02", "READ-03", needs={Capability.BACKWARDS})
def bounds_and_limits_of_a_stream_backward(lab: Lab) -> None:
    """Backward descends from the end; after_version stays the exclusive lower bound."""
    store = lab.open()
    store.append("order-1", lab.events(5), expected_version=0)
    store.append("order-10", lab.events(9), expected_version=0)
    for after in (0, 1, 2, 4, 5, 6, 2**62):
        for limit in (None, 0, 1, 2, 4, 5, 6, 2**62):
            got = numbers(store.read_stream("order-1", after_version=after, limit=limit, direction=BACKWARD))
            equal(got, list(range(5, after, -1))[:limit], f"versions backward, after {after}, limit {limit}")


@check("READ-02", "READ-03", "FEED-06")
def bounds_and_limits_of_the_feed(lab: Lab) -> None:
    """after_position is exclusive and limit counts events, in read_all and in poll, at every edge."""
    store = lab.open()
    for number in range(6):
        store.append(f"order-{number % 2}", lab.events(1 + number % 2), expected_version=ANY)
    all_ = list(store.read_all())
    equal(len(all_), 9, "events of the feed")
    for after in (0, *(event.global_position for event in all_)):
        above = [event for event in all_ if event.global_position > after]
        for limit in (None, 0, 1, 2, 8, 9, 10, 2**62):
            equal(
                list(store.read_all(after_position=after, limit=limit)), above[:limit], f"after {after}, limit {limit}"
            )
            if limit:
                equal(paged(store, after, limit), above, f"the pages after {after}, limit {limit}")
        equal(list(store.poll(after, limit=0).events), [], f"a page after {after}, limit 0")


@check("READ-02", "READ-03", "FEED-01", needs={Capability.BACKWARDS})
def bounds_and_limits_of_the_feed_backward(lab: Lab) -> None:
    """The feed backward is the same set reversed, with after_position the exclusive lower bound."""
    store = lab.open()
    for number in range(6):
        store.append(f"order-{number % 2}", lab.events(1 + number % 2), expected_version=ANY)
    all_ = list(store.read_all())
    filters = (EventFilter(), EventFilter(stream_ids=("order-0",)))
    for after in (0, *(event.global_position for event in all_)):
        for where in filters:
            above = [
                it for it in all_ if it.global_position > after and it.stream_id in (where.stream_ids or it.stream_id)
            ]
            for limit in (None, 0, 1, 2, 8, 9, 10, 2**62):
                got = list(store.read_all(after_position=after, limit=limit, where=where, direction=BACKWARD))
                equal(got, above[::-1][:limit], f"the feed backward, after {after}, limit {limit}")


@check("READ-03", "READ-04", "APPEND-03")
def long_streams_are_read_whole(lab: Lab) -> None:
    """A stream and a feed of many pages are read whole, with limits and bounds across the pages' edges."""
    store = lab.open()
    fill(store, lab, "order-1", _LONG)
    everything = list(range(1, _LONG + 1))
    equal(numbers(store.read_stream("order-1")), everything, "the versions of a long stream")
    for wrong in (_LONG - 1, _LONG + 1):
        with raises(ConcurrencyError, f"expecting {wrong} of a long stream", expected=wrong, actual=_LONG):
            store.append("order-1", lab.events(1), expected_version=wrong)
    equal(numbers(store.read_all()), everything, "the feed of a long stream")
    for edge in (99, 100, 101, 499, 500, 501, 512, 999, 1000, 1001, 1024, _LONG - 1, _LONG, _LONG + 1):
        equal(numbers(store.read_stream("order-1", limit=edge)), everything[:edge], f"limit {edge}")
        equal(numbers(store.read_stream("order-1", after_version=edge)), everything[edge:], f"after {edge}")
        equal(numbers(store.read_all(limit=edge)), everything[:edge], f"the feed, limit {edge}")
        equal(numbers(paged(store, 0, edge)), everything, f"the feed in pages, limit {edge}")
    got: list[int] = []
    position = 0
    while page := store.poll(position, limit=64).events:
        got += numbers(page)
        true(page[-1].global_position > position, "a page moves on", expected=f"above {position}", seen=numbers(page))
        position = page[-1].global_position
    equal(got, everything, "the feed in pages of 64")


@check("READ-03", needs={Capability.BACKWARDS})
def long_streams_are_read_whole_backward(lab: Lab) -> None:
    """A stream and a feed of many pages are read whole backward, with limits and bounds across the pages' edges."""
    store = lab.open()
    fill(store, lab, "order-1", _LONG)
    everything = list(range(_LONG, 0, -1))
    equal(numbers(store.read_stream("order-1", direction=BACKWARD)), everything, "a long stream backward")
    equal(numbers(store.read_all(direction=BACKWARD)), everything, "a long feed backward")
    for edge in (1, 99, 100, 101, 499, 500, 501, 999, 1000, 1001, _LONG):
        got = numbers(store.read_stream("order-1", limit=edge, direction=BACKWARD))
        equal(got, everything[:edge], f"backward, limit {edge}")
        got = numbers(store.read_stream("order-1", after_version=edge, direction=BACKWARD))
        equal(got, everything[: _LONG - edge], f"backward, after {edge}")
        equal(
            numbers(store.read_all(limit=edge, direction=BACKWARD)), everything[:edge], f"feed backward, limit {edge}"
        )


@check("READ-04")
def unfinished_readers_hold_nothing(lab: Lab) -> None:
    """Forty readers that stopped in the middle stop nobody: neither appends nor other readers."""
    store = lab.open()
    fill(store, lab, "order-1", 700)
    readers: list[Any] = []
    for number in range(40):
        reader = store.read_stream("order-1") if number % 2 else store.read_all()
        equal(next(reader).version, 1, "a reader's first event")
        readers.append(reader)
    # From another thread: a lock that the readers' own thread has would let it pass.
    appended = Started(partial(store.append, "order-1", lab.events(1), expected_version=700))
    true(appended.ended(soon()), "an append by another thread meanwhile", expected="an end", seen="it waits")
    equal(appended.result().last_version, 701, "an append meanwhile")
    equal(store.stream_info("order-1").version, 701, "stream_info meanwhile")
    for number, reader in enumerate(readers):
        rest = numbers(reader)
        want = list(range(2, 701))
        true(
            rest in (want, [*want, 701]) if number % 2 else rest == want,
            "a reader that goes on",
            expected=want,
            seen=rest,
        )


@check("READ-06")
def writes_are_read_at_once(lab: Lab) -> None:
    """What was appended is read at once from any handle, in its stream, in stream_info, in streams() and in the feed."""
    store, other = lab.open(), lab.open()
    for number in range(1, 15):
        result = store.append("order-1", lab.events(1), expected_version=ANY)
        for handle in (store, other):
            equal(numbers(handle.read_stream("order-1"))[-1:], [number], "the newest version read")
            equal(handle.stream_info("order-1").version, number, "stream_info's version")
            equal([info.version for info in handle.streams()], [number], "the version listed")
            equal(numbers(handle.read_all())[-1:], [number], "the newest version in the feed")
            page = handle.poll(result.first_position - 1)
            equal([it.global_position for it in page.events], [result.last_position], "the feed's next page")
            equal(handle.head_position(), result.last_position, "the head")
