"""Waits of a task: a time-out is no cancellation, and a cancellation no time-out."""

from __future__ import annotations

import asyncio
import time

import pytest

from mink_core.runtime.task_waiting import in_time, wait_until_set


async def cancelled_once() -> None:
    """As a task is that was cancelled, and goes on."""
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.sleep(60)


@pytest.mark.parametrize("before", [False, True])
def test_a_time_out_is_no_cancellation(before: bool) -> None:
    """In Python 3.11.2 asyncio says that it is, in a task that was cancelled before."""

    async def work() -> None:
        if before:
            await cancelled_once()
        event = asyncio.Event()
        assert not await in_time(event.wait(), 0.01)
        await wait_until_set(event, 0.01)
        event.set()
        assert await in_time(event.wait(), 60)
        await wait_until_set(event, None)

    asyncio.run(work())


@pytest.mark.parametrize("before", [False, True])
def test_a_cancellation_is_no_time_out(before: bool) -> None:
    async def waits() -> None:
        if before:
            await cancelled_once()
        begun.set()
        await in_time(asyncio.Event().wait(), 60)

    async def work() -> None:
        task = asyncio.create_task(waits())
        await begun.wait()
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    begun = asyncio.Event()
    asyncio.run(work())


def test_a_cancellation_that_comes_with_the_time_out_is_one() -> None:
    async def waits() -> None:
        await cancelled_once()
        await in_time(asyncio.Event().wait(), 0.05)

    async def work() -> None:
        task = asyncio.create_task(waits())
        await asyncio.sleep(0)
        loop = asyncio.get_running_loop()
        # Called in the same turn as what ends the wait, before it or after it.
        loop.call_at(loop.time() + 0.05, task.cancel)
        await asyncio.sleep(0.01)
        time.sleep(0.1)  # noqa: ASYNC251 -- so that both are due
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(work())
