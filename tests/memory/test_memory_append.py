from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest
from memory_helpers import rolled_back

from mink_core import (
    ConcurrencyError,
    DuplicateEventError,
    ExpectedVersion,
    NewEvent,
    StreamAppend,
    UsageError,
)
from mink_memory import MemoryEventStore

ANY, NONE, EXISTS = ExpectedVersion.ANY, ExpectedVersion.NO_STREAM, ExpectedVersion.STREAM_EXISTS
START = datetime(2026, 1, 1, tzinfo=UTC)


def ev(number, data=None, metadata=None, kind="T"):
    return NewEvent(kind, data, metadata, UUID(int=number))


@pytest.fixture
def store():
    with MemoryEventStore() as store:
        yield store


def test_timestamps_do_not_go_back_with_the_clock():
    times = iter([START, START - timedelta(days=1), START, START + timedelta(seconds=1)])
    store = MemoryEventStore(clock=lambda: next(times))
    store.append("s", [ev(1), ev(2)], expected_version=ANY)
    store.append("s", [ev(3)], expected_version=ANY)
    store.append("s", [ev(4)], expected_version=ANY)
    store.append("s", [ev(5)], expected_version=ANY)
    tick = timedelta(microseconds=1)
    assert [event.timestamp for event in store.read_stream("s")] == [
        START,
        START,
        START + tick,
        START + 2 * tick,
        START + timedelta(seconds=1),
    ]
    info = store.stream_info("s")
    assert (info.created_at, info.updated_at) == (START, START + timedelta(seconds=1))


def test_timestamps_do_not_go_back_in_a_transaction_either():
    store = MemoryEventStore(clock=lambda: START)
    store.append("s", [ev(1)], expected_version=ANY)
    with store.transaction() as transaction:
        transaction.append("s", [ev(2)], expected_version=ANY)
        transaction.append("s", [ev(3)], expected_version=ANY)
    stamps = [event.timestamp for event in store.read_stream("s")]
    assert stamps == sorted(set(stamps))


def test_nothing_is_shared_with_a_caller_or_a_reader(store):
    data, metadata = {"list": [1]}, {"k": "v"}
    store.append("s", [NewEvent("T", data, metadata)], expected_version=ANY)
    data["list"].append(2)
    metadata["k"] = "changed"
    for read in (lambda: next(store.read_stream("s")), lambda: store.poll(0).events[0], lambda: next(store.read_all())):
        event = read()
        assert (event.data, event.metadata) == ({"list": [1]}, {"k": "v"})
        event.data["list"].append(3)
        event.metadata["k"] = "changed"
    assert next(store.read_stream("s")).data == {"list": [1]}


class _Sealed:
    def __init__(self, seal):
        self._seal = seal

    def outgoing(self, stream_id, event):
        return msgspec.structs.replace(event, data=[self._seal, event.data])

    def incoming(self, event):
        seal, data = event.data
        assert seal == self._seal
        return msgspec.structs.replace(event, data=data)


def test_transforms_run_outwards_in_order_and_back_reversed():
    store = MemoryEventStore(transforms=[_Sealed("inner"), _Sealed("outer")])
    first = store.append("s", [ev(1, {"a": 1})], expected_version=NONE)
    assert store.append("s", [ev(1, {"a": 1})], expected_version=NONE) == first
    with store.transaction() as transaction:
        transaction.append("s", [ev(2, {"a": 2})], expected_version=1)
        assert [event.data["a"] for event in transaction.read_stream("s")] == [1, 2]
    assert [event.data["a"] for event in store.read_all()] == [1, 2]
    assert [event.data["a"] for event in store.poll(0).events] == [1, 2]
    assert store._handle.log.span("s", 0, 1, None)[0].data == '["outer",["inner",{"a":1}]]'


def test_a_repeat_returns_the_first_result_also_when_later_events_follow(store):
    call = [ev(1, {"a": 1, "b": 2}), ev(2)]
    store.append("other", [ev(9)], expected_version=NONE)
    first = store.append("s", call, expected_version=NONE)
    store.append("s", [ev(3)], expected_version=2)
    again = store.append("s", [ev(1, {"b": 2, "a": 1}), ev(2, None, {})], expected_version=NONE)
    assert again == first
    assert store.append("s", [ev(3)], expected_version=2).first_version == 3
    assert store.head_position() == 4


@pytest.mark.parametrize(
    ("call", "expected", "duplicate"),
    [
        ([ev(1, 1)], 0, 1),  # fewer, from the front
        ([ev(2, {"a": [{"b": 1}]})], 1, 2),  # fewer, from the back
        ([ev(1, 1), ev(2, {"a": [{"b": 1}]}), ev(3)], 0, 1),  # more
        ([ev(2, {"a": [{"b": 1}]}), ev(1, 1)], 0, 2),  # another order
        ([ev(1, 1), ev(8)], 0, 1),
        ([ev(8), ev(2, {"a": [{"b": 1}]})], 0, 2),
        ([ev(1, 1.0), ev(2)], 0, 1),  # other data: 1 was stored
        ([ev(1, True), ev(2)], 0, 1),
        ([ev(1, 1), ev(2, {"a": [{"b": 1.0}]})], 0, 2),
        ([ev(1, 1), ev(2, {"a": [{"b": 1}], "c": None})], 0, 2),
        ([ev(1, 1), ev(2, {"a": [{"b": 1}]}, kind="U")], 0, 2),
        ([ev(1, 1), ev(2, {"a": [{"b": 1}]}, {"m": 1})], 0, 2),
    ],
)
def test_what_is_not_quite_the_first_call_is_a_duplicate(store, call, expected, duplicate):
    store.append("s", [ev(1, 1), ev(2, {"a": [{"b": 1}]})], expected_version=0)
    store.append("s", [ev(3)], expected_version=2)
    with pytest.raises(DuplicateEventError) as caught:
        store.append("s", call, expected_version=expected)
    assert caught.value.event_id == UUID(int=duplicate)
    assert store.stream_info("s").version == 3


def test_no_shared_id_is_a_conflict_with_the_true_version(store):
    store.append("s", [ev(1), ev(2)], expected_version=0)
    for expected in (0, 1, 3, 7):
        with pytest.raises(ConcurrencyError) as caught:
            store.append("s", [ev(8)], expected_version=expected)
        assert caught.value.actual == 2
    with pytest.raises(ConcurrencyError) as caught:
        store.append("missing", [ev(8)], expected_version=EXISTS)
    assert caught.value.actual == 0


def test_two_appends_in_one_instant_are_two_calls():
    store = MemoryEventStore(clock=lambda: START)
    store.append("s", [ev(1)], expected_version=0)
    store.append("s", [ev(2)], expected_version=1)
    with pytest.raises(DuplicateEventError):
        store.append("s", [ev(1), ev(2)], expected_version=0)
    assert store.append("s", [ev(2)], expected_version=1).first_position == 2


def test_a_batch_is_repeated_as_a_whole(store):
    batch = [
        StreamAppend("b", [ev(1)], NONE),
        StreamAppend("a", [ev(2), ev(3)], NONE),
        StreamAppend("b", [ev(4)], 1),
    ]
    first = store.append_batch(batch)
    assert [(result.first_version, result.first_position) for result in first] == [(1, 1), (1, 2), (2, 4)]
    store.append("a", [ev(5)], expected_version=2)
    assert store.append_batch(batch) == first
    assert store.append_batch(batch[2:]) == first[2:]
    with pytest.raises(DuplicateEventError) as caught:  # repeated and fresh
        store.append_batch([StreamAppend("c", [ev(6)], NONE), batch[1]])
    assert caught.value.event_id == UUID(int=2)
    with pytest.raises(DuplicateEventError) as caught:  # a conflict first, then repeated
        store.append_batch([StreamAppend("a", [ev(6)], 1), batch[1]])
    assert caught.value.event_id == UUID(int=2)
    assert [info.stream_id for info in store.streams()] == ["a", "b"]
    assert store.feed_status().high == 5


def test_a_batch_names_its_first_conflict_as_the_item_saw_it(store):
    with pytest.raises(ConcurrencyError) as caught:
        store.append_batch(
            [StreamAppend("a", [ev(1), ev(2)], ANY), StreamAppend("a", [ev(3)], 7), StreamAppend("b", [ev(4)], EXISTS)]
        )
    assert (caught.value.stream_id, caught.value.expected, caught.value.actual) == ("a", 7, 2)
    assert store.feed_status().high == 0
    with pytest.raises(UsageError):
        store.append_batch([])


def test_without_unique_ids_a_retry_under_any_writes_again(store):
    for expected in (ANY, EXISTS):
        store.append("s", [ev(1)], expected_version=expected)
    assert store.stream_info("s").version == 2


@pytest.fixture
def unique():
    with MemoryEventStore(unique_event_ids=True) as store:
        yield store


@pytest.mark.parametrize("expected", [ANY, EXISTS, 1])
def test_unique_ids_recognize_a_repeat_under_every_expectation(unique, expected):
    unique.append("s", [ev(1)], expected_version=ANY)
    first = unique.append("s", [ev(2, {"a": 1}), ev(3)], expected_version=expected)
    unique.append("s", [ev(4)], expected_version=ANY)
    for again in (expected, ANY, EXISTS, 1):
        assert unique.append("s", [ev(2, {"a": 1}), ev(3)], expected_version=again) == first
    with unique.transaction() as transaction:
        assert transaction.append("s", [ev(2, {"a": 1}), ev(3)], expected_version=ANY) == first
    assert unique.stream_info("s").version == 4


@pytest.mark.parametrize(
    ("stream_id", "call", "expected", "duplicate"),
    [
        ("other", [ev(2), ev(3)], ANY, 2),
        ("s", [ev(3)], ANY, 3),
        ("s", [ev(3), ev(2)], ANY, 3),
        ("s", [ev(8), ev(3)], ANY, 3),
        ("s", [ev(2), ev(3), ev(4)], ANY, 2),
        ("s", [ev(1), ev(2)], ANY, 1),
        ("s", [ev(2, 1), ev(3)], EXISTS, 2),
        ("s", [ev(2), ev(3)], 3, 2),
        ("s", [ev(2), ev(3)], NONE, 2),
        ("s", [ev(2), ev(8)], 4, 2),
        ("new", [ev(1)], NONE, 1),
    ],
)
def test_unique_ids_refuse_an_id_at_another_place(unique, stream_id, call, expected, duplicate):
    unique.append("s", [ev(1)], expected_version=ANY)
    unique.append("s", [ev(2), ev(3)], expected_version=ANY)
    unique.append("s", [ev(4)], expected_version=ANY)
    with pytest.raises(DuplicateEventError) as caught:
        unique.append(stream_id, call, expected_version=expected)
    assert caught.value.event_id == UUID(int=duplicate)
    assert unique.feed_status().high == 4


def test_an_id_is_free_again_after_a_rollback(unique):
    with rolled_back(unique) as transaction:
        transaction.append("s", [ev(1)], expected_version=ANY)
        with pytest.raises(DuplicateEventError):
            transaction.append("t", [ev(1)], expected_version=ANY)
    assert unique.append("t", [ev(1)], expected_version=ANY).first_version == 1


def test_streams_come_in_code_point_order_page_by_page(store):
    names = [f"c-{number}" for number in range(1200)] + [
        "c",
        "C-1",
        "c!",
        "c.d",
        "cc-1",
        "é-1",
        "\U0001f600-1",
        "\uffee-1",
    ]
    for name in reversed(names):
        store.append(name, [NewEvent("T", None)], expected_version=NONE)
    assert [info.stream_id for info in store.streams()] == sorted(names)
    of_c = sorted(name for name in names if name == "c" or name.startswith("c-"))
    assert [info.stream_id for info in store.streams(category="c")] == of_c
    assert [info.stream_id for info in store.streams(category="c", after="c-5", limit=3)] == ["c-50", "c-500", "c-501"]
    with store.transaction() as transaction:
        transaction.append("c-55x", [NewEvent("T", None)], expected_version=NONE)
        inside = [info.stream_id for info in transaction.streams(after="c-559", limit=2)]
        assert inside == ["c-55x", "c-56"]
        assert [info.stream_id for info in store.streams(after="c-559", limit=1)] == ["c-56"]
