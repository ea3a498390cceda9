"""An event that a transform cannot read ends a reader, which has all before it: on either door."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from mink_core import Direction, NewEvent, StoredEvent, UnreadableEventError
from mink_jetstream import AsyncJetStreamEventStore, JetStreamEventStore

if TYPE_CHECKING:
    from collections.abc import Iterable


class Breaks:
    def outgoing(self, _stream_id: str, event: NewEvent) -> NewEvent:
        return event

    def incoming(self, event: StoredEvent) -> StoredEvent:
        if event.version == 3:
            raise KeyError("currency")
        return event


@pytest.fixture
def filled(store: JetStreamEventStore) -> None:
    store.append("a-1", [NewEvent("Made", n) for n in range(5)], expected_version=0)
    store.snapshots.save("a-1", 1, "state")


@pytest.mark.usefixtures("filled")
def test_threads_have_all_before_it(url: str) -> None:
    def given(events: Iterable[StoredEvent]) -> list[int]:
        seen = list[int]()
        with pytest.raises(UnreadableEventError) as caught:
            seen.extend(event.version for event in events)
        assert caught.value.event.version == 3
        return seen

    with JetStreamEventStore(url, transforms=[Breaks()]) as store:
        assert given(store.read_stream("a-1")) == given(store.read_all()) == [1, 2]
        assert given(store.read_all(direction=Direction.BACKWARD)) == [5, 4]
        tail = store.snapshots.load_with_tail("a-1")
        assert tail.snapshot is not None
        assert given(tail.events) == [2]


@pytest.mark.usefixtures("filled")
def test_tasks_have_all_before_it(url: str) -> None:
    async def given(events: Any) -> list[int]:
        seen = list[int]()
        with pytest.raises(UnreadableEventError):
            async for event in events:
                seen.append(event.version)
        return seen

    async def scenario() -> None:
        async with AsyncJetStreamEventStore(url, transforms=[Breaks()]) as store:
            assert await given(store.read_stream("a-1")) == await given(store.read_all()) == [1, 2]
            assert await given((await store.snapshots.load_with_tail("a-1")).events) == [2]

    asyncio.run(scenario())
