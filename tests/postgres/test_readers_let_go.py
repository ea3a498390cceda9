"""Async readers and pages taken in, at their end: a page that comes late, and a reader that is cancelled."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from mink_core import ExpectedVersion, NewEvent
from mink_postgres import AsyncPostgresEventStore
from mink_postgres.ahead import _Keeper

DRIVERS = pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
NAME = "mink closing"


def test_a_page_that_comes_while_another_is_taken_in_is_taken_in_too() -> None:
    """The reader asks for a page, and is closed, just while the thread is busy with the page before."""
    finished: list[str] = []
    done = threading.Event()
    keeper = _Keeper()

    class Page:
        def __init__(self, name: str) -> None:
            self.name = name

        def finish(self) -> None:
            finished.append(self.name)
            if self.name == "first":
                keeper.watch(Page("second"))  # type: ignore[arg-type]
                keeper.end()
            else:
                done.set()

    keeper.watch(Page("first"))  # type: ignore[arg-type]
    assert done.wait(60)
    assert finished == ["first", "second"]


@DRIVERS
def test_a_reader_that_is_cancelled_while_it_lets_go_is_cancelled(postgres_url: str, schema: str, driver: str) -> None:
    """The page asked for ahead is cancelled with its reader; whoever cancels the reader's task meanwhile is heard."""

    async def scenario() -> None:
        async with AsyncPostgresEventStore(postgres_url, driver=driver, schema=schema, min_size=1) as store:
            await store.initialize()
            events = [NewEvent("Made", n) for n in range(1001)]
            await store.append("a-1", events, expected_version=ExpectedVersion.NO_STREAM)
            letting_go = asyncio.Event()
            fetch = store._backend.fetch

            async def slow(connection: Any, query: Any) -> Any:
                try:
                    await asyncio.sleep(60)
                finally:
                    letting_go.set()
                    await asyncio.sleep(0.1)  # as long as it takes to cancel a query

            async def read() -> None:
                reader: Any = store.read_stream("a-1")
                await anext(reader)
                await reader.aclose()
                raise AssertionError("it went on, although it was cancelled")

            first = True

            async def once(connection: Any, query: Any) -> Any:
                nonlocal first
                if first:
                    first = False
                    return await fetch(connection, query)
                return await slow(connection, query)

            store._backend.fetch = once  # type: ignore[method-assign]
            task = asyncio.create_task(read())
            await asyncio.wait_for(letting_go.wait(), 60)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(scenario())
