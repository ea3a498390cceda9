"""Reads inside a transaction: what it has written itself is bounded, ordered and limited like everything else."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from conformance_tests.check import check
from conformance_tests.expect import equal, true
from conformance_tests.interleavings.holding import Started
from conformance_tests.patience import promptly
from mink_core import Capability, Direction

if TYPE_CHECKING:
    from conformance_tests.lab import Lab
    from mink_core import EventLog

_STORED = ["a-2", "b-1"]
_OWN = ["a-1", "a-3", "ab-1", "b-2", "c-1"]


class _InterruptedError(BaseException):
    """Leaves a block as KeyboardInterrupt does, which no `except Exception` catches."""


@check("READ-09", "READ-02", "READ-06", needs=[Capability.TRANSACTIONS])
def a_transaction_lists_its_own_streams_among_the_others(lab: Lab) -> None:
    """`streams` of a transaction: its own new streams in their places, with the same bounds, categories and limits."""
    store = lab.open()
    for stream_id in _STORED:
        store.append(stream_id, lab.events(1), expected_version=0)
    everything = sorted([*_STORED, *_OWN])
    with store.transaction() as transaction:
        for stream_id in reversed(_OWN):
            transaction.append(stream_id, lab.events(2), expected_version=0)
        _listed(transaction, everything)
    _listed(store, everything)


def _listed(log: EventLog, everything: list[str]) -> None:
    for after in [None, *everything, "a-", "a-25", "z"]:
        for category in (None, "a", "b", "c", "none"):
            for limit in (None, 0, 1, 3):
                names = [name for name in everything if after is None or name > after]
                names = [name for name in names if category is None or name.partition("-")[0] == category]
                found = [info.stream_id for info in log.streams(category=category, after=after, limit=limit)]
                equal(found, names[:limit], f"streams(category={category!r}, after={after!r}, limit={limit})")


@check("READ-02", "READ-03", "READ-06", needs=[Capability.TRANSACTIONS])
def a_transaction_reads_its_own_events_after_the_stored(lab: Lab) -> None:
    """`read_stream` and `stream_info` of a transaction: stored events and its own are one stream, however bounded."""
    store = lab.open()
    given = lab.events(6)
    store.append("order-1", given[:3], expected_version=0)
    with store.transaction() as transaction:
        for index in (3, 4, 5):
            transaction.append("order-1", given[index : index + 1], expected_version=index)
        equal(transaction.stream_info("order-1").version, 6, "the version that the transaction sees")
        equal(store.stream_info("order-1").version, 3, "the version that others see")
        began = store.stream_info("order-1").created_at
        equal(transaction.stream_info("order-1").created_at, began, "created_at that the transaction sees")
        for after in range(8):
            for limit in (None, 0, 1, 2, 4):
                want = [event.event_id for event in given[after:]]
                read = transaction.read_stream("order-1", after_version=after, limit=limit)
                equal([event.event_id for event in read], want[:limit], f"after {after}, limit {limit}")
                if Capability.BACKWARDS in lab.capabilities:
                    back = transaction.read_stream(
                        "order-1", after_version=after, limit=limit, direction=Direction.BACKWARD
                    )
                    equal([event.event_id for event in back], want[::-1][:limit], f"backward, after {after}, {limit}")


@check("TX-01", "FEED-03", needs=[Capability.TRANSACTIONS])
def an_interrupted_transaction_is_undone_at_once(lab: Lab) -> None:
    """What is no Exception, as KeyboardInterrupt, rolls a transaction back like any error: no lock and no hold is left."""
    store = lab.open()
    with suppress(_InterruptedError), store.transaction() as transaction:
        transaction.append("order-1", lab.events(1), expected_version=0)
        raise _InterruptedError
    given = lab.events(2)
    again = Started(partial(store.append, "order-1", given, expected_version=0))
    true(again.ended(promptly()), "an append to its stream afterwards", expected="an end", seen="it waits")
    equal(again.result().last_version, 2, "the version of an append afterwards")
    equal([it.event_id for it in store.read_all()], [it.event_id for it in given], "the feed afterwards")
