"""Closing a store that is interrupted: it is cancelled, and leaves nothing open."""

from __future__ import annotations

import asyncio

import pytest

from mink_core import NewEvent
from mink_jetstream import AsyncJetStreamEventStore


@pytest.mark.parametrize("turns", range(1, 9))
def test_a_close_that_is_cancelled_closes_all_and_is_cancelled(store, url, turns):
    async def run() -> None:
        here = asyncio.current_task()
        other = AsyncJetStreamEventStore(url)
        following = other.subscribe()
        await other.append("order-1", [NewEvent("Placed", turns)], expected_version=0)
        await anext(following)
        client = await other._connection.client()
        while len(client._subs) < 2:  # noqa: ASYNC110 -- until the wake-ups have begun
            await asyncio.sleep(0.01)
        closing = asyncio.create_task(other.close())
        for _ in range(turns):
            await asyncio.sleep(0)
        was_done = closing.done()
        closing.cancel()
        await asyncio.wait([closing], timeout=30)
        assert was_done or closing.cancelled()
        async with asyncio.timeout(30):
            while left := asyncio.all_tasks() - {here}:
                await asyncio.wait(left, timeout=0.05)
        assert client.is_closed
        assert client._transport._io_writer.is_closing()

    asyncio.run(run())
