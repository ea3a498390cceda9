"""One store used by several callers at once, threads or tasks: what one of them does reaches no other."""

from __future__ import annotations

import threading
from contextlib import suppress
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

from conformance_tests.check import check
from conformance_tests.expect import equal, true
from conformance_tests.interleavings.holding import Started
from conformance_tests.looking import paged, result_of, told, versions
from mink_core import AppendResult, Capability, ConcurrencyError, EventFilter, ExpectedVersion, MinkError

if TYPE_CHECKING:
    from conformance_tests.lab import Lab
    from mink_core import NewEvent, Store, Transaction

ANY = ExpectedVersion.ANY

_CALLERS = 6
_ROUNDS = 6
_MAY_WAIT = 0.1
_ENDS = 30.0
_ENDINGS = 24
_OTHERS = 4


class _UndoneError(Exception):
    """Rolls a transaction back."""


@check("APPEND-10", "READ-06")
def callers_of_one_store_get_their_own_answers(lab: Lab) -> None:
    """Callers that append, read and poll by one store at once are each answered what they asked, and store what they gave."""
    store = lab.open()
    given = [
        [[lab.event({"caller": caller, "round": round_}) for _ in range(1 + caller % 3)] for round_ in range(_ROUNDS)]
        for caller in range(_CALLERS)
    ]
    calls = [partial(_own_stream, store, f"own-{caller}", batches) for caller, batches in enumerate(given)]
    for result in lab.together(calls):
        if isinstance(result, Exception):
            raise result
    for caller, batches in enumerate(given):
        stored = [(event.event_id, event.data) for event in lab.open().read_stream(f"own-{caller}")]
        wanted = [(event.event_id, event.data) for events in batches for event in events]
        equal(stored, wanted, f"what is stored of caller {caller}, one of {_CALLERS} on one store")


def _own_stream(store: Store, stream_id: str, batches: list[list[NewEvent]]) -> None:
    version = 0
    for events in batches:
        result = store.append(stream_id, events, expected_version=version)
        mine = list(store.read_stream(stream_id, after_version=version))
        equal([event.event_id for event in mine], [event.event_id for event in events], f"{stream_id}, as it was given")
        equal(result, result_of(mine), f"an append's result to {stream_id}, and one made of the events read")
        version += len(events)
        equal(store.stream_info(stream_id).version, version, f"the version of {stream_id}")
    everything = told(list(store.read_stream(stream_id)))
    polled = told(paged(store, 0, 3, where=EventFilter(stream_ids=(stream_id,))))
    equal(polled, everything[: len(polled)], f"the polls for {stream_id}")  # appends in flight may hold the rest back


@check("APPEND-06", "APPEND-05")
def one_of_the_callers_of_a_store_wins(lab: Lab) -> None:
    """Of callers that race by one store with one exact expectation one wins; with ANY they all do."""
    store = lab.open()
    for round_ in range(_ROUNDS):
        expected = 0 if round_ % 2 == 0 else ANY
        stream_id = f"race-{round_}"
        calls = [partial(store.append, stream_id, lab.events(2), expected_version=expected) for _ in range(_CALLERS)]
        results = lab.together(calls)
        for result in results:
            fits = isinstance(result, (AppendResult, ConcurrencyError) if expected == 0 else AppendResult)
            true(fits, f"a race by one store with {expected!r}", expected="a result, or a conflict", seen=repr(result))
        won = sum(isinstance(result, AppendResult) for result in results)
        equal(
            won, 1 if expected == 0 else _CALLERS, f"how many of {_CALLERS} callers of one store won with {expected!r}"
        )
        equal(versions(store, stream_id), list(range(1, 2 * won + 1)), "the versions after the race")


@check("TX-01", needs=[Capability.TRANSACTIONS])
def transactions_of_one_store_are_apart(lab: Lab) -> None:
    """Neither an append nor a transaction of the same store is undone, nor seen, with another one that is rolled back."""
    store = lab.open()
    has_appended, may_end = threading.Event(), threading.Event()
    first, second, alone = (lab.events(1) for _ in range(3))

    def undone() -> None:
        with store.transaction() as transaction:
            transaction.append("undone-1", first, expected_version=0)
            has_appended.set()
            may_end.wait(_ENDS)
            raise _UndoneError

    def kept() -> None:
        with store.transaction() as transaction:
            transaction.append("kept-1", second, expected_version=0)

    held = Started(undone)
    try:
        has_appended.wait(_ENDS)
        beside = [
            Started(kept),
            Started(partial(store.append, "alone-1", alone, expected_version=0)),
            Started(partial(versions, store, "undone-1")),
        ]
        for call in beside:
            call.ended(_MAY_WAIT)  # one with a single connection may let them wait
    finally:
        may_end.set()
    with suppress(_UndoneError):
        held.result()
    for call in beside[:2]:
        call.result()
    equal(beside[2].result(), [], "what was read of a transaction of the same store that was rolled back")
    for stream_id, wanted in (("undone-1", []), ("kept-1", [1]), ("alone-1", [1])):
        equal(versions(lab.open(), stream_id), wanted, f"{stream_id}, after one of two transactions was rolled back")


@check("TX-01", needs=[Capability.TRANSACTIONS])
def calls_of_others_end_with_their_transaction(lab: Lab) -> None:
    """Calls that other threads or tasks make in a transaction while its block ends by an error are undone with it, or refused."""
    store = lab.open()
    for number in range(_ENDINGS):
        calls: list[Started] = []
        with suppress(_UndoneError), store.transaction() as transaction:
            for other in range(_OTHERS):
                calls.append(Started(partial(_append_on, lab, transaction, f"ending{number}-{other}")))  # noqa: PERF401
            with suppress(MinkError):  # no rule says that it may have several callers at once
                transaction.append(f"ending{number}-own", lab.events(1), expected_version=0)
            raise _UndoneError
        for call in calls:
            call.result()
    # A late one may have come into the next transaction on its connection.
    with store.transaction() as transaction:
        transaction.append("after-1", lab.events(1), expected_version=0)
    stored = [event.stream_id for event in lab.open().read_all()]
    equal(
        stored,
        ["after-1"],
        f"the streams stored after {_ENDINGS} transactions that were rolled back, and one that was not",
    )


def _append_on(lab: Lab, transaction: Transaction, stream_id: str) -> None:
    with suppress(MinkError):  # refused, from the end on
        for version in count():
            transaction.append(stream_id, lab.events(1), expected_version=version)
