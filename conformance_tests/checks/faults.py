"""Connections that break at the worst moments: what was stored is known, or said to be unknown."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from conformance_tests.check import Layer, check
from conformance_tests.expect import equal, fail, true
from conformance_tests.faults.striking import ENDED, FAULTS, Bench, again, attempt, bench
from conformance_tests.interleavings.following import Following
from conformance_tests.interleavings.holding import Started
from conformance_tests.level import Level
from conformance_tests.patience import promptly
from mink_core import (
    AppendResult,
    Capability,
    ExpectedVersion,
    MinkError,
    OutcomeUnknownError,
    StreamAppend,
    TransientStorageError,
)
from mink_core.testing import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance_tests.lab import Lab
    from mink_core import NewEvent

ANY = ExpectedVersion.ANY
USED_UP = "pools used up, as the fault injector tells their size"
LOCKED = "short waits for a locked stream, by the fault injector's store"


def _check_told(told: Any, *, stored: bool, safe: bool | None) -> None:
    """What the caller was told fits what is stored."""
    if isinstance(told, OutcomeUnknownError):
        if safe is not None:
            equal(told.retry_is_safe, safe, "APPEND-09: OutcomeUnknownError.retry_is_safe")
    elif isinstance(told, TransientStorageError):
        if stored:
            fail(
                "APPEND-01: TransientStorageError says that nothing was stored",
                expected="OutcomeUnknownError, or nothing stored",
                seen=f"the events are stored, and the caller was told: {told}",
            )
    elif isinstance(told, MinkError):
        fail(
            "what a call raises whose connection breaks",
            expected="TransientStorageError or OutcomeUnknownError",
            seen=repr(told),
        )
    elif not stored:
        fail("APPEND-01: an acknowledged append", expected="stored", seen=f"nothing, and the caller was told {told}")


@check("APPEND-09", "APPEND-01", layer=Layer.FAULT, requires=[FAULTS])
def an_exact_append_is_stored_once_whatever_breaks(lab: Lab) -> None:
    """A connection cut before or after the commit: the same call made again stores an exact append once."""
    with bench(lab) as at:
        if at is None:
            return
        for fault in Fault:
            stream, version = f"cut-{fault.value}", 0
            for size in (1, 3, 1):
                events = lab.events(size)
                call = partial(at.store.append, stream, events, expected_version=version)
                told = at.strike(fault, stream, call)
                there = at.stored(stream, events)
                if fault is Fault.CUT_BEFORE:
                    true(not there or isinstance(told, AppendResult), "events of a request cut off", seen=there)
                _check_told(told, stored=bool(there), safe=True)
                _is_stored_once(at, stream, events, again(call), version)
                version += size


def _is_stored_once(at: Bench, stream: str, events: list[NewEvent], result: Any, version: int) -> None:
    ids = [event.event_id for event in events]
    equal(at.stored(stream, events), ids, f"APPEND-09: the events of a repeated call in {stream}")
    if not isinstance(result, AppendResult):
        fail("APPEND-09: a call that is repeated", expected="the result of the first one", seen=repr(result))
    equal(
        (result.first_version, result.last_version, list(result.event_ids)),
        (version + 1, version + len(events), ids),
        "APPEND-09: the versions and ids that a repeated call gives",
    )
    there = [event for event in at.witness.read_stream(stream) if event.version > version]
    equal(result.first_position, there[0].global_position, "APPEND-10: the first position of a repeated call")


@check("APPEND-09", "APPEND-01", layer=Layer.FAULT, requires=[FAULTS])
def an_unknown_outcome_says_whether_to_repeat(lab: Lab) -> None:
    """After a lost reply under ANY, `retry_is_safe` is true only where ids are unique, and then a repeat stores once."""
    unique = Capability.UNIQUE_EVENT_IDS in lab.capabilities
    with bench(lab) as at:
        if at is None:
            return
        for number, expected in enumerate((ANY, ExpectedVersion.STREAM_EXISTS)):
            stream = f"loose-{number}"
            at.witness.append(stream, lab.events(1), expected_version=0)
            for fault in Fault:
                events = lab.events(2)
                call = partial(at.store.append, stream, events, expected_version=expected)
                told = at.strike(fault, stream, call)
                there = at.stored(stream, events)
                ids = [event.event_id for event in events]
                true(there in ([], ids), "APPEND-01: events of one call", expected="stored once, or not", seen=there)
                _check_told(told, stored=bool(there), safe=unique)
                if unique or isinstance(told, TransientStorageError):
                    result = again(call)
                    true(isinstance(result, AppendResult), "APPEND-09: the call made again", seen=repr(result))
                    equal(at.stored(stream, events), ids, f"APPEND-09: the events in {stream}")


@check("APPEND-11", "APPEND-09", needs=[Capability.APPEND_BATCH], layer=Layer.FAULT, requires=[FAULTS])
def a_batch_is_stored_whole_and_once_whatever_breaks(lab: Lab) -> None:
    """A batch whose connection is cut is stored whole or not at all; made again, it is stored once."""
    with bench(lab) as at:
        if at is None:
            return
        for fault in Fault:
            streams = [f"batch-{fault.value}-{number}" for number in range(3)]
            items = [StreamAppend(stream, lab.events(2), 0) for stream in streams]
            call = partial(at.store.append_batch, items)
            told = at.strike(fault, streams[1], call)
            whole = [len(at.stored(item.stream_id, list(item.events))) for item in items]
            true(whole in ([0, 0, 0], [2, 2, 2]), "APPEND-11: events stored of each item", seen=whole)
            _check_told(told, stored=any(whole), safe=True)
            result = again(call)
            true(isinstance(result, list), "APPEND-09: the batch made again", seen=repr(result))
            for item in items:
                there = at.stored(item.stream_id, list(item.events))
                equal(there, [event.event_id for event in item.events], f"APPEND-09: the events in {item.stream_id}")


@check("TX-01", needs=[Capability.TRANSACTIONS], layer=Layer.FAULT, requires=[FAULTS])
def a_transaction_is_whole_when_its_commit_is_lost(lab: Lab) -> None:
    """A transaction whose connection breaks at COMMIT is stored whole or not at all, and its outcome is unknown."""
    with bench(lab) as at:
        if at is None:
            return
        for fault in Fault:
            streams = [f"tx-{fault.value}-{number}" for number in range(2)]
            events = [lab.events(2) for _ in streams]

            def work(streams: list[str] = streams, events: list[list[NewEvent]] = events) -> None:
                with at.store.transaction() as transaction:
                    for stream, some in zip(streams, events, strict=True):
                        transaction.append(stream, some, expected_version=0)

            told = at.strike(fault, None, work)
            whole = [len(at.stored(stream, some)) for stream, some in zip(streams, events, strict=True)]
            true(whole in ([0, 0], [2, 2]), "TX-01: events stored of each append", seen=whole)
            if told is None:
                true(any(whole), "TX-01: a transaction that committed", expected="stored", seen="nothing is stored")
            else:
                _check_told(told, stored=any(whole), safe=None)
            equal(at.store.head_position(), at.witness.head_position(), "the head, by the store that met the fault")


@check("APPEND-09", "APPEND-02", "FEED-06", layer=Layer.FAULT, level=Level.STANDARD, requires=[FAULTS])
def a_writer_with_a_bad_connection_loses_and_repeats_nothing(lab: Lab) -> None:
    """A writer whose connection breaks now and then, and who repeats its calls, stores every event once, in order."""
    with bench(lab) as at:
        if at is None:
            return
        wanted = []
        for version in range(40):
            (event,) = lab.events(1)
            wanted.append(event.event_id)
            call = partial(at.store.append, "writer-1", [event], expected_version=version)
            fault = lab.random.choice([None, None, *Fault, "end"])
            if isinstance(fault, Fault):
                at.strike(fault, "writer-1", call)
            elif fault == "end":
                lab.count(ENDED, at.injector.end_sessions())
            result = again(call)
            true(isinstance(result, AppendResult), f"APPEND-09: append {version + 1}", seen=repr(result))
        equal([event.event_id for event in at.witness.read_stream("writer-1")], wanted, "APPEND-09: the stream")
        feed = [event.event_id for event in again(lambda: list(at.store.read_all()))]
        equal(feed, wanted, "FEED-06: the feed, by the store that met the faults")


@check("SUB-03", "SUB-01", needs=[Capability.SUBSCRIBE], layer=Layer.FAULT, requires=[ENDED])
def a_subscription_outlives_its_connection(lab: Lab) -> None:
    """A subscription whose sessions the storage ends goes on afterwards, and skips and repeats nothing."""
    with bench(lab) as at:
        if at is None:
            return
        _loses_its_connection_behind(at)
        start = at.witness.head_position()
        subscription = at.store.subscribe(after_position=start, batch_size=2, poll_interval=0.01)
        following, total = Following(subscription, retry=True), 0
        for _ in range(3):
            at.witness.append("fed-1", lab.events(3), expected_version=ANY)
            following.wait_for(total + 3)
            lab.count(ENDED, at.injector.end_sessions())
            at.witness.append("fed-1", lab.events(2), expected_version=ANY)
            total += 5
        versions = [event.version for event in following.finish(total)]
        equal(versions, list(range(1, total + 1)), "SUB-03: the versions that a subscription gave over three losses")


def _loses_its_connection_behind(at: Bench) -> None:
    """Much is still to come when the connection goes."""
    size = 12
    at.witness.append("behind-1", at.lab.events(size), expected_version=0)

    ends = {2, 6}

    def between(given: int) -> None:
        if given in ends:
            ends.discard(given)  # once: it is asked again after each step that failed
            at.lab.count(ENDED, at.injector.end_sessions())

    following = Following(at.store.subscribe(batch_size=2, poll_interval=0.01), retry=True, between=between)
    versions = [event.version for event in following.finish(size)]
    equal(versions, list(range(1, size + 1)), "SUB-03: the versions of a subscription that lost its connection")


@check("APPEND-01", needs=[Capability.TRANSACTIONS], layer=Layer.FAULT, requires=[USED_UP])
def a_used_up_pool_refuses_for_the_moment(lab: Lab) -> None:
    """With every connection in use a call ends in TransientStorageError, stores nothing, and works again later."""
    with bench(lab) as at:
        if at is None:
            return
        (event,) = lab.events(1)
        call = partial(at.store.append, "late-1", [event], expected_version=0)
        with ExitStack() as stack:
            for number in range(at.injector.connections):
                transaction = stack.enter_context(at.store.transaction())
                transaction.append(f"busy-{number}", lab.events(1), expected_version=0)
            told = _within(at.injector.patience + promptly(), call, "a call for which there is no connection")
            true(isinstance(told, TransientStorageError), "the error", expected="TransientStorageError", seen=told)
            equal(at.stored("late-1", [event]), [], "APPEND-01: events of the refused call")
            lab.count(USED_UP)
        result = attempt(call)
        true(isinstance(result, AppendResult), "the call, once there are connections", seen=repr(result))
        for number in range(at.injector.connections):
            equal(at.witness.stream_info(f"busy-{number}").version, 1, "a transaction that was open meanwhile")


@check("TX-04", "TX-03", needs=[Capability.TRANSACTIONS], layer=Layer.FAULT, requires=[LOCKED])
def waiting_for_a_locked_stream_ends(lab: Lab) -> None:
    """Waiting for a stream that another transaction has locked ends in TransientStorageError, with nothing stored."""
    with bench(lab) as at:
        if at is None:
            return
        at.witness.append("locked-1", lab.events(1), expected_version=0)
        (event,) = lab.events(1)
        call = partial(at.store.append, "locked-1", [event], expected_version=ANY)
        with at.witness.transaction() as transaction:
            transaction.append("locked-1", lab.events(1), expected_version=1)
            told = _within(at.injector.patience + promptly(), call, "TX-04: a call that waits for a locked stream")
            if isinstance(told, AppendResult):
                fail("TX-04: an append to a stream that is locked", expected="it waits", seen=told)
            true(
                isinstance(told, TransientStorageError), "TX-04: the error", expected="TransientStorageError", seen=told
            )
            lab.count(LOCKED)
        equal(at.witness.stream_info("locked-1").version, 2, "TX-04: the version after the holder's commit")
        result = attempt(call)
        true(isinstance(result, AppendResult), "TX-04: the call made again", seen=repr(result))
        equal(at.stored("locked-1", [event]), [event.event_id], "TX-04: the event of the call that waited")


def _within(seconds: float, call: Callable[[], Any], what: str) -> Any:
    started = Started(lambda: attempt(call))
    if not started.ended(seconds):
        fail(what, expected=f"an end within {seconds:g} s", seen="it still waits")
    return started.result()
