"""SNAP, OUTBOX, IDEM and SAGA: the stores around the log, by the rule that each of them is for."""

from __future__ import annotations

import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from conformance_tests.check import check
from conformance_tests.expect import equal, raises, true
from conformance_tests.interleavings.holding import UndoneError
from mink_core import Capability, LeaseLostError, OutboxMessage, Saga, SagaConflictError

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance_tests.lab import Lab

SNAPSHOTS, OUTBOX = Capability.SNAPSHOTS, Capability.OUTBOX
IDEMPOTENCY, SAGAS, TRANSACTIONS = Capability.IDEMPOTENCY, Capability.SAGAS, Capability.TRANSACTIONS
_BRIEF = 0.2
"""Seconds of a lease that is to pass."""
_HANDLES = 5


def _stores(lab: Lab, number: int = 2) -> list[Any]:
    namespace = lab.namespace()
    return [lab.open(namespace) for _ in range(number)]


def _race(lab: Lab, calls: list[Callable[[], object]]) -> list[object]:
    return lab.together(calls)


@check("SNAP-01", needs=[SNAPSHOTS])
def the_newest_snapshot_wins(lab: Lab) -> None:
    """An older snapshot is answered with False and changes nothing; the same version again replaces its snapshot."""
    store, other = _stores(lab)
    equal(store.snapshots.load("order-1"), None, "a snapshot that was never saved")
    equal(
        store.snapshots.save("order-1", 5, {"n": 5, "f": 1.0}, snapshot_type="Order", schema_version=2),
        expected=True,
        what="a save",
    )
    for version in (1, 4):
        equal(
            other.snapshots.save("order-1", version, {"n": version}),
            expected=False,
            what=f"saving version {version} after 5",
        )
    found = other.snapshots.load("order-1")
    equal((found.stream_id, found.version, found.data), ("order-1", 5, {"n": 5, "f": 1.0}), "the snapshot")
    equal((found.snapshot_type, found.schema_version), ("Order", 2), "its type and schema version")
    equal(other.snapshots.save("order-1", 5, {"n": "again"}), expected=True, what="saving version 5 again")
    equal(store.snapshots.load("order-1").data, {"n": "again"}, "the snapshot, replaced")
    equal(other.snapshots.save("order-1", 9, b"\x00\xff"), expected=True, what="a newer one, of bytes")
    equal(store.snapshots.load("order-1").data, b"\x00\xff", "bytes that were saved")
    equal(store.snapshots.load("order-2"), None, "another stream's snapshot")


@check("SNAP-01", needs=[SNAPSHOTS])
def the_newest_of_racing_snapshots_stays(lab: Lab) -> None:
    """Whoever comes last of savers that race, the newest version is what is there."""
    stores = _stores(lab, _HANDLES)
    for turn in range(6):
        versions = lab.random.sample(range(1, 100), _HANDLES)
        saves = [
            partial(store.snapshots.save, f"order-{turn}", version, {"n": version})
            for store, version in zip(stores, versions, strict=True)
        ]
        results = _race(lab, list(saves))
        true(all(type(it) is bool for it in results), "the answers of racing saves", expected="bools", seen=results)
        equal(stores[0].snapshots.load(f"order-{turn}").version, max(versions), "the version that stays")


@check("SNAP-01", "TX-01", needs=[SNAPSHOTS, TRANSACTIONS])
def a_snapshot_is_saved_with_its_transaction(lab: Lab) -> None:
    """A snapshot saved on a transaction that is rolled back was never saved."""
    store, other = _stores(lab)
    store.snapshots.save("order-1", 1, "first")
    with suppress(UndoneError), store.transaction() as transaction:
        transaction.snapshots.save("order-1", 2, "second")
        equal(other.snapshots.load("order-1").data, "first", "the snapshot outside, before the commit")
        raise UndoneError
    equal(other.snapshots.load("order-1").data, "first", "the snapshot after a rollback")
    with store.transaction() as transaction:
        transaction.snapshots.save("order-1", 2, "second")
    equal(other.snapshots.load("order-1").data, "second", "the snapshot after a commit")


def _message(lab: Lab, number: int, **more: Any) -> OutboxMessage:
    return OutboxMessage("topic", {"number": number, "f": 1.0}, {"h": "1"}, lab.uuid(), **more)


def _claimed(store: Any, worker: str, **more: Any) -> list[Any]:
    return list(store.outbox.claim(worker, **more))


@check("OUTBOX-01", needs=[OUTBOX])
def messages_are_stored_with_their_append(lab: Lab) -> None:
    """An append's messages are there if it is, come back as given, and a repeated append stores none again."""
    store, other = _stores(lab)
    events, messages = lab.events(2), [_message(lab, number) for number in range(3)]
    store.append("order-1", events, expected_version=0, outbox=messages)
    store.append("order-1", events, expected_version=0, outbox=messages)
    claimed = _claimed(other, "w")
    equal([it.message_id for it in claimed], [it.message_id for it in messages], "the messages of an append, once")
    equal([it.payload for it in claimed], [it.payload for it in messages], "their payloads")
    equal({it.destination for it in claimed}, {"topic"}, "their destination")
    equal({it.headers["h"] for it in claimed}, {"1"}, "their own header")
    equal(
        {it.headers["message-id"] for it in claimed}, {str(it.message_id) for it in messages}, "the header message-id"
    )
    equal({it.stream_id for it in claimed}, {"order-1"}, "the stream that they belong to")
    with suppress(Exception):
        store.append("order-1", lab.events(1), expected_version=0, outbox=[_message(lab, 9)])
    equal(len(store.outbox.list()), 3, "the messages after a conflict")


@check("OUTBOX-01", "TX-01", needs=[OUTBOX, TRANSACTIONS])
def messages_are_stored_with_their_transaction(lab: Lab) -> None:
    """Messages of a transaction are nobody's before its commit, and were never there after a rollback."""
    store, other = _stores(lab)
    with suppress(UndoneError), store.transaction() as transaction:
        transaction.outbox.add([_message(lab, 1)])
        transaction.append("order-1", lab.events(1), expected_version=0, outbox=[_message(lab, 2)])
        equal(_claimed(other, "w"), [], "messages of an open transaction")
        raise UndoneError
    equal((list(other.outbox.list()), len(list(other.read_all()))), ([], 0), "what a rollback leaves")
    with store.transaction() as transaction:
        transaction.append("order-1", lab.events(1), expected_version=0, outbox=[_message(lab, 3)])
    equal([it.payload["number"] for it in _claimed(other, "w")], [3], "messages after a commit")


@check("OUTBOX-02", needs=[OUTBOX])
def a_message_is_one_workers_at_a_time(lab: Lab) -> None:
    """Of workers that claim at once each message goes to one; another gets it after the lease, not before."""
    stores = _stores(lab, _HANDLES)
    stores[0].outbox.add([_message(lab, number) for number in range(40)])
    results = _race(lab, [partial(_claimed, it, f"w{number}", limit=40) for number, it in enumerate(stores)])
    taken = [it.message_id for result in results if isinstance(result, list) for it in result]
    equal(len(taken), len(set(taken)), "claims of a message by racing workers")
    taken += [it.message_id for it in _claimed(stores[0], "last", limit=100)]
    equal(len(set(taken)), 40, "messages that were claimed")
    equal(len(taken), 40, "claims of 40 messages")
    equal(_claimed(stores[1], "too late"), [], "messages for one more worker")


@check("OUTBOX-02", needs=[OUTBOX])
def a_late_worker_is_refused(lab: Lab) -> None:
    """After its lease another worker has the message, with a greater token; the first one's acknowledgement is refused."""
    first, second = _stores(lab)
    first.outbox.add([_message(lab, 1)])
    (early,) = _claimed(first, "early", lease=_BRIEF)
    equal(_claimed(second, "late"), [], "a message whose lease runs")
    time.sleep(_BRIEF * 1.5)
    (late,) = _claimed(second, "late")
    true(late.token > early.token, "the second claim's token", expected=f"above {early.token}", seen=late.token)
    equal((early.attempts, late.attempts), (1, 2), "the attempts, counted at the claims")
    for tell in (first.outbox.complete, partial(first.outbox.fail, error="no")):
        with raises(LeaseLostError, "the first worker's acknowledgement"):
            tell(early)
    equal(first.outbox.get(late.message_id).status.value, "claimed", "the message after the refusals")
    second.outbox.complete(late)
    equal(first.outbox.get(late.message_id).status.value, "done", "the message, acknowledged by who has it")
    with raises(LeaseLostError, "an acknowledgement of what is done"):
        first.outbox.complete(early)


@check("OUTBOX-03", needs=[OUTBOX])
def a_message_that_kills_its_workers_is_given_up(lab: Lab) -> None:
    """A message that was claimed as often as it may be, without a word of its workers, is a dead letter."""
    (store,) = _stores(lab, 1)
    bad, good = _message(lab, 1, max_attempts=2), _message(lab, 2)
    store.outbox.add([bad, good])
    for attempt in (1, 2):
        taken = {it.message_id: it for it in _claimed(store, "w", lease=_BRIEF)}
        equal(taken[bad.message_id].attempts, attempt, "the attempts of a message whose workers die")
        if good.message_id in taken:
            store.outbox.complete(taken[good.message_id])
        time.sleep(_BRIEF * 1.5)
    equal([it.message_id for it in _claimed(store, "w")], [], "what is claimed after the last attempt")
    equal([it.message_id for it in store.outbox.dead_letters()], [bad.message_id], "the dead letters")
    equal(store.outbox.requeue(bad.message_id), expected=True, what="requeuing the dead letter")
    equal([it.attempts for it in _claimed(store, "w")], [1], "the attempts after requeuing")


@check("OUTBOX-04", needs=[OUTBOX])
def a_failed_message_waits_and_stops_no_other(lab: Lab) -> None:
    """A failed message is due again after its wait; others go on meanwhile, but for the ordered ones of its stream."""
    (store,) = _stores(lab, 1)
    first = _message(lab, 1, stream_id="order-1", ordered=True)
    second = _message(lab, 2, stream_id="order-1", ordered=True)
    free = _message(lab, 3, stream_id="order-2", ordered=True)
    store.outbox.add([first, second, free])
    taken = {it.message_id: it for it in _claimed(store, "w")}
    equal(set(taken), {first.message_id, free.message_id}, "what is claimed first: one ordered message a stream")
    store.outbox.fail(taken[first.message_id], "not now", retry_in=_BRIEF)
    store.outbox.complete(taken[free.message_id])
    equal(_claimed(store, "w"), [], "what is due while the first message waits")
    time.sleep(_BRIEF * 1.5)
    (again,) = _claimed(store, "w")
    equal((again.message_id, again.attempts, again.last_error), (first.message_id, 2, "not now"), "the failed message")
    store.outbox.complete(again)
    equal([it.message_id for it in _claimed(store, "w")], [second.message_id], "what was behind it")


@check("IDEM-01", needs=[IDEMPOTENCY])
def one_caller_gets_a_key(lab: Lab) -> None:
    """Of callers that reserve a key at once one gets it; the others see it reserved, and later its response."""
    stores = _stores(lab, _HANDLES)
    for turn in range(6):
        key = f"key-{turn}"
        results: list[Any] = _race(lab, [partial(store.idempotency.reserve, key) for store in stores])
        mine = [result for result in results if result.is_mine]
        equal(len(mine), 1, "how many racing callers got the key")
        equal([result.record.completed for result in results], [False] * _HANDLES, "whether it was completed")
        stores[0].idempotency.complete(mine[0], {"answer": turn})
        late = stores[1].idempotency.reserve(key)
        equal(
            (late.is_mine, late.record.completed, late.record.response),
            (False, True, {"answer": turn}),
            "a late caller",
        )


@check("IDEM-01", needs=[IDEMPOTENCY])
def a_reservation_expires_and_its_owner_is_refused(lab: Lab) -> None:
    """An expired key is free; who had it can neither complete nor release it. A released one is free at once."""
    store, other = _stores(lab)
    early = store.idempotency.reserve("key", ttl=_BRIEF)
    equal(other.idempotency.reserve("key").is_mine, expected=False, what="a key that is reserved")
    time.sleep(_BRIEF * 1.5)
    equal(other.idempotency.get("key"), None, "a key that has expired")
    late = other.idempotency.reserve("key")
    equal(late.is_mine, expected=True, what="reserving the expired key")
    for tell in (partial(store.idempotency.complete, early, "mine"), partial(store.idempotency.release, early)):
        with raises(LeaseLostError, "the first owner"):
            tell()
    equal(store.idempotency.get("key").completed, expected=False, what="the key after the refusals")
    other.idempotency.release(late)
    equal((store.idempotency.get("key"), store.idempotency.reserve("key").is_mine), (None, True), "a released key")


@check("IDEM-02", needs=[IDEMPOTENCY])
def every_field_of_a_key_comes_back(lab: Lab) -> None:
    """Stream id, metadata and response, any JSON value, come back as they were given, with their types."""
    store, other = _stores(lab)
    responses: tuple[Any, ...] = (None, 1, 1.0, True, "é\U0001f600", [1, {"a": [None, 1e16]}], {}, 2**63 - 1)
    for number, response in enumerate(responses):
        metadata = {"user_id": "ann", "n": 1.0, "list": [response]}
        mine = store.idempotency.reserve(f"key-{number}", stream_id="order-1", metadata=metadata)
        equal(other.idempotency.get(f"key-{number}").response, None, "the response before it is completed")
        store.idempotency.complete(mine, response)
        found = other.idempotency.get(f"key-{number}")
        equal((found.key, found.completed, found.stream_id), (f"key-{number}", True, "order-1"), "the record")
        equal((found.response, found.metadata), (response, metadata), "its response and metadata")
        times = [found.reserved_at, found.completed_at, found.expires_at]
        equal(sorted(times), times, "when it was reserved, completed, and expires")


@check("SAGA-01", needs=[SAGAS])
def a_saga_is_saved_by_its_version(lab: Lab) -> None:
    """A save with another version than the saga has is refused with the true one; so is creating one that is there."""
    store, other = _stores(lab)
    saga = Saga("saga-1", "Order", {"step": 1, "f": 1.0}, correlation_id="order-1")
    equal(store.sagas.load("saga-1"), None, "a saga that was never saved")
    with raises(SagaConflictError, "saving what does not exist", saga_id="saga-1", expected=1, actual=0):
        store.sagas.save(saga, expected_version=1)
    equal(store.sagas.save(saga, expected_version=0).version, 1, "the version of a new saga")
    with raises(SagaConflictError, "creating what exists", expected=0, actual=1):
        other.sagas.save(saga, expected_version=0)
    second = other.sagas.save(replace(saga, state={"step": 2}), expected_version=1)
    with raises(SagaConflictError, "a save that comes late", expected=1, actual=2):
        store.sagas.save(replace(saga, state={"step": "late"}), expected_version=1)
    found = store.sagas.load("saga-1")
    equal((found.version, found.state, second.version), (2, {"step": 2}, 2), "the saga after the refusals")
    equal((found.saga_type, found.correlation_id, found.handled), ("Order", "order-1", ()), "its other fields")


@check("SAGA-01", needs=[SAGAS])
def one_of_racing_saga_saves_wins(lab: Lab) -> None:
    """Of savers that race with the same version exactly one wins, also when they create it."""
    stores = _stores(lab, _HANDLES)
    for version in range(6):
        saves = [
            partial(store.sagas.save, Saga("saga-1", "Order", {"by": number}), expected_version=version)
            for number, store in enumerate(stores)
        ]
        results = _race(lab, list(saves))
        winners = [number for number, result in enumerate(results) if not isinstance(result, BaseException)]
        equal(len(winners), 1, f"how many racing saves with version {version} won")
        losers = {type(result).__name__ for result in results if isinstance(result, BaseException)}
        equal(losers, {"SagaConflictError"}, "how the others lost")
        equal(stores[0].sagas.load("saga-1").state, {"by": winners[0]}, "the state that was saved")


@check("SAGA-01", needs=[SAGAS])
def a_deleted_saga_stays_deleted(lab: Lab) -> None:
    """A deleted saga is gone, and neither a late save nor a new one with its id brings it back."""
    store, other = _stores(lab)
    saga = Saga("saga-1", "Order", {"step": 1})
    store.sagas.save(saga, expected_version=0)
    with raises(SagaConflictError, "deleting at another version", expected=7, actual=1):
        store.sagas.delete("saga-1", expected_version=7)
    store.sagas.delete("saga-1", expected_version=1)
    for expected in (0, 1, 2):
        with raises(SagaConflictError, f"saving a deleted saga with version {expected}", actual=None):
            other.sagas.save(saga, expected_version=expected)
    equal((other.sagas.load("saga-1"), list(store.sagas.find(saga_type="Order"))), (None, []), "the deleted saga")
    with raises(SagaConflictError, "deleting it again", actual=None):
        other.sagas.delete("saga-1", expected_version=1)
