"""Limits at their edge and one past it, expectations, and what a call may hold (APPEND-07, APPEND-12)."""

from __future__ import annotations

import math
import pickle
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mink_core import (
    EventFilter,
    ExpectedVersion,
    NewEvent,
    StoredEvent,
    StreamAppend,
    UsageError,
    category_of,
    limits,
)
from mink_core.limits import MAX_VERSION, check_expected
from mink_core.prepare import prepare_append, prepare_batch


@pytest.mark.parametrize(
    "stream_id",
    ["a", "a-", "a-1", "x" * 250, "c-" + "x" * 498, "c" * 250 + "-" + "x" * 249, "🎈" * 250, "a b/c'\"%_\\"],
)
def test_stream_ids_that_are_good(stream_id: str) -> None:
    assert limits.check_stream_id(stream_id) == stream_id


@pytest.mark.parametrize(
    ("stream_id", "says"),
    [
        ("", "1 to 500"),
        ("c-" + "x" * 499, "1 to 500 characters, not 501"),
        ("x" * 251, "1 to 250 characters, not 251"),
        ("x" * 251 + "-1", "category must have 1 to 250"),
        ("-1", "must not begin with '-'"),
        ("a\0", "control characters"),
        ("a\n", "index 1"),
        ("a\x7f", "control"),
        ("a\x85", "control"),
        ("a\ud800", "lone surrogates"),
        (b"a", "not bytes"),
        (None, "not NoneType"),
        (type("Sub", (str,), {})("a"), "not Sub"),
    ],
)
def test_stream_ids_that_are_refused(stream_id: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        limits.check_stream_id(stream_id)


@pytest.mark.parametrize(
    ("event_type", "good"), [("T" * 500, True), ("T" * 501, False), ("", False), ("a\t", False), ("é-1", True)]
)
def test_event_types(event_type: str, good: bool) -> None:
    if good:
        assert limits.check_event_type(event_type) == event_type
        return
    with pytest.raises(UsageError, match="event type"):
        limits.check_event_type(event_type)


def test_an_empty_category_is_told_as_that() -> None:
    with pytest.raises(UsageError, match="category must have 1 to 250 characters, not 0"):
        limits.check_category("")


@pytest.mark.parametrize(
    ("stream_id", "category"),
    [("order-42", "order"), ("order", "order"), ("a-b-c", "a"), ("a-", "a"), ("A_b-1", "A_b")],
)
def test_categories(stream_id: str, category: str) -> None:
    assert category_of(stream_id) == category


@pytest.mark.parametrize("wrong", [-1, -(2**70), MAX_VERSION + 1, True, False, 1.0, "1", None, float("nan")])
def test_an_expectation_that_is_none_is_refused(wrong: Any) -> None:
    with pytest.raises(UsageError, match="nothing was stored"):
        check_expected(wrong)


def test_expectations() -> None:
    assert check_expected(0) is ExpectedVersion.NO_STREAM
    assert check_expected(MAX_VERSION) == MAX_VERSION
    assert [check_expected(member) for member in ExpectedVersion] == list(ExpectedVersion)
    # Arithmetic on a version can never turn into a member.
    assert not any(isinstance(member, int) for member in ExpectedVersion)


@given(st.integers())
def test_no_negative_int_means_anything(number: int) -> None:
    if 0 <= number <= MAX_VERSION:
        assert check_expected(number) in (number, ExpectedVersion.NO_STREAM)
    else:
        with pytest.raises(UsageError):
            check_expected(number)


def event(data: object = None, **fields: Any) -> NewEvent:
    return NewEvent("Made", data, **fields)


@pytest.mark.parametrize(
    ("events", "says"),
    [
        ([], "at least one event"),
        (event(), "a sequence of NewEvent, not NewEvent"),
        ("Made", "not str"),
        (7, "not int"),
        ([{"event_type": "Made"}], r"events\[0\] must be a NewEvent, not dict"),
        ([event(), event(event_id="no")], r"events\[1\].event_id must be a UUID"),
        ([event(metadata=[1])], r"events\[0\].metadata must be a dict or None, not list"),
        ([event(event_id=UUID(int=1)), event(event_id=UUID(int=1))], "stands twice in one call"),
        ([event("x" * (8 * 1024 * 1024 - 1))], "8388609 bytes of JSON, above the limit of 8388608"),
        ([event(metadata={"k": "x" * (8 * 1024 * 1024)})], "metadata is .* above the limit of 8388608"),
        ([event("x" * 7_900_000) for _ in range(9)], "67108864 bytes"),
    ],
)
def test_what_a_call_may_not_hold(events: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        prepare_append("a-1", events, ExpectedVersion.ANY)


def test_what_a_call_may_hold_at_most() -> None:
    many = [event() for _ in range(10_000)]
    assert len(prepare_append("a-1", many, 0).events) == 10_000
    with pytest.raises(UsageError, match="10000 events, not 10001"):
        prepare_append("a-1", [*many, event()], 0)
    halves = [StreamAppend("a-1", many[:5000], 0), StreamAppend("b-1", [*many[5000:], event()], 0)]
    with pytest.raises(UsageError, match="10000 events"):
        prepare_batch(halves)
    assert prepare_append("a-1", [event("x" * (8 * 1024 * 1024 - 2))], 0)
    nested: Any = []
    for _ in range(127):
        nested = [nested]
    assert prepare_append("a-1", [event(nested)], 0)
    with pytest.raises(UsageError, match="deeper than the limit of 128"):
        prepare_append("a-1", [event([nested])], 0)


def test_a_batch_is_checked_as_one_call() -> None:
    one = event()
    with pytest.raises(UsageError, match="stands twice in one call"):
        prepare_batch([StreamAppend("a-1", [one], 0), StreamAppend("b-1", [one], 0)])
    with pytest.raises(UsageError, match="no item"):
        prepare_batch([])
    with pytest.raises(UsageError, match="StreamAppend items, not tuple"):
        prepare_batch([("a-1", [one], 0)])  # type: ignore[list-item]


@pytest.mark.parametrize("letter", ["x", "é", "漢", "🎈"])
def test_a_call_is_limited_in_bytes_however_many_items_it_has(letter: str) -> None:
    """Right at the limit and one byte past it, in events of letters of one to four bytes."""
    width = len(letter.encode())
    each = 6 * 1024 * 1024
    items = [StreamAppend(f"a-{n}", [event(letter * (each // width))], 0) for n in range(10)]
    left = limits.MAX_CALL_BYTES - 10 * (each // width * width + 2)
    assert len(prepare_batch([*items, StreamAppend("b-1", [event("x" * (left - 2))], 0)])) == 11
    with pytest.raises(UsageError, match="67108864 bytes of JSON, not 67108865"):
        prepare_batch([*items, StreamAppend("b-1", [event("x" * (left - 1))], 0)])
    one = [event(metadata={"k": letter * (each // width)}) for _ in range(11)]
    with pytest.raises(UsageError, match="67108864 bytes of JSON"):
        prepare_append("a-1", one, 0)


@pytest.mark.parametrize("after", [[], [event(2), event(3)]])
def test_a_list_that_changes_meanwhile_is_taken_as_it_was(after: list[NewEvent]) -> None:
    given = [event(1), event(2)]
    before = [one.event_id for one in given]

    class Changing:
        def outgoing(self, _: str, event: NewEvent) -> NewEvent:
            given[1:] = after
            return event

        def incoming(self, event: StoredEvent) -> StoredEvent:
            return event

    assert [one.event_id for one in prepare_append("a-1", given, 0, [Changing()]).events] == before


def test_an_iterator_of_events_will_do() -> None:
    assert len(prepare_append("a-1", (event(n) for n in range(3)), 0).events) == 3


def test_an_id_is_made_by_the_client() -> None:
    assert event().event_id != event().event_id
    assert event(event_id=UUID(int=5)).event_id == UUID(int=5)
    assert event(event_id=None).event_id.version == 4
    assert pickle.loads(pickle.dumps(made := event({"a": [1, 1.0]}))) == made


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"event_types": "Made"}, "event_types must be a tuple of str"),
        ({"event_types": ("",)}, "event type"),
        ({"stream_ids": ("-1",)}, "must not begin"),
        ({"categories": ("a-b",)}, "holds no '-'"),
        ({"metadata": {"k": [1]}}, "must be a scalar, not a list"),
        ({"metadata": {"k": {}}}, "must be a scalar, not a dict"),
        ({"metadata": {"k": math.nan}}, "not JSON"),
        ({"metadata": {1: "x"}}, "only str keys"),
        ({"metadata": [1]}, "must be a dict"),
        ({"since": datetime(2026, 1, 1)}, "with a time zone"),  # noqa: DTZ001 -- what is refused
        ({"until": "2026-01-01"}, "with a time zone"),
        ({"until": datetime.max.replace(tzinfo=timezone(timedelta(hours=-5)))}, "within the years 1 to 9999"),
    ],
)
def test_filters_that_no_event_can_pass_are_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        EventFilter(**wrong)


def test_a_filter_is_a_value() -> None:
    zone = timezone(timedelta(hours=2))
    one = EventFilter(("A", "A", "B"), since=datetime(2026, 1, 1, 2, tzinfo=zone))
    assert one == EventFilter(("A", "B"), since=datetime(2026, 1, 1, tzinfo=UTC))
    assert one.since is not None
    assert one.since.tzinfo is UTC
    assert EventFilter().is_empty
    assert not one.is_empty
