"""A storage that is away for long while a relay has messages to acknowledge."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from mink_core import (
    AsyncCallablePublisher,
    AsyncOutboxRelay,
    Backoff,
    CallablePublisher,
    MessageStatus,
    OutboxMessage,
    OutboxRelay,
    TransientStorageError,
)
from mink_memory import AsyncMemoryEventStore, MemoryEventStore

FAILURES = 1100
"""Of a second each: some eighteen minutes, well within the lease."""


class Away:
    """An outbox that takes no acknowledgement for a while."""

    def __init__(self, outbox: Any) -> None:
        self._outbox = outbox
        self._left = FAILURES

    def __getattr__(self, name: str) -> Any:
        if name == "settle" and self._left:
            self._left -= 1
            raise TransientStorageError("away")
        return getattr(self._outbox, name)


def test_what_was_published_is_acknowledged_after_an_outage_of_many_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait before the next try was worked out in integers, until no float could hold it."""
    waits: list[float] = []
    with MemoryEventStore() as store:
        store.outbox.add(OutboxMessage("orders", 1))
        relay: Any = OutboxRelay(store, CallablePublisher(lambda _: None), lease=86_400)
        relay._outbox = Away(relay._outbox)
        monkeypatch.setattr(time, "sleep", waits.append)
        assert relay.run_once() == 1
        assert (relay.counts.published, relay.counts.refused) == (1, 0)
        assert [it.status for it in store.outbox.list()] == [MessageStatus.DONE]
    assert len(waits) == FAILURES
    assert max(waits) <= 1.0


def test_so_it_is_in_an_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    async def published(_message: object) -> None:
        pass

    async def sleep(seconds: float) -> None:
        if seconds:
            waits.append(seconds)

    async def main() -> None:
        async with AsyncMemoryEventStore() as store:
            await store.outbox.add(OutboxMessage("orders", 1))
            relay: Any = AsyncOutboxRelay(store, AsyncCallablePublisher(published), lease=86_400)
            relay._outbox = Away(relay._outbox)
            monkeypatch.setattr(asyncio, "sleep", sleep)
            assert await relay.run_once() == 1
            assert (relay.counts.published, relay.counts.refused) == (1, 0)

    asyncio.run(main())
    assert len(waits) == FAILURES
    assert max(waits) <= 1.0


def test_a_backoff_of_a_large_factor_stays_at_its_most() -> None:
    assert Backoff(factor=2000.0, most=60.0, jitter=0.0).delay(10_000) == 60.0
