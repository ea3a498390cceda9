"""Ctrl-C while locks are let go of: whoever waits for one of them has it at once, and is woken."""

from contextlib import suppress

import pytest

from mink_core import ConcurrencyError, ExpectedVersion, NewEvent, TransientStorageError
from mink_core.prepare import prepare_append
from mink_memory import MemoryEventStore
from mink_memory.handle import utc_now
from mink_memory.open_transaction import Turn
from mink_memory.signals import ThreadSignal
from mink_memory.waiting import _attempted
from tests.interrupts import interrupted

ANY = ExpectedVersion.ANY
STREAMS = ("a-1", "b-1")


class Waiter:
    """A call of another thread, as far as the log sees it: it waits for a stream in a transaction of its own."""

    def __init__(self, store, key, transaction=None):
        self.log = store._handle.log
        self.item = prepare_append("a-1", [NewEvent("Theirs", {})], ANY, ())
        self.transaction = transaction or store._handle.begin("another thread")
        self.signal = ThreadSignal()
        self.turn = Turn(self.transaction, [key], self.signal)
        assert not self.goes_on()

    def goes_on(self):
        return self.log.append_in(self.turn, [self.item], utc_now) is not None


def append(transaction):
    for stream_id in STREAMS:
        transaction.append(stream_id, [NewEvent("Ours", {})], expected_version=ANY)


def commit(block):
    block.__exit__(None, None, None)


def rollback(block):
    error = ValueError("so it ends")
    with suppress(ValueError):
        block.__exit__(ValueError, error, None)


@pytest.mark.parametrize("companions", [False, True])
@pytest.mark.parametrize("end", [commit, rollback])
def test_the_end_of_a_transaction_wakes_who_waits(end, companions):
    moment = 0
    while True:
        moment += 1
        store = MemoryEventStore()
        block = store.transaction()
        append(block.__enter__())
        waiters = [Waiter(store, stream_id) for stream_id in STREAMS]
        if companions:
            waiters += [Waiter(store, "a-1", waiters[0].transaction)]
        behind = Waiter(store, "a-1")
        was_interrupted = interrupted(lambda: end(block), moment)  # noqa: B023 -- called here
        locks = store._handle.log._locks
        if locks.owners.get("a-1") is not waiters[0].transaction:
            # A signal that comes before anything was done ends the block as the caller lets go of it.
            block = None
        for waiter in waiters:
            assert waiter.signal.wait(0), moment
            assert waiter.goes_on(), moment
        assert not behind.signal.wait(0)
        for waiter in waiters[:2]:
            store._handle.commit(waiter.transaction)
        assert behind.signal.wait(0)
        assert behind.goes_on()
        store._handle.commit(behind.transaction)
        assert (locks.owners, locks._queues, store.feed_status().holders) == ({}, {}, ())
        assert not store._handle.log._lock.locked()
        store.append("a-1", [NewEvent("Ours", {})], expected_version=ANY)
        if not was_interrupted:
            break
    assert moment > 50


def test_a_refused_append_wakes_who_waits_behind_it():
    """It had one lock and waited for another one, and had both then."""
    moment = 0
    while True:
        moment += 1
        store = MemoryEventStore()
        handle, log = store._handle, store._handle.log
        store.append("a-1", [NewEvent("Made", {})], expected_version=0)
        ours, other = handle.begin("ours"), store.transaction()
        other.__enter__().append("b-1", [NewEvent("Theirs", {})], expected_version=0)
        turn = Turn(ours, STREAMS, ThreadSignal())
        refused = prepare_append("a-1", [NewEvent("Ours", {})], 0, ())

        def attempt(turn=turn, log=log, refused=refused):
            return log.append_in(turn, [refused], utc_now)

        assert attempt() is None
        behind = Waiter(store, "a-1")
        other.__exit__(None, None, None)

        def act(handle=handle, turn=turn, attempt=attempt):
            with suppress(ConcurrencyError):
                _attempted(handle, turn, lambda _: attempt())

        if was_interrupted := interrupted(act, moment):
            handle.rollback(ours)  # as the block does that it came out of
        assert behind.signal.wait(0), moment
        assert behind.goes_on()
        handle.commit(behind.transaction)
        handle.rollback(ours)
        assert (log._locks.owners, log._locks._queues, store.feed_status().holders) == ({}, {}, ())
        if not was_interrupted:
            break
    assert moment > 20


def test_an_interrupted_wait_leaves_the_queue():
    """In any moment of queueing up, and of giving up."""
    moment = 0
    while True:
        moment += 1
        store = MemoryEventStore(lock_timeout=0.001)
        with store.transaction() as other:
            other.append("a-1", [NewEvent("Theirs", {})], expected_version=0)

            def late(store=store):
                with suppress(TransientStorageError):
                    store.append("a-1", [NewEvent("Ours", {})], expected_version=ANY)

            was_interrupted = interrupted(late, moment)
            assert store._handle.log._locks._queues == {}, moment
        assert store._handle.log._locks.owners == {}
        assert not store._handle.log._lock.locked()
        if not was_interrupted:
            break
    assert moment > 50


def test_locks_by_event_ids_are_handed_over_too():
    """Their hashes are computed in Python, where a signal may come."""
    event, moment = NewEvent("Made", {}), 0
    while True:
        moment += 1
        store = MemoryEventStore(unique_event_ids=True)
        block = store.transaction()
        block.__enter__().append("a-1", [event], expected_version=0)
        behind = Waiter(store, event.event_id)
        was_interrupted = interrupted(lambda: commit(block), moment)  # noqa: B023 -- called here
        block = None
        assert behind.signal.wait(0), moment
        store._handle.rollback(behind.transaction)
        locks = store._handle.log._locks
        assert (locks.owners, locks._queues) == ({}, {}), moment
        if not was_interrupted:
            break
    assert moment > 50
