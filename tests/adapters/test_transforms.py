"""Transforms: out in order, back reversed; field encryption fits in one, retries included."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from mink_core import DuplicateEventError, NewEvent, StoredEvent, open_store

if TYPE_CHECKING:
    from tests.adapters.doors import Door


class Tagged:
    def __init__(self, tag: str) -> None:
        self.tag = tag

    def outgoing(self, stream_id: str, event: NewEvent) -> NewEvent:
        return msgspec.structs.replace(event, data=[self.tag, event.data])

    def incoming(self, event: StoredEvent) -> StoredEvent:
        tag, data = event.data
        assert tag == self.tag
        return msgspec.structs.replace(event, data=data)


class Sealed:
    """Hides one field, as an encrypting transform would: the same text for the same event each time."""

    def _pad(self, event_id: Any, length: int) -> bytes:
        return hashlib.shake_256(b"key" + event_id.bytes).digest(length)

    def _turn(self, text: bytes, event_id: Any) -> bytes:
        return bytes(one ^ other for one, other in zip(text, self._pad(event_id, len(text)), strict=True))

    def outgoing(self, stream_id: str, event: NewEvent) -> NewEvent:
        hidden = base64.b64encode(self._turn(event.data["name"].encode(), event.event_id)).decode()
        return msgspec.structs.replace(event, data=event.data | {"name": hidden})

    def incoming(self, event: StoredEvent) -> StoredEvent:
        name = self._turn(base64.b64decode(event.data["name"]), event.event_id).decode()
        return msgspec.structs.replace(event, data=event.data | {"name": name})


def test_out_in_order_and_back_reversed() -> None:
    both = [Tagged("first"), Tagged("second")]
    with open_store("memory://tagged", transforms=both) as store, open_store("memory://tagged") as plain:
        store.append("a-1", [NewEvent("Made", 1)], expected_version=0)
        assert [event.data for event in plain.read_stream("a-1")] == [["second", ["first", 1]]]
        assert [event.data for event in store.read_stream("a-1")] == [1]
        assert [event.data for event in store.read_all()] == [1]
        assert [event.data for event in store.poll(0).events] == [1]


def test_a_sealed_field_on_every_door(door: Door) -> None:
    event = NewEvent("Joined", {"name": "Ann Ünïcode", "year": 2026})
    other = msgspec.structs.replace(event, data={"name": "Bob", "year": 2026})

    def sync(store: Any) -> list[Any]:
        first = store.append("user-1", [event], expected_version=0)
        assert store.append("user-1", [event], expected_version=0) == first
        with pytest.raises(DuplicateEventError):
            store.append("user-1", [other], expected_version=0)
        return list(store.read_stream("user-1"))

    async def awaited(store: Any) -> list[Any]:
        first = await store.append("user-1", [event], expected_version=0)
        assert await store.append("user-1", [event], expected_version=0) == first
        with pytest.raises(DuplicateEventError):
            await store.append("user-1", [other], expected_version=0)
        return [stored async for stored in store.read_stream("user-1")]

    work = awaited if door.is_async else sync
    [stored] = door.run(work, transforms=[Sealed()])
    assert stored.data == event.data
    assert type(stored.data["year"]) is int

    def raw_sync(store: Any) -> list[Any]:
        return list(store.read_stream("user-1"))

    async def raw_awaited(store: Any) -> list[Any]:
        return [stored async for stored in store.read_stream("user-1")]

    [raw] = door.run(raw_awaited if door.is_async else raw_sync)
    assert raw.data["name"] != "Ann Ünïcode"
    assert raw.data["year"] == 2026
