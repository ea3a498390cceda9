"""What was made for threads, given to tasks, and the other way round."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mink_core import (
    AsyncOutboxRelay,
    CallablePublisher,
    ExpectedVersion,
    MessageStatus,
    NewEvent,
    OutboxMessage,
    UsageError,
    idempotent,
)
from mink_memory import AsyncMemoryEventStore, MemoryEventStore


def work(name: str) -> str:
    return name


async def work_async(name: str) -> str:
    return name


def test_what_a_publisher_for_threads_has_published_is_done() -> None:
    """It was published again and again, and then a dead letter."""
    published: list[Any] = []

    async def main() -> None:
        async with AsyncMemoryEventStore() as store:
            await store.append(
                "order-1",
                [NewEvent("Placed", {})],
                expected_version=ExpectedVersion.NO_STREAM,
                outbox=[OutboxMessage("orders", 1), OutboxMessage("orders", 2)],
            )
            publisher: Any = CallablePublisher(lambda message: published.append(message.payload))
            relay = AsyncOutboxRelay(store, publisher)
            assert await relay.run_once() == 2
            assert (relay.counts.published, relay.counts.failed) == (2, 0)
            assert {it.status for it in await store.outbox.list()} == {MessageStatus.DONE}

    asyncio.run(main())
    assert published == [1, 2]


def test_an_idempotent_function_is_of_its_store_s_door() -> None:
    """It was found out by the call, which kept the key for its whole time."""
    with MemoryEventStore() as store:
        with pytest.raises(UsageError, match=r"plain function is wanted .* no key was reserved"):
            idempotent(store, key=str)(work_async)
        assert idempotent(store, key=str)(work)("a") == "a"


def test_an_idempotent_coroutine_function_is_of_its_store_s_door() -> None:
    async def main() -> None:
        async with AsyncMemoryEventStore() as store:
            with pytest.raises(UsageError, match="coroutine function is wanted"):
                idempotent(store, key=str)(work)
            assert await idempotent(store, key=str)(work_async)("a") == "a"

    asyncio.run(main())
