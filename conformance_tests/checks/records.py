"""What the sub-stores give back: every field, by every way of asking, in objects that nobody shares."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from msgspec.structs import replace

from conformance_tests.check import check
from conformance_tests.checks.outbox import message, numbers
from conformance_tests.checks.snapshots import tail_of
from conformance_tests.expect import equal, raises, true
from conformance_tests.interleavings.holding import Started
from mink_core import (
    Capability,
    DuplicateMessageError,
    MessageStatus,
    OutboxMessage,
    Saga,
    SagaConflictError,
    SagaStatus,
    Verdict,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from conformance_tests.lab import Lab

OUTBOX, SNAPSHOTS = [Capability.OUTBOX], [Capability.SNAPSHOTS]
IDEMPOTENCY, SAGAS = [Capability.IDEMPOTENCY], [Capability.SAGAS]
PARKED = [Capability.DURABLE_SUBSCRIPTIONS]

_AS_GIVEN = ("destination", "payload", "message_id", "stream_id", "event_id")
_LONG = timedelta(hours=12)
_BACKOFF = timedelta(milliseconds=50)
"""Any backoff takes longer, and a call at once is over by then."""


def _value() -> Any:
    return {"i": 1, "f": 1.0, "big": 1e16, "list": [1.0, {"deep": [2]}], "none": None, "true": True}


def _spoil(value: Any) -> None:
    value["list"][1]["deep"].append(3)
    value["list"].clear()
    del value["i"]


def expect_times(what: str, *times: Any) -> None:
    """Expect aware times in UTC, about now."""
    for it in times:
        aware = isinstance(it, datetime) and it.utcoffset() == timedelta(0)
        true(aware, f"a time of {what}", expected="aware, in UTC", seen=repr(it))
        true(abs(datetime.now(UTC) - it) < timedelta(days=1), f"a time of {what}", expected="about now", seen=it)


@check("OUTBOX-01", "OUTBOX-02", "OUTBOX-05", needs=OUTBOX)
def every_field_of_a_message_comes_back(lab: Lab) -> None:
    """Destination, payload, headers and what else was given come back by claim, get and list, in objects of the asker's own."""
    outbox: Any = lab.open().outbox
    given = OutboxMessage(
        "Orders/\u00e9", _value(), {"k": "1", "\u00e9": ""}, uuid4(), "order-1", uuid4(), max_attempts=7
    )
    outbox.add(given)
    headers = {**given.headers, "message-id": str(given.message_id), "event-id": str(given.event_id)}

    def expect(found: Any, what: str, **fields: Any) -> None:
        wanted = {
            **{name: getattr(given, name) for name in _AS_GIVEN},
            "headers": headers,
            "ordered": False,
            "max_attempts": 7,
            **fields,
        }
        equal({name: getattr(found, name) for name in wanted}, wanted, f"the message by {what}")
        expect_times(f"the message by {what}", found.created_at, found.due_at)
        _spoil(found.payload)
        found.headers.clear()

    for status in (None, MessageStatus.PENDING):
        (listed,) = outbox.list(status=status)
        expect(listed, "list", status=MessageStatus.PENDING, attempts=0, claimed_by=None, finished_at=None)
    (claimed,) = outbox.claim("worker \u00e9")
    expect(claimed, "claim", status=MessageStatus.CLAIMED, attempts=1, claimed_by="worker \u00e9", last_error=None)
    expect(outbox.get(given.message_id), "get", status=MessageStatus.CLAIMED, claimed_by="worker \u00e9")
    outbox.fail(claimed, "said so: " + "\u00e9" * 200, give_up=True)
    for found in (outbox.get(given.message_id), *outbox.dead_letters(), *outbox.list(status=MessageStatus.DEAD)):
        expect(found, "get and dead_letters", status=MessageStatus.DEAD, last_error="said so: " + "\u00e9" * 200)
        expect_times("a dead letter", found.finished_at)
    equal(outbox.get(uuid4()), None, "a message that is not there")
    true(not outbox.requeue(uuid4()), "requeueing a message that is not there", expected=False, seen=True)


@check("OUTBOX-01", needs=OUTBOX)
def a_message_is_added_once(lab: Lab) -> None:
    """A stored message that is added again stays as it is; its id with other content is refused, and nothing is added."""
    outbox: Any = lab.open().outbox
    first = message(1)
    outbox.add([first, message(2)])
    outbox.add(first)
    for change in (
        {"payload": {"n": 1.0}},
        {"destination": "other"},
        {"headers": {"k": "v"}},
        {"stream_id": "order-1"},
    ):
        changed = replace(first, **change)
        with raises(DuplicateMessageError, f"the id of a stored message with {change}", message_id=first.message_id):
            outbox.add([message(3), changed])
    equal(numbers(outbox.list()), [1, 2], "the messages after that")


@check("OUTBOX-04", needs=OUTBOX)
def a_verdict_says_when_and_whether_to_try_again(lab: Lab) -> None:
    """A failure waits out a backoff where nothing else is said, or as long as was said, or is given up: one by one or settled."""
    outbox: Any = lab.open().outbox
    for how in ("fail", "settle"):

        def failed(claimed: Any, how: str = how, **verdict: Any) -> Any:
            if how == "settle":
                equal(outbox.settle([Verdict(claimed, "no", **verdict)]), [], "what settle refused")
            else:
                outbox.fail(claimed, "no", **verdict)
            return outbox.get(claimed.message_id)

        outbox.add([message(n) for n in range(3)])
        one, other, last = outbox.claim("w")
        clock = message(9, delay=86_400)
        outbox.add(clock)
        now = outbox.get(clock.message_id).created_at
        wait = failed(one).due_at - now
        true(wait > _BACKOFF, f"the backoff after {how}, unless told", expected=f"above {_BACKOFF}", seen=wait)
        wait = failed(other, retry_in=86_400).due_at - now
        true(wait > _LONG, f"the wait after {how} with retry_in of a day", expected=f"above {_LONG}", seen=wait)
        equal(failed(last, give_up=True).status, MessageStatus.DEAD, f"after {how} with give_up")


@check("OUTBOX-05", needs=OUTBOX)
def dead_letters_and_purges_go_by_pages(lab: Lab) -> None:
    """`dead_letters` begins after a position and gives no more than its limit; nor does `purge` delete more."""
    outbox: Any = lab.open().outbox
    outbox.add([message(n) for n in range(6)])
    claimed = outbox.claim("w")
    outbox.settle([Verdict(one, "no", give_up=True) for one in claimed[:4]] + [Verdict(one) for one in claimed[4:]])
    dead = outbox.dead_letters()
    equal(numbers(dead), [0, 1, 2, 3], "the dead letters")
    equal(numbers(outbox.dead_letters(limit=2)), [0, 1], "two of them")
    equal(numbers(outbox.dead_letters(after=dead[0].position, limit=2)), [1, 2], "two after the first")
    equal([outbox.purge(older_than=0, dead=True, limit=4) for _ in range(3)], [4, 2, 0], "how many were purged")


@check("SNAP-02", needs=SNAPSHOTS)
def a_snapshot_is_told_whole_by_every_way(lab: Lab) -> None:
    """`load`, `load_with_tail` and `list` tell type, shape, time and size; the tail is that of the one asked for."""
    store: Any = lab.open()
    store.append("order-1", lab.events(3), expected_version=0)
    saved = _value()
    store.snapshots.save("order-1", 1, saved, snapshot_type="A", schema_version=2, keep=2)
    store.snapshots.save("order-1", 2, b"\x00" * 2000, snapshot_type="B", schema_version=3, keep=2)
    _spoil(saved)
    for _ in range(2):
        found = store.snapshots.load("order-1", snapshot_type="A")
        equal(found.data, _value(), "what load gives, after the saver and a reader changed their objects")
        _spoil(found.data)
        for wanted in ({"snapshot_type": "A"}, {"schema_version": 2}):
            found, versions = tail_of(lab, store, "order-1", **wanted)
            told = (found.version, found.data, found.snapshot_type, found.schema_version, versions)
            equal(told, (1, _value(), "A", 2, [2, 3]), f"the snapshot and its tail with {wanted}")
            _spoil(found.data)
    equal(tail_of(lab, store, "order-1", snapshot_type="C"), (None, [1, 2, 3]), "the tail with a type that none has")
    (info,) = store.snapshots.list()
    equal((info.version, info.snapshot_type, info.schema_version), (2, "B", 3), "the snapshot by list")
    true(info.size > 0, "the size of 2000 bytes by list", expected="above 0", seen=info.size)
    expect_times("a snapshot", store.snapshots.load("order-1").created_at, info.created_at)


@check("IDEM-02", needs=IDEMPOTENCY)
def a_key_is_told_whole_by_every_way(lab: Lab) -> None:
    """`reserve`, `get`, `list` and `complete` tell the same: a response and times, in objects of the asker's own."""
    keys: Any = lab.open().idempotency
    metadata, response = _value(), _value()
    mine = keys.reserve("k", stream_id="order-1", metadata=metadata)
    _spoil(metadata)
    held = mine.record
    equal((held.key, held.completed, held.response, held.completed_at), ("k", False, None, None), "a reserved key")
    equal((held.stream_id, held.metadata), ("order-1", _value()), "what was given at reserve")
    for found, way in ((keys.get("k"), "get"), (keys.list()[0], "list"), (keys.reserve("k").record, "reserve")):
        equal(found, held, f"a reserved key by {way}")
    done = keys.complete(mine, response, ttl=7200)
    _spoil(response)
    equal((done.completed, done.response, done.metadata), (True, _value(), _value()), "a completed key")
    ways: dict[str, Callable[[], Any]] = {
        "get": lambda: keys.get("k"),
        "list": lambda: keys.list()[0],
        "reserve": lambda: keys.reserve("k").record,
    }
    for way, ask in ways.items():
        found = ask()
        equal(found, done, f"a completed key by {way}")
        _spoil(found.response)
        _spoil(found.metadata)
        equal(ask().response, _value(), f"the response by {way}, after its reader changed it")
    expect_times("a completed key", done.reserved_at, done.completed_at, done.expires_at)
    kept = done.expires_at - done.completed_at
    true(abs(kept - timedelta(hours=2)) < timedelta(minutes=1), "how long it is kept", expected="2 hours", seen=kept)
    keys.reserve("plain")
    equal((keys.get("plain").stream_id, keys.get("plain").metadata), (None, {}), "what was not given at reserve")


@check("IDEM-01", needs=IDEMPOTENCY)
def who_waits_for_a_key_gets_its_response_or_the_key(lab: Lab) -> None:
    """`reserve` with `wait` answers when the key is completed or released meanwhile, and else when the wait is over."""
    keys, other = lab.open().idempotency, lab.open().idempotency
    for released in (False, True):
        name = "released" if released else "completed"
        mine: Any = keys.reserve(name)
        true(not other.reserve(name, wait=0.05).is_mine, "a key that is held all the while", seen="ours")
        waiting = Started(partial(other.reserve, name, wait=60))
        true(not waiting.ended(0.1), "who waits for a key that is held", expected="waits", seen="it was answered")
        if released:
            keys.release(mine)
        else:
            keys.complete(mine, {"n": 1})
        found: Any = waiting.result()
        seen = (found.is_mine, found.record.completed, found.record.response)
        equal(seen, (True, False, None) if released else (False, True, {"n": 1}), f"who waited for a key, {name}")


@check("SAGA-02", needs=SAGAS)
def a_saga_is_told_whole_by_every_way(lab: Lab) -> None:
    """`save`, `load`, `find` and `claim_due` tell the same, in objects of the asker's own; creation stays, update moves on."""
    sagas: Any = lab.open().sagas
    state, ids = _value(), (uuid4(), uuid4())
    due = datetime.now(UTC) - timedelta(seconds=5)
    first = sagas.save(Saga("s-1", "T", state, SagaStatus.RUNNING, "c-1", due, ids), expected_version=0)
    _spoil(state)
    time.sleep(0.02)
    equal(first.state, _value(), "what the first save gave, after its caller changed the state")
    saved = sagas.save(first, expected_version=1)
    equal(saved.created_at, first.created_at, "created_at after a second save")
    true(saved.updated_at > first.updated_at, "updated_at", expected=f"above {first.updated_at}", seen=saved.updated_at)
    expect_times("a saga", saved.created_at, saved.updated_at)
    ways: dict[str, Callable[[], Any]] = {
        "load": lambda: sagas.load("s-1"),
        "find": lambda: sagas.find()[0],
        "find by correlation": lambda: sagas.find(correlation_id="c-1", saga_type="T")[0],
    }
    for way, ask in ways.items():
        found = ask()
        equal(found, saved, f"the saga by {way}")
        _spoil(found.state)
        equal(ask().state, _value(), f"its state by {way}, after a reader changed it")
    (claimed,) = sagas.claim_due(lease=60)
    for name in ("saga_id", "saga_type", "state", "status", "correlation_id", "handled", "created_at"):
        equal(getattr(claimed, name), getattr(saved, name), f"{name} by claim_due")
    equal((claimed.version, claimed.claims), (3, 1), "its version and claims by claim_due")
    found = sagas.load("s-1")
    equal((found.state, found.version, found.claims), (_value(), 3, 1), "the saga by load, after its claim")
    sagas.save(Saga("s-2", "T", correlation_id="c-1"), expected_version=0)
    equal(_ids(sagas.find(correlation_id="c-1", limit=1)), ["s-1"], "one of a correlation")
    for expected in (1, 9):
        with raises(SagaConflictError, f"deleting what never was, expecting {expected}", actual=0):
            sagas.delete("s-9", expected_version=expected)


def _ids(sagas: Sequence[Any]) -> list[str]:
    return [it.saga_id for it in sagas]


@check("SUB-10", needs=PARKED)
def every_field_of_a_parked_event_comes_back(lab: Lab) -> None:
    """What is parked names the event, how often it was tried, what was said and when; parked again, it is told anew."""
    store: Any = lab.open()
    store.append("order-1", lab.events(2), expected_version=0)
    _, event = store.read_all()
    for attempts, error in ((3, "no"), (5, "still: " + "\u00e9" * 300)):
        store.parked.park("s", event, attempts=attempts, error=error)
        for found in (*store.parked.list("s"), *store.parked.list()):
            seen = (found.subscription, found.global_position, found.stream_id, found.version, found.event_type)
            wanted = ("s", event.global_position, "order-1", 2, event.event_type)
            equal(seen, wanted, "the event that is named")
            equal((found.attempts, found.error, found.replay), (attempts, error, False), "what was said of it")
            expect_times("a parked event", found.parked_at)
        equal(len(store.parked.list()), 1, "how many are parked")
