"""OUTBOX: what a claim gives and in which order, what it counts, and what stands before a message."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from conformance_tests.check import check
from conformance_tests.checks.outbox import message, numbers
from conformance_tests.expect import equal, raises, true
from mink_core import Capability, DuplicateMessageError, LeaseLostError, MessageStatus, OutboxStore, Verdict

if TYPE_CHECKING:
    from conformance_tests.lab import Lab

OUTBOX = [Capability.OUTBOX]


def _sub_store(log: Any) -> OutboxStore:
    found: OutboxStore = log.outbox
    return found


@check("OUTBOX-02", "OUTBOX-03", needs=OUTBOX)
def every_claim_has_a_token_of_its_own(lab: Lab) -> None:
    """The token grows also where the same worker claims again; what was not tried does not count as an attempt."""
    outbox = _sub_store(lab.open())
    outbox.add(message(1, max_attempts=2))
    (first,) = outbox.claim("w")
    equal(outbox.settle([Verdict(first, untried=True)]), [], "what settle refused of an untried message")
    (second,) = outbox.claim("w")
    equal((first.attempts, second.attempts), (1, 1), "the attempts, the first of which was none")
    true(second.token > first.token, "the second token", expected=f"above {first.token}", seen=second.token)
    with raises(LeaseLostError, "an acknowledgement by the first token, by the same worker"):
        outbox.complete(first)
    outbox.fail(second, "no", give_up=True)
    true(outbox.requeue(second.message_id), "requeueing the dead letter")
    waiting = outbox.get(second.message_id)
    equal(waiting and (waiting.status, waiting.attempts), (MessageStatus.PENDING, 0), "what was requeued")
    for attempt in (1, 2):
        (again,) = outbox.claim("w")
        equal(again.attempts, attempt, "the attempts after requeueing")
        true(again.token > second.token, "the token then", expected=f"above {second.token}", seen=again.token)
        for late in (first, second):
            with raises(LeaseLostError, "an acknowledgement by a token from before it was requeued"):
                outbox.complete(late)
        outbox.fail(again, f"attempt {attempt}", retry_in=0.001)
        time.sleep(0.005)
    equal([it.last_error for it in outbox.dead_letters()], ["attempt 2"], "the dead letters in the end")


@check("OUTBOX-03", "OUTBOX-04", needs=OUTBOX)
def a_claim_gives_what_is_due_in_the_order_of_storing(lab: Lab) -> None:
    """Earlier messages come first, one of a lost worker last and marked, one with a delay not before its time."""
    outbox = _sub_store(lab.open())
    outbox.add([message(1), message(2, delay=86_400)])
    equal(numbers(outbox.claim("lost", lease=0.02)), [1], "what is due of two messages")
    outbox.add([message(3), message(4), message(5)])
    time.sleep(0.03)
    claimed = outbox.claim("w", limit=3)
    equal(numbers(claimed), [3, 4, 1], "the next claim, of three at most")
    equal([it.suspect for it in claimed], [False, False, True], "which of them may end their worker")
    everything = outbox.list()
    equal(numbers(everything), [1, 2, 3, 4, 5], "the list")
    equal(numbers(outbox.list(after=everything[1].position, limit=2)), [3, 4], "the list after the second, of two")
    equal(numbers(outbox.list(status=MessageStatus.PENDING)), [2, 5], "what is pending")


@check("OUTBOX-04", needs=OUTBOX)
def a_claimed_message_holds_back_the_next_of_its_stream(lab: Lab) -> None:
    """An ordered message waits while an earlier one is at work, not for unordered ones, and goes on after a dead letter."""
    outbox = _sub_store(lab.open())
    outbox.add([message(9, stream_id="a-1", delay=86_400)])
    outbox.add([message(n, stream_id="a-1", ordered=True) for n in (1, 2, 3)])
    outbox.add([message(n, stream_id="b-1", ordered=True) for n in (4, 5)])
    first, other = outbox.claim("w")
    equal(numbers([first, other]), [1, 4], "the first claim")
    equal(numbers(outbox.claim("v")), [], "while the heads of both streams are at work")
    outbox.complete(first)
    (second,) = outbox.claim("v")
    equal(numbers([second]), [2], "after the head of one stream is done")
    outbox.fail(second, "no", give_up=True)
    equal(numbers(outbox.claim("v")), [3], "after the next one is dead")
    equal(outbox.settle([Verdict(other)]), [], "what settle refused")
    equal(numbers(outbox.claim("v")), [5], "after the head of the other stream is done")


@check("OUTBOX-01", "TX-03", needs=[*OUTBOX, Capability.TRANSACTIONS])
def a_refused_message_leaves_the_transaction_usable(lab: Lab) -> None:
    """A message id that is stored refuses the events of the call, and nothing else of the transaction."""
    store = lab.open()
    known = message(1)
    _sub_store(store).add(known)
    with store.transaction() as transaction:
        transaction.append("order-1", lab.events(1), expected_version=0, outbox=[message(2)])
        with raises(DuplicateMessageError, "a message id that is stored", message_id=known.message_id):
            transaction.append("order-1", lab.events(2), expected_version=1, outbox=[message(3), known])
        equal(transaction.stream_info("order-1").version, 1, "the version that the transaction sees after the refusal")
        transaction.append("order-1", lab.events(1), expected_version=1, outbox=[message(4)])
    equal(numbers(_sub_store(store).list()), [1, 2, 4], "the messages after the commit")
    equal([it.version for it in store.read_stream("order-1")], [1, 2], "the events after the commit")
