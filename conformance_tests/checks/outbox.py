"""OUTBOX: messages are stored with their events, claimed by one worker at a time, and never lost."""

from __future__ import annotations

import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from conformance_tests.check import check
from conformance_tests.expect import equal, raises, true
from mink_core import (
    Capability,
    ConcurrencyError,
    ExpectedVersion,
    LeaseLostError,
    MessageStatus,
    OutboxMessage,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from conformance_tests.lab import Lab

ANY = ExpectedVersion.ANY
OUTBOX = {Capability.OUTBOX}
_SHORT = 0.15


class _UndoError(Exception):
    """Rolls a transaction back."""


def _message(lab: Lab, number: int, **fields: Any) -> OutboxMessage:
    return OutboxMessage("topic", {"n": number}, message_id=lab.uuid(), **fields)


def _numbers(messages: Iterable[Any]) -> list[int]:
    return [message.payload["n"] for message in messages]


@check("OUTBOX-01", "TX-01", needs=OUTBOX)
def messages_are_stored_with_the_append(lab: Lab) -> None:
    """Messages are stored where their append is, with its stream and event; not where it is refused or rolled back."""
    store = lab.open()
    event = lab.event(1)
    store.append("order-1", [event], expected_version=0, outbox=[_message(lab, 1), _message(lab, 2)])
    stored = list(store.outbox.list())
    equal(_numbers(stored), [1, 2], "the messages stored, in order")
    equal([(it.stream_id, it.event_id) for it in stored], [("order-1", event.event_id)] * 2, "what they tell of")
    with raises(ConcurrencyError, "an append that conflicts"):
        store.append("order-1", lab.events(1), expected_version=0, outbox=[_message(lab, 3)])
    equal(_numbers(store.outbox.list()), [1, 2], "the messages after a refused append")
    if Capability.TRANSACTIONS not in store.capabilities:
        return
    for undo in (True, False):
        with suppress(_UndoError), store.transaction() as transaction:
            transaction.append("order-2", lab.events(1), expected_version=0, outbox=[_message(lab, 4)])
            transaction.outbox.add(_message(lab, 5))
            equal(_numbers(store.outbox.list()), [1, 2], "the messages outside, before the commit")
            equal(list(store.outbox.claim("eager"))[2:], [], "what can be claimed before the commit")
            if undo:
                raise _UndoError
        equal(_numbers(store.outbox.list()), [1, 2] if undo else [1, 2, 4, 5], "the messages afterwards")


@check("OUTBOX-01", "APPEND-09", needs=OUTBOX)
def a_repeated_append_stores_its_messages_once(lab: Lab) -> None:
    """A repeated call stores no message again."""
    store = lab.open()
    events, messages = lab.events(1), [_message(lab, 1)]
    first = store.append("order-1", events, expected_version=0, outbox=messages)
    equal(store.append("order-1", events, expected_version=0, outbox=messages), first, "the repeated call's result")
    equal(_numbers(store.outbox.list()), [1], "the messages after the repeat")


@check("OUTBOX-02", needs=OUTBOX)
def a_message_is_claimed_by_one_worker(lab: Lab) -> None:
    """Eight workers that claim at once share the messages: none has two holders, none is left over."""
    handles = [lab.open() for _ in range(8)]
    handles[0].outbox.add([_message(lab, number) for number in range(60)])
    claimed: list[int] = []
    for _ in range(12):
        calls = [partial(handle.outbox.claim, f"worker {number}", limit=5) for number, handle in enumerate(handles)]
        results: list[Any] = lab.together(calls)
        for result in results:
            true(not isinstance(result, Exception), "claiming with others", expected="messages", seen=repr(result))
            claimed += _numbers(result)
    equal(sorted(claimed), list(range(60)), "the messages claimed by all workers")


@check("OUTBOX-02", needs=OUTBOX)
def a_late_acknowledgement_is_refused(lab: Lab) -> None:
    """Once its lease has passed and another has the message, a late worker can neither complete nor fail it."""
    store, other = lab.open(), lab.open()
    store.outbox.add(_message(lab, 1))
    (late,) = store.outbox.claim("late", lease=_SHORT)
    equal(list(other.outbox.claim("other")), [], "what can be claimed while it is held")
    time.sleep(2 * _SHORT)
    (taken,) = other.outbox.claim("other")
    true(taken.token > late.token, "the second claim's token", expected=f"above {late.token}", seen=taken.token)
    calls: tuple[tuple[str, Callable[[], object]], ...] = (
        ("complete", lambda: store.outbox.complete(late)),
        ("fail", lambda: store.outbox.fail(late, "late", give_up=True)),
    )
    for name, call in calls:
        with raises(LeaseLostError, f"{name} by the late worker"):
            call()
    other.outbox.complete(taken)
    with raises(LeaseLostError, "a second acknowledgement"):
        other.outbox.complete(taken)
    found = store.outbox.get(taken.message_id)
    equal(found and found.status, MessageStatus.DONE, "the message's status")
    time.sleep(_SHORT)
    equal(list(store.outbox.claim("late")), [], "what can be claimed once it is done")


@check("OUTBOX-03", needs=OUTBOX)
def attempts_count_at_the_claim(lab: Lab) -> None:
    """A message whose workers die ends in the dead letters after its attempts; requeued, it has them all again."""
    store = lab.open()
    message = _message(lab, 1, max_attempts=2)
    store.outbox.add(message)
    for attempt in (1, 2):
        (claimed,) = store.outbox.claim("dies", lease=_SHORT)
        equal(claimed.attempts, attempt, "the attempts at the claim")
        time.sleep(2 * _SHORT)
    equal(list(store.outbox.claim("next")), [], "what can be claimed once its attempts are used up")
    (dead,) = store.outbox.dead_letters()
    equal((dead.message_id, dead.status), (message.message_id, MessageStatus.DEAD), "the dead letter")
    true(store.outbox.requeue(message.message_id), "requeueing it", expected="true")
    (claimed,) = store.outbox.claim("next")
    equal(claimed.attempts, 1, "the attempts after it was requeued")


@check("OUTBOX-04", needs=OUTBOX)
def a_bad_message_stops_no_other(lab: Lab) -> None:
    """A failed message waits its backoff while others go on; given up, it is a dead letter with its error."""
    store = lab.open()
    store.outbox.add([_message(lab, number) for number in range(3)])
    first = list(store.outbox.claim("worker"))
    store.outbox.fail(first[0], "not now", retry_in=3 * _SHORT)
    store.outbox.fail(first[1], "never", give_up=True)
    store.outbox.complete(first[2])
    equal(list(store.outbox.claim("worker")), [], "what can be claimed before the backoff has passed")
    store.outbox.add(_message(lab, 3))
    equal(_numbers(store.outbox.claim("worker")), [3], "a new message, meanwhile")
    time.sleep(6 * _SHORT)
    equal(_numbers(store.outbox.claim("worker")), [0], "what can be claimed after the backoff")
    dead = list(store.outbox.dead_letters())
    equal([(it.payload["n"], it.last_error) for it in dead], [(1, "never")], "the dead letters")


@check("OUTBOX-04", needs=OUTBOX)
def ordered_messages_keep_their_streams_order(lab: Lab) -> None:
    """An ordered message is not claimed before the earlier ones of its stream are done; other streams go on."""
    store = lab.open()
    for number in range(6):
        store.outbox.add(_message(lab, number, stream_id=f"order-{number % 2}", ordered=True))
    given: dict[str, list[int]] = {"order-0": [], "order-1": []}
    failed = False
    for _ in range(40):
        for message in store.outbox.claim("worker", limit=10):
            number = message.payload["n"]
            if number == 2 and not failed:  # noqa: PLR2004 -- the second of its stream
                failed = True
                store.outbox.fail(message, "once", retry_in=_SHORT)
                continue
            given[message.stream_id or ""].append(number)
            store.outbox.complete(message)
        time.sleep(_SHORT / 8)
        if sum(map(len, given.values())) == 6:  # noqa: PLR2004 -- all
            break
    equal(given, {"order-0": [0, 2, 4], "order-1": [1, 3, 5]}, "the order of each stream's messages")
