"""A cancellation inside a publisher is its messages' failure; one of the relay ends it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mink_core import (
    AsyncCallablePublisher,
    AsyncOutboxRelay,
    CallablePublisher,
    MessageStatus,
    OutboxMessage,
    OutboxRelay,
    open_async_store,
    open_store,
)


async def its_own_future_is_cancelled() -> None:
    """What a client library does that gives up a request."""
    future = asyncio.get_running_loop().create_future()
    future.cancel("by the client")
    await future


def test_a_cancellation_of_the_publisher_s_own_is_its_message_s_failure() -> None:
    async def send(item: Any) -> None:
        if item.payload["n"] == 1:
            await its_own_future_is_cancelled()

    async def scenario() -> None:
        async with open_async_store("memory://") as store:
            await store.outbox.add([OutboxMessage("orders", {"n": n}) for n in range(4)])
            relay = AsyncOutboxRelay(store, AsyncCallablePublisher(send))
            assert await relay.run_once() == 4
            assert (relay.counts.published, relay.counts.failed) == (3, 1)
            [failed] = await store.outbox.list(status=MessageStatus.PENDING)
            assert failed.payload == {"n": 1}
            assert failed.last_error == "PublishError: cancelled inside the publisher: by the client"

    asyncio.run(scenario())


def test_a_publish_that_was_cancelled_by_the_publisher_counts_for_all_its_messages() -> None:
    class Cancelled:
        async def publish(self, _messages: Any) -> Any:
            await its_own_future_is_cancelled()

    async def scenario() -> None:
        async with open_async_store("memory://") as store:
            await store.outbox.add([OutboxMessage("orders", {"n": 1}), OutboxMessage("orders", {"n": 2})])
            relay = AsyncOutboxRelay(store, Cancelled())
            assert await relay.run_once() == 2
            assert (relay.counts.published, relay.counts.failed) == (0, 2)

    asyncio.run(scenario())


@pytest.mark.parametrize("by_function", [True, False])
def test_so_it_is_in_a_thread_whose_publisher_ran_a_loop_of_its_own(*, by_function: bool) -> None:
    def send(message: Any) -> None:
        if message.payload == 1:
            asyncio.run(its_own_future_is_cancelled())

    class Plain:
        def publish(self, messages: Any) -> list[None]:
            return [send(message) for message in messages]

    with open_store("memory://") as store:
        store.outbox.add([OutboxMessage("orders", n) for n in (1, 2)])
        relay = OutboxRelay(store, CallablePublisher(send) if by_function else Plain())
        assert relay.run_once() == 2
        failed = 1 if by_function else 2  # a function's by itself, as it is called for each
        assert (relay.counts.published, relay.counts.failed) == (2 - failed, failed)


@pytest.mark.parametrize("by_function", [True, False])
def test_a_relay_that_is_cancelled_while_it_publishes_ends(*, by_function: bool) -> None:
    async def scenario() -> None:
        publishing = asyncio.Event()

        async def send(_: Any) -> None:
            publishing.set()
            await asyncio.Event().wait()

        class Plain:
            publish = staticmethod(send)

        async with open_async_store("memory://") as store:
            await store.outbox.add([OutboxMessage("orders", {"n": 1})])
            relay = AsyncOutboxRelay(store, AsyncCallablePublisher(send) if by_function else Plain())
            running = asyncio.create_task(relay.run())
            await publishing.wait()
            relay.stop()  # so that it ends whatever becomes of its cancellation
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            assert (relay.counts.claimed, relay.counts.failed) == (1, 0)

    asyncio.run(scenario())
