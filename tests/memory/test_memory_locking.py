import threading
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from memory_helpers import ANY, add, nothing_locked, queue_length, rolled_back, until

import mink_memory
from mink_core import (
    Capability,
    CapabilityNotSupportedError,
    DuplicateEventError,
    ExpectedVersion,
    NewEvent,
    StorageError,
    StoreClosedError,
    TransientStorageError,
    UsageError,
)
from mink_memory import MemoryEventStore


@pytest.fixture
def store():
    with MemoryEventStore(lock_timeout=60.0) as store:
        yield store


@pytest.fixture
def pool():
    with ThreadPoolExecutor(16) as pool:
        yield pool


def test_an_append_waits_for_the_transaction_and_follows_it(store, pool):
    with store.transaction() as transaction:
        add(transaction, "s")
        waiting = pool.submit(add, store, "s")
        until(lambda: queue_length(store, "s") == 1)
        add(store, "other")  # nobody else waits
        add(transaction, "s")
        assert not waiting.done()
    assert waiting.result(60).first_version == 3
    assert nothing_locked(store)


def test_waiters_are_served_in_order_and_cannot_be_overtaken(store, pool):
    waiting = []
    with store.transaction() as transaction:
        add(transaction, "s")
        for number in range(8):
            waiting.append(pool.submit(add, store, "s"))
            until(lambda number=number: queue_length(store, "s") == number + 1)
    latecomer = add(store, "s")
    assert [future.result(60).first_version for future in waiting] == list(range(2, 10))
    assert latecomer.first_version == 10
    assert nothing_locked(store)


def test_a_rollback_lets_the_waiter_create_the_stream(store, pool):
    with rolled_back(store) as transaction:
        add(transaction, "s")
        waiting = pool.submit(store.append, "s", [NewEvent("T", None)], expected_version=ExpectedVersion.NO_STREAM)
        until(lambda: queue_length(store, "s") == 1)
    assert waiting.result(60).first_version == 1


def test_a_self_made_deadlock_ends_by_the_time_out():
    store = MemoryEventStore(lock_timeout=0.05)
    with store.transaction() as transaction:
        add(transaction, "s")
        began = time.monotonic()
        with pytest.raises(TransientStorageError, match=r"stream 's' .*thread MainThread.*lock_timeout"):
            add(store, "s")
        assert 0.04 < time.monotonic() - began < 30
        with pytest.raises(TransientStorageError):
            add(store, "a", "s")
        add(store, "a")  # the batch has let go of it
        add(transaction, "s")  # the waiting call failed, not this transaction
    assert store.stream_info("s").version == 2
    assert nothing_locked(store)


def test_a_time_out_ends_the_transaction_that_waited():
    store = MemoryEventStore(lock_timeout=0.05)

    def go_on_after_the_time_out():
        with store.transaction() as second:
            add(second, "t")
            with pytest.raises(TransientStorageError):
                add(second, "s")
            add(store, "t")  # its locks are free at once
            with pytest.raises(StorageError, match="ended by an earlier error"):
                add(second, "t")
            with pytest.raises(StorageError, match="ended by an earlier error"):
                second.read_stream("t")

    with store.transaction() as first:
        add(first, "s")
        with pytest.raises(StorageError, match="ended by an earlier error"):  # from the commit
            go_on_after_the_time_out()
    assert [event.stream_id for event in store.read_all()] == ["s", "t"]
    assert nothing_locked(store)


def test_two_transactions_in_a_deadlock_end_by_the_time_out(pool):
    store = MemoryEventStore(lock_timeout=0.2)
    both = threading.Barrier(2)

    def cross(one, other):
        with store.transaction() as transaction:
            add(transaction, one)
            both.wait(60)
            add(transaction, other)

    outcomes = [pool.submit(cross, "a", "b"), pool.submit(cross, "b", "a")]
    errors = [future.exception(60) for future in outcomes]
    assert any(isinstance(error, TransientStorageError) for error in errors)
    committed = sum(error is None for error in errors)
    assert len(list(store.read_all())) == 2 * committed
    assert nothing_locked(store)


def test_batches_in_any_order_never_deadlock(pool):
    store = MemoryEventStore(lock_timeout=60.0)

    def work(names):
        for _ in range(40):
            with store.transaction() as transaction:
                add(transaction, *names)
                time.sleep(0)

    for future in [pool.submit(work, names) for names in ("abc", "cba", "bca", "ac", "ca", "cb")]:
        future.result(60)
    assert store.stream_info("c").version == 6 * 40
    assert nothing_locked(store)


def test_an_id_in_an_open_transaction_is_waited_for(pool):
    store = MemoryEventStore(unique_event_ids=True)
    same = NewEvent("T", None, None, UUID(int=1))
    with rolled_back(store) as transaction:
        transaction.append("a", [same], expected_version=ANY)
        waiting = pool.submit(store.append, "b", [same], expected_version=ANY)
        until(lambda: queue_length(store, same.event_id) == 1)
    assert waiting.result(60).first_version == 1
    same = NewEvent("T", None, None, UUID(int=2))
    with store.transaction() as transaction:
        transaction.append("a", [same], expected_version=ANY)
        waiting = pool.submit(store.append, "b", [same], expected_version=ANY)
        until(lambda: queue_length(store, UUID(int=2)) == 1)
    assert isinstance(waiting.exception(60), DuplicateEventError)
    assert nothing_locked(store)


def test_closing_the_store_rolls_back_its_transactions_and_wakes_its_waiters(pool):
    store, other = MemoryEventStore("closing-test"), MemoryEventStore("closing-test")
    block = store.transaction()
    transaction = block.__enter__()
    add(transaction, "s")
    foreign = pool.submit(add, other, "s")
    until(lambda: queue_length(store, "s") == 1)
    own = pool.submit(add, store, "s")
    until(lambda: queue_length(store, "s") == 2)
    reading = transaction.read_stream("s")
    store.close()
    assert foreign.result(60).first_version == 1
    assert isinstance(own.exception(60), StoreClosedError)
    with pytest.raises(StoreClosedError):
        add(transaction, "s")
    with pytest.raises(StoreClosedError):
        next(reading)
    with pytest.raises(StoreClosedError):
        block.__exit__(None, None, None)
    assert other.feed_status().holders == ()
    assert [event.global_position for event in other.read_all()] == [2]
    assert nothing_locked(other)
    mink_memory.forget("closing-test")


def test_an_ended_transaction_refuses_every_use(store):
    with store.transaction() as transaction:
        reading = transaction.read_all()
    for use in (
        lambda: add(transaction, "s"),
        lambda: add(transaction, "s", "t"),
        lambda: transaction.read_stream("s"),
        transaction.read_all,
        lambda: transaction.poll(0),
        lambda: transaction.stream_info("s"),
        transaction.streams,
        transaction.head_position,
    ):
        with pytest.raises(StoreClosedError):
            use()
    assert list(reading) == []  # it had no page left


def test_there_is_no_connection(store):
    with store.transaction() as transaction, pytest.raises(CapabilityNotSupportedError) as caught:
        _ = transaction.connection
    assert caught.value.capability is Capability.SQL_TRANSACTION
    assert Capability.SQL_TRANSACTION not in store.capabilities


def test_a_rollback_inside_the_same_threads_critical_section_is_done_later(store, monkeypatch):
    # What the garbage collector does when it closes an abandoned block at a bad moment.
    monkeypatch.setattr("mink_memory.log._COLLECTOR_WAIT", 0.01)
    block = store.transaction()
    add(block.__enter__(), "s")
    began = time.monotonic()
    with store._handle.log._lock:
        assert block.__exit__(KeyError, KeyError(), None) is False
    assert time.monotonic() - began < 30
    until(lambda: store.feed_status().holders == ())
    assert add(store, "s").first_version == 1


def test_a_closed_store_refuses_every_use():
    store = MemoryEventStore()
    for _ in range(600):
        add(store, "s")
    iterators = [store.read_stream("s"), store.read_all(), store.streams()]
    begun = store.read_all()
    next(begun)
    block = store.transaction()
    subscription = store.subscribe()
    assert next(subscription)
    store.close()
    store.close()
    assert list(subscription) == []
    for iterator in [*iterators, begun]:
        with pytest.raises(StoreClosedError):
            list(iterator)
    with pytest.raises(StoreClosedError):
        block.__enter__()
    for use in (
        lambda: add(store, "s"),
        lambda: add(store, "s", "t"),
        lambda: store.read_stream("s"),
        store.read_all,
        lambda: store.poll(0),
        lambda: store.stream_info("s"),
        store.streams,
        store.head_position,
        store.transaction,
        lambda: store.update("s", lambda _: []),
        store.subscribe,
        store.identity,
        store.bump_epoch,
        store.feed_status,
        store.check,
        store.initialize,
        store.ping,
        store.__enter__,
    ):
        with pytest.raises(StoreClosedError):
            use()


def test_a_subscription_waiting_in_another_thread_ends_with_the_store(store, pool):
    subscription = store.subscribe(poll_interval=60)
    waiting = pool.submit(lambda: list(subscription))
    time.sleep(0.05)
    assert not waiting.done()
    store.close()
    assert waiting.result(60) == []


def test_subscribe_checks_its_arguments_by_the_call(store):
    for wrong in ({"batch_size": 0}, {"poll_interval": 0}, {"after_position": -1}, {"where": 1}, {"identity": 1}):
        with pytest.raises(UsageError):
            store.subscribe(**wrong)
