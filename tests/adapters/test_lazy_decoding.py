"""A stored event is a plain value, whether its JSON was looked at or not (READ-08)."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, Any, get_type_hints
from uuid import UUID

import msgspec
import pytest

from mink_core import ExpectedVersion, NewEvent, StoredEvent

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.adapters.doors import Door

DATA: dict[str, Any] = {"a": [1, 1.0, True, None, "é\u2028", {"b": {}}]}


def read(door: Door, work: Callable[[Callable[[], StoredEvent]], None]) -> None:
    """Give `work` fresh reads of one event."""
    events: list[StoredEvent] = []

    def sync(store: Any) -> None:
        store.append("a-1", [NewEvent("Made", DATA, {"k": 1})], expected_version=ExpectedVersion.NO_STREAM)
        for _ in range(9):
            events.extend(store.read_stream("a-1"))

    async def awaited(store: Any) -> None:
        await store.append("a-1", [NewEvent("Made", DATA, {"k": 1})], expected_version=ExpectedVersion.NO_STREAM)
        for _ in range(9):
            events.extend([event async for event in store.read_stream("a-1")])

    door.run(awaited if door.is_async else sync)
    work(events.pop)


def test_looking_changes_nothing(door: Door) -> None:
    def work(fresh: Callable[[], StoredEvent]) -> None:
        touched, untouched = fresh(), fresh()
        assert touched.data == DATA
        assert touched.metadata == {"k": 1}
        assert touched == untouched
        assert type(touched) is type(untouched) is StoredEvent
        assert repr(touched) == repr(fresh())
        assert pickle.loads(pickle.dumps(fresh())) == touched
        assert copy.copy(fresh()) == copy.deepcopy(fresh()) == touched
        assert copy.copy(touched).data is touched.data
        assert copy.deepcopy(touched).data is not touched.data
        assert touched.data is touched.data
        with pytest.raises(TypeError, match="unhashable"):
            hash(fresh())

    read(door, work)


def test_what_a_reader_changes_stays_with_it(door: Door) -> None:
    def work(fresh: Callable[[], StoredEvent]) -> None:
        mine, other = fresh(), fresh()
        mine.data["a"].append("mine")
        mine.metadata["k"] = 2
        assert other.data == DATA
        assert other.metadata == {"k": 1}
        assert mine != other
        with pytest.raises(AttributeError):
            mine.data = 1  # type: ignore[misc]

    read(door, work)


def test_structs_of_msgspec_take_it_as_they_did(door: Door) -> None:
    def work(fresh: Callable[[], StoredEvent]) -> None:
        replaced = msgspec.structs.replace(fresh(), data=5)
        assert (replaced.data, replaced.metadata) == (5, {"k": 1})
        assert msgspec.structs.replace(fresh(), version=7).data == DATA
        assert msgspec.json.decode(msgspec.json.encode(fresh()))["data"] == DATA
        assert get_type_hints(StoredEvent)["event_id"] is UUID

    read(door, work)
