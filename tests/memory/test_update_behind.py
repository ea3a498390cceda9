"""`update` on a store whose reads may lack what others have appended (READ-06): that is not taken for purged."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from mink_core import ConcurrencyError, ExpectedVersion, NewEvent
from mink_core.telemetry import instrument
from mink_memory import AsyncMemoryEventStore, MemoryEventStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from mink_core import StoredEvent

ANY = ExpectedVersion.ANY
MADE = [NewEvent("Made", n) for n in range(3)]


class Behind(MemoryEventStore):
    """Its first two reads of a stream are answered by whoever does not know it yet."""

    reads_the_newest = False
    fresh_after = 2

    def read_stream(self, *args: Any, **more: Any) -> Iterator[StoredEvent]:
        self.fresh_after -= 1
        return iter(()) if self.fresh_after >= 0 else super().read_stream(*args, **more)


class AsyncBehind(AsyncMemoryEventStore):
    """As `Behind`."""

    reads_the_newest = False
    fresh_after = 2

    async def read_stream(self, *args: Any, **more: Any) -> AsyncIterator[StoredEvent]:  # type: ignore[override]  # as it is called
        self.fresh_after -= 1
        if self.fresh_after < 0:
            async for event in super().read_stream(*args, **more):
                yield event


@pytest.mark.parametrize("instrumented", [False, True])
def test_nothing_is_decided_by_half_of_the_events(*, instrumented: bool) -> None:
    seen: list[int] = []

    def decide(events: list[StoredEvent]) -> list[NewEvent]:
        seen.append(len(events))
        return [NewEvent("Decided", len(events))]

    with Behind() as threads:
        store: Any = instrument(threads) if instrumented else threads
        store.append("a-1", MADE, expected_version=0)
        assert store.update("a-1", decide).first_version == 4
        assert seen == [0, 0, 3]
        threads.fresh_after = 2
        with pytest.raises(ConcurrencyError):
            store.update("a-1", decide, retries=1)
    seen.clear()

    async def main() -> None:
        async with AsyncBehind() as tasks:
            store: Any = instrument(tasks) if instrumented else tasks
            await store.append("a-1", MADE, expected_version=0)
            assert (await store.update("a-1", decide)).first_version == 4

    asyncio.run(main())
    assert seen == [0, 0, 3]
