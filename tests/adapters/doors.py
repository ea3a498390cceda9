"""Every way into every adapter, under one shape."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from mink_core import AsyncStore, Store, open_async_store, open_store

ASYNC_DOORS = ("memory async", "psycopg async", "asyncpg")
POSTGRES_DOORS = ("psycopg", "psycopg async", "asyncpg")
DOORS = ("memory", "psycopg", *ASYNC_DOORS)


class Door:
    """Opens the store of one adapter, and runs many calls at once on it in the door's own way."""

    def __init__(self, name: str, url: Callable[[], str]) -> None:
        self.name = name
        self.is_async = name in ASYNC_DOORS
        self.url = url

    def open(self, **options: Any) -> Any:
        url = self.url()
        if self.name == "asyncpg":
            url = url.replace("postgresql://", "postgresql+asyncpg://")
        return (open_async_store if self.is_async else open_store)(url, **options)

    def run(self, work: Callable[[Any], Any], **options: Any) -> Any:
        """Open, initialize, run `work(store)` (a coroutine function on an async door), close."""
        if not self.is_async:
            with self.open(**options) as store:
                store.initialize()
                return work(store)

        async def inside() -> Any:
            async with self.open(**options) as store:
                await store.initialize()
                return await work(store)

        return asyncio.run(inside())


def together(calls: Sequence[Callable[[], object]]) -> list[object]:
    """Run the calls in a thread each, released at once; an exception is a result."""
    results: list[object] = [None] * len(calls)
    barrier = threading.Barrier(len(calls))

    def one(index: int) -> None:
        barrier.wait()
        try:
            results[index] = calls[index]()
        except Exception as error:  # noqa: BLE001 -- the result
            results[index] = error

    threads = [threading.Thread(target=one, args=(index,)) for index in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


async def together_async(calls: Sequence[Callable[[], Awaitable[object]]]) -> list[object]:
    """Run the calls in a task each; an exception is a result."""
    return list(await asyncio.gather(*(call() for call in calls), return_exceptions=True))


def race(
    door: Door, rounds: int, calls: Callable[[Any, int], list[Any]], check: Callable[[Sequence[object]], None]
) -> None:
    """Run `calls(store, number)` at once in each round, and check the results of each."""

    def sync(store: Any) -> None:
        for number in range(rounds):
            check(together(calls(store, number)))

    async def awaited(store: Any) -> None:
        for number in range(rounds):
            check(await together_async(calls(store, number)))

    door.run(awaited if door.is_async else sync)


__all__ = [
    "ASYNC_DOORS",
    "DOORS",
    "POSTGRES_DOORS",
    "AsyncStore",
    "Door",
    "Store",
    "race",
    "together",
    "together_async",
]
