import uuid
from datetime import UTC, datetime

import pytest
from memory_helpers import ANY, add, rolled_back

from mink_core import (
    ConcurrencyError,
    Direction,
    EventFilter,
    NewEvent,
    PositionAheadError,
    StoreIdentity,
    StreamAppend,
    StreamNotFoundError,
)
from mink_memory import MemoryEventStore


def positions(log, **options):
    return [event.global_position for event in log.read_all(**options)]


@pytest.fixture
def store():
    with MemoryEventStore() as store:
        yield store


def test_an_open_transaction_holds_back_only_what_is_above_its_first_append(store):
    add(store, "s", count=2)
    with store.transaction() as transaction:
        add(store, "s")
        assert store.head_position() == 3  # it has not appended yet: it delays nobody
        add(transaction, "t")  # position 4
        add(store, "s")
        add(transaction, "t")
        add(store, "s")
        for log in (store, transaction):
            assert positions(log) == [1, 2, 3]
            assert positions(log, direction=Direction.BACKWARD) == [3, 2, 1]
            assert log.poll(3).next_position == 3
            assert log.poll(3).events == []
            assert log.head_position() == 3
        assert [event.global_position for event in store.read_stream("s")] == [1, 2, 3, 5, 7]
        status = store.feed_status()
        assert (status.head, status.mark, status.high) == (3, 3, 7)
        (holder,) = status.holders
        assert holder.after_position == 3
        assert holder.application == "memory"
        assert "thread" in holder.doing
        assert 0 <= holder.seconds < 60
        assert (datetime.now(UTC) - holder.since).total_seconds() < 60
    assert positions(store) == [1, 2, 3, 4, 5, 6, 7]
    assert store.feed_status().holders == ()


def test_overlapping_transactions_give_the_feed_in_position_order(store):
    first, second, third = (store.transaction() for _ in range(3))
    one, two, three = first.__enter__(), second.__enter__(), third.__enter__()
    add(two, "b")  # 1
    add(one, "a")  # 2
    add(three, "c")  # 3
    add(two, "b")  # 4
    add(store, "s")  # 5
    third.__exit__(None, None, None)
    assert positions(store) == []
    assert [holder.after_position for holder in store.feed_status().holders] == [0, 1]
    first.__exit__(None, None, None)
    assert positions(store) == []
    second.__exit__(None, None, None)
    assert positions(store) == [1, 2, 3, 4, 5]
    add(store, "s")
    assert positions(store, after_position=4) == [5, 6]


def test_a_rollback_leaves_a_hole_that_delays_nobody(store):
    add(store, "s")
    with rolled_back(store) as transaction:
        add(transaction, "t", count=3)
        add(store, "s")
    assert positions(store) == [1, 5]
    assert store.feed_status().high == 5
    for after, expected in ((0, [1, 5]), (1, [5]), (2, [5]), (4, [5]), (5, [])):
        assert positions(store, after_position=after) == expected
        assert [event.global_position for event in store.poll(after).events] == expected
        assert positions(store, after_position=after, direction=Direction.BACKWARD) == expected[::-1]
    with pytest.raises(StreamNotFoundError):
        store.stream_info("t")


def test_a_rolled_back_end_of_the_log_is_never_a_position_to_go_on_from(store):
    add(store, "s")
    with rolled_back(store) as transaction:
        add(transaction, "t", count=5)
    assert store.poll(0).next_position == 1
    assert store.poll(1).next_position == 1
    assert store.head_position() == 1
    assert store.feed_status().mark == 6
    assert store.poll(6).next_position == 6
    with pytest.raises(PositionAheadError):
        store.poll(7)


def test_a_transaction_sees_its_own_and_nobody_else_does(store):
    add(store, "s", count=2)
    with store.transaction() as transaction:
        add(transaction, "s", count=600)
        add(transaction, "new")
        assert [event.version for event in transaction.read_stream("s")] == list(range(1, 603))
        backwards = transaction.read_stream("s", after_version=1, direction=Direction.BACKWARD)
        assert [event.version for event in backwards] == list(range(602, 1, -1))
        assert [e.version for e in transaction.read_stream("s", after_version=1, limit=2)] == [2, 3]
        assert transaction.stream_info("s").version == 602
        assert transaction.stream_info("new").created_at == transaction.stream_info("new").updated_at
        assert [info.stream_id for info in transaction.streams()] == ["new", "s"]
        assert [event.version for event in store.read_stream("s")] == [1, 2]
        assert store.stream_info("s").version == 2
        assert [info.stream_id for info in store.streams()] == ["s"]
    assert store.stream_info("s").version == 602


def test_a_refused_append_leaves_the_transaction_usable(store):
    add(store, "s")
    with store.transaction() as transaction:
        add(transaction, "t")
        with pytest.raises(ConcurrencyError):
            transaction.append("s", [NewEvent("T", None)], expected_version=9)
        add(store, "s")  # the refused call left no lock behind
        add(transaction, "t")
    assert [event.stream_id for event in store.read_all()] == ["s", "t", "s", "t"]
    assert positions(store) == [1, 2, 3, 4]


def test_a_refused_batch_leaves_nothing_in_its_transaction(store):
    add(store, "s")
    with store.transaction() as transaction:
        add(transaction, "t")
        with pytest.raises(ConcurrencyError):
            transaction.append_batch(
                [
                    StreamAppend("t", [NewEvent("Gone", None)], ANY),
                    StreamAppend("new", [NewEvent("Gone", None)], ANY),
                    StreamAppend("s", [NewEvent("Gone", None)], 9),
                ]
            )
        assert transaction.stream_info("t").version == 1
        assert [info.stream_id for info in transaction.streams()] == ["s", "t"]
        assert add(transaction, "t").first_version == 2
        assert add(store, "new").first_version == 1
    assert [event.event_type for event in store.read_all()] == ["T"] * 4
    assert positions(store) == [1, 2, 3, 4]


def test_a_limit_counts_what_passes_the_filter(store):
    for _ in range(600):
        add(store, "s")
        add(store, "s", kind="Rare")
    rare = EventFilter(event_types=("Rare",))
    whole = list(range(2, 1201, 2))
    assert positions(store, where=rare, limit=599) == whole[:599]
    assert positions(store, where=rare, limit=599, direction=Direction.BACKWARD) == whole[:0:-1]
    assert store.poll(0, limit=599, where=rare).next_position == 1198


def test_read_all_ends_at_the_mark_of_the_call(store):
    add(store, "s", count=3)
    forward, backward = store.read_all(), store.read_all(direction=Direction.BACKWARD)
    add(store, "s", count=2000)
    assert [event.global_position for event in forward] == [1, 2, 3]
    assert [event.global_position for event in backward] == [3, 2, 1]


def test_pages_join_without_a_seam(store):
    for _ in range(13):
        add(store, "s", count=100)
    whole = list(range(1, 1301))
    assert positions(store) == whole
    assert positions(store, direction=Direction.BACKWARD) == whole[::-1]
    assert positions(store, after_position=7, limit=1001) == whole[7:1008]
    assert positions(store, after_position=7, limit=1001, direction=Direction.BACKWARD) == whole[:-1002:-1]
    assert [e.version for e in store.read_stream("s", limit=1001)] == whole[:1001]
    backward = store.read_stream("s", limit=1001, direction=Direction.BACKWARD)
    assert [event.version for event in backward] == whole[:-1002:-1]


def test_poll_moves_over_what_the_filter_leaves_out_in_bounded_steps(store):
    for _ in range(21):
        add(store, "s", count=1000)
    add(store, "s", kind="Rare")
    where = EventFilter(event_types=("Rare",))
    after, steps = 0, []
    while not (page := store.poll(after, where=where)).events:
        assert page.next_position > after
        after = page.next_position
        steps.append(after)
    assert steps == [10_000, 20_000]
    assert page.next_position == 21_001
    assert store.poll(0, limit=5, where=EventFilter(event_types=("T",))).next_position == 5
    assert store.poll(3, limit=0).next_position == 3
    assert store.poll(3, limit=0, where=where).next_position == 3


def test_another_identity_or_epoch_is_refused(store):
    add(store, "s")
    identity = store.identity()
    assert store.poll(0, identity=identity).next_position == 1
    iterator = store.read_all(identity=identity)
    assert store.bump_epoch() == StoreIdentity(identity.store, identity.epoch + 1) == store.identity()
    assert len(list(iterator)) == 1
    for wrong in (identity, StoreIdentity(uuid.uuid4(), store.identity().epoch)):
        with pytest.raises(PositionAheadError, match="epoch"):
            store.poll(1, identity=wrong)
        with pytest.raises(PositionAheadError, match="epoch"):
            store.read_all(identity=wrong)
    with pytest.raises(PositionAheadError):
        store.read_all(after_position=2)


def test_filters_of_every_axis(store):
    start = datetime.now(UTC)
    store.append("order-1", [NewEvent("A", 1, {"u": "x"}), NewEvent("B", 2)], expected_version=ANY)
    store.append("order", [NewEvent("A", 3, {"u": "y"})], expected_version=ANY)
    store.append("orders-1", [NewEvent("A", 4, {"u": "x"})], expected_version=ANY)
    middle = next(store.read_stream("order")).timestamp

    def found(**axes):
        return [event.data for event in store.read_all(where=EventFilter(**axes))]

    assert found(event_types=("A",)) == [1, 3, 4]
    assert found(categories=("order",)) == [1, 2, 3]
    assert found(stream_ids=("order", "orders-1")) == [3, 4]
    assert found(categories=("order",), metadata={"u": "x"}) == [1]
    assert found(since=middle) == [3, 4]
    assert found(until=middle) == [1, 2]
    assert found(since=start, until=start) == []
