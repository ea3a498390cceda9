"""OUTBOX: stored with the append, claimed by one under a lease, counted, held in order where asked."""

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
    DuplicateMessageError,
    ExpectedVersion,
    LeaseLostError,
    MessageStatus,
    OutboxMessage,
    UsageError,
    Verdict,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance_tests.lab import Lab

OUTBOX = [Capability.OUTBOX]


class _UndoneError(Exception):
    """Rolls a transaction back."""


def _sub_store(log: Any) -> Any:
    return log.outbox


def message(number: int, **fields: Any) -> OutboxMessage:
    """A message that is known by its number."""
    return OutboxMessage("orders", {"n": number}, **fields)


def numbers(messages: Sequence[Any]) -> list[int]:
    """The messages' numbers."""
    return [one.payload["n"] for one in messages]


@check("OUTBOX-01", needs=OUTBOX)
def events_and_messages_are_stored_together_or_not_at_all(lab: Lab) -> None:
    """A refused append stores no message, a refused message no event, and a repeated append nothing."""
    store = lab.open()
    events, first = lab.events(2), message(1)
    result = store.append("order-1", events, expected_version=0, outbox=[first, message(2)])
    equal(numbers(_sub_store(store).list()), [1, 2], "the messages of the append")
    with raises(ConcurrencyError, "an append with a wrong expectation"):
        store.append("order-1", lab.events(1), expected_version=0, outbox=[message(3)])
    with raises(ConcurrencyError, "an append with a wrong expectation and a message id that is stored"):
        store.append("order-1", lab.events(1), expected_version=0, outbox=[first])
    with raises(DuplicateMessageError, "a message id that is stored", message_id=first.message_id):
        store.append("order-1", lab.events(1), expected_version=2, outbox=[message(3), first])
    with raises(UsageError, "a message that is none"):
        store.append("order-1", lab.events(1), expected_version=2, outbox=[OutboxMessage("", {})])
    equal(store.append("order-1", events, expected_version=0, outbox=[message(9)]), result, "the append repeated")
    equal(numbers(_sub_store(store).list()), [1, 2], "the messages after refusals and a repeat")
    equal(store.stream_info("order-1").version, 2, "the stream after refusals and a repeat")


@check("OUTBOX-01", "TX-01", needs=[Capability.OUTBOX, Capability.TRANSACTIONS])
def messages_are_committed_with_their_transaction(lab: Lab) -> None:
    """What a transaction has added is nobody's before its commit, and gone after its rollback."""
    store = lab.open()
    with store.transaction() as tx:
        tx.append("order-1", lab.events(1), expected_version=0, outbox=[message(1)])
        _sub_store(tx).add(message(2))
        equal(numbers(_sub_store(tx).list()), [1, 2], "what the transaction sees")
        other = _sub_store(lab.open())
        equal((other.claim("early"), other.list()), ([], []), "what others see before the commit")
    with suppress(_UndoneError), store.transaction() as tx:
        _sub_store(tx).add(message(3))
        tx.append("order-1", lab.events(1), expected_version=1, outbox=[message(4)])
        raise _UndoneError
    equal(numbers(_sub_store(store).list()), [1, 2], "after a commit and a rollback")


@check("OUTBOX-01", needs=OUTBOX)
def whatever_a_stream_may_be_called_a_message_may_belong_to(lab: Lab) -> None:
    """The longest stream id goes into a message, and ids to deduplicate by come with it, either way it was added."""
    store = lab.open()
    stream, event = "order-" + "é" * 494, lab.event({})
    store.append(stream, [event], expected_version=0, outbox=[message(1)])
    alone = message(2, stream_id=stream, event_id=event.event_id)
    _sub_store(store).add(alone)
    for claimed in _sub_store(store).claim("w"):
        equal(claimed.stream_id, stream, "its stream")
        equal(claimed.headers["event-id"], str(event.event_id), "its event-id header")
        equal(claimed.headers["message-id"], str(claimed.message_id), "its message-id header")


@check("OUTBOX-02", needs=OUTBOX)
def racing_claims_share_no_message(lab: Lab) -> None:
    """Of workers that claim at once each message goes to one, and all go to somebody."""
    handles = [lab.open() for _ in range(6)]
    _sub_store(handles[0]).add([message(n) for n in range(300)])
    taken: list[list[int]] = [[] for _ in handles]

    def work(index: int) -> None:
        while claimed := _sub_store(handles[index]).claim(f"w{index}", limit=7):
            taken[index] += numbers(claimed)

    results = lab.together([partial(work, index) for index in range(len(handles))])
    equal(results, [None] * len(handles), "how the workers ended")
    equal(sorted(number for one in taken for number in one), list(range(300)), "what was claimed, by all together")


@check("OUTBOX-02", needs=OUTBOX)
def a_late_acknowledgement_is_refused(lab: Lab) -> None:
    """Once the lease has passed nothing is taken from its worker, before and after somebody else has claimed."""
    outbox = _sub_store(lab.open())
    outbox.add([message(1), message(2)])
    # The short lease last: on a slow store it may be over before anything else is claimed.
    (held,) = outbox.claim("held", limit=1)
    (late,) = outbox.claim("late", limit=1, lease=0.1)
    time.sleep(0.15)
    with raises(LeaseLostError, "an acknowledgement after the lease"):
        outbox.complete(late)
    (again,) = outbox.claim("next")
    equal((again.message_id, again.attempts), (late.message_id, 2), "what the next worker got")
    true(again.token > late.token, "its token", expected=f"above {late.token}", seen=again.token)
    with raises(LeaseLostError, "a late failure"):
        outbox.fail(late, "late")
    equal(outbox.settle([Verdict(late), Verdict(again), Verdict(held)]), [late], "what settle refused")
    equal([it.status for it in outbox.list()], [MessageStatus.DONE] * 2, "in the end")


@check("OUTBOX-03", needs=OUTBOX)
def a_message_that_ends_its_workers_is_given_up_alone(lab: Lab) -> None:
    """Attempts count at the claim; after its first worker was lost it comes alone, and takes no other along."""
    outbox = _sub_store(lab.open())
    outbox.add([message(n, max_attempts=3) for n in range(3)])
    equal(numbers(outbox.claim("dies", lease=0.02)), [0, 1, 2], "the first claim")
    for _ in range(12):
        time.sleep(0.03)
        claimed = outbox.claim("next", lease=5 if outbox.dead_letters() else 0.02)
        true(len(claimed) <= 1, "messages of lost workers in one claim", expected="one at most", seen=numbers(claimed))
        for one in claimed:
            if one.payload["n"] != 1:
                outbox.settle([Verdict(one)])
    true(
        1 in numbers(outbox.dead_letters()),
        "the dead letters",
        expected="message 1",
        seen=numbers(outbox.dead_letters()),
    )
    (dead,) = [it for it in outbox.dead_letters() if it.payload["n"] == 1]
    equal(dead.attempts, 3, "its attempts")


@check("OUTBOX-04", needs=OUTBOX)
def one_bad_message_stops_no_other(lab: Lab) -> None:
    """A failed message waits out a backoff, is given up after its attempts, and can be requeued."""
    outbox = _sub_store(lab.open())
    outbox.add([message(1, max_attempts=2), message(2), message(3)])
    bad, good, waiting = outbox.claim("w")
    outbox.fail(waiting, "broken for long", retry_in=86_400)
    outbox.fail(bad, "broken", retry_in=0.1)
    outbox.complete(good)
    time.sleep(0.15)
    claimed = outbox.claim("w")
    equal(numbers(claimed), [1], "what is due after the one backoff and during the other")
    (again,) = claimed
    outbox.fail(again, "still broken")
    equal([(it.payload["n"], it.last_error) for it in outbox.dead_letters()], [(1, "still broken")], "the dead letters")
    true(not outbox.requeue(good.message_id), "requeueing what is no dead letter", expected=False, seen=True)
    true(outbox.requeue(bad.message_id), "requeueing the dead letter")
    equal(numbers(outbox.claim("w")), [1], "what is due after requeueing")


@check("OUTBOX-04", needs=OUTBOX)
def order_per_stream_is_kept_and_holds_back_that_stream_alone(lab: Lab) -> None:
    """Of a stream's ordered messages one is claimed when all earlier ones are done or dead."""
    store = lab.open()
    outbox = _sub_store(store)
    for stream, base in (("a-1", 10), ("b-1", 20)):
        for n in range(3):
            store.append(
                stream, lab.events(1), expected_version=ExpectedVersion.ANY, outbox=[message(base + n, ordered=True)]
            )
    outbox.add(message(1, stream_id="a-1"))

    def claimed() -> dict[int, Any]:
        return {one.payload["n"]: one for one in outbox.claim("w")}

    got = claimed()
    equal(sorted(got), [1, 10, 20], "the first claim")
    stuck = 10
    outbox.fail(got[stuck], "down", retry_in=86_400)
    for expected in ([21], [22], []):
        outbox.settle([Verdict(one) for number, one in got.items() if number != stuck])
        got = claimed()
        equal(sorted(got), expected, "while the first message of a-1 waits")
    equal(outbox.dead_letters(), [], "the dead letters")


@check("OUTBOX-05", needs=OUTBOX)
def what_is_done_is_purged_and_nothing_else(lab: Lab) -> None:
    """`purge` deletes done messages of the age asked for, dead letters only when told to, open ones never."""
    outbox = _sub_store(lab.open())
    outbox.add([message(n) for n in range(4)])
    done, dead, *_ = outbox.claim("w", limit=3)
    outbox.complete(done)
    outbox.fail(dead, "no", give_up=True)
    equal(outbox.purge(older_than=60), 0, "purging what is older than a minute")
    equal(outbox.purge(older_than=0), 1, "purging what is done")
    equal(numbers(outbox.list()), [1, 2, 3], "what is left")
    equal(outbox.purge(older_than=0, dead=True), 1, "purging the dead letters")
    equal(numbers(outbox.list()), [2, 3], "what is left in the end")


@check("OUTBOX-05", needs=OUTBOX)
def what_is_done_is_kept_from_its_end_on(lab: Lab) -> None:
    """A message that was stored long ago and is done just now is kept for as long as `purge` is told."""
    outbox = _sub_store(lab.open())
    for waited in (0.2, 1.0, 5.0):
        outbox.add(message(1))
        time.sleep(waited)
        begun = time.monotonic()
        (claimed,) = outbox.claim("w")
        outbox.complete(claimed)
        purged = outbox.purge(older_than=waited * 0.9)
        # A slow store may take as long as that to answer: then again with more time.
        if time.monotonic() - begun < waited * 0.8:
            equal(
                purged,
                0,
                f"how many are purged that were done {waited * 0.9:g} s ago, of one that is as old, and done just now",
            )
            break


@check("OUTBOX-01", needs=OUTBOX)
def any_iterable_of_messages_is_taken(lab: Lab) -> None:
    """Messages come as one, as a list, or as a generator that can be gone through once, by `append` and by `add`."""
    store = lab.open()
    one, two, three, four = (message(number) for number in range(1, 5))
    store.append("order-1", lab.events(1), expected_version=0, outbox=one)
    store.append("order-1", lab.events(1), expected_version=1, outbox=(it for it in (two, three)))
    _sub_store(store).add(four)
    _sub_store(store).add(message(number) for number in (5, 6))
    equal(numbers(_sub_store(store).list()), [1, 2, 3, 4, 5, 6], "the messages")
