"""Stores whose appends all go through groups, whatever the load, and calls made at once."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from mink_core import AppendResult, ConcurrencyError, DuplicateEventError, NewEvent, StorageError
from mink_postgres import AsyncPostgresEventStore
from tests.adapters.doors import Door, together, together_async

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

DRIVERS = ("psycopg", "psycopg async", "asyncpg")


class Clock:
    """Stands still until it is put on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def always_grouped(store: Any) -> Any:
    """Switch off the direct way of lone appends."""
    store._grouping._planner.go_directly = lambda: False
    return store


@asynccontextmanager
async def grouped_tasks(url: str, schema: str) -> AsyncGenerator[Any]:
    """A store of tasks whose appends all go through groups."""
    async with AsyncPostgresEventStore(url, schema=schema, driver="asyncpg") as store:
        await store.initialize()
        yield always_grouped(store)


async def begun(store: Any, names: list[str], expected: Any) -> list[asyncio.Task[Any]]:
    """An append a name, each in a task, when all are in groups or wait for one."""
    tasks = [asyncio.create_task(store.append(name, made(), expected_version=expected)) for name in names]
    for _ in range(20):
        await asyncio.sleep(0)
    return tasks


def door(driver: str, url: str, schema: str) -> Door:
    return Door(driver, lambda: f"{url}?schema={schema}")


def made(count: int = 1, kind: str = "Made", **data: Any) -> list[NewEvent]:
    return [NewEvent(kind, {"n": number, **data}) for number in range(count)]


def kind_of(outcome: object) -> str:
    for kind in (AppendResult, ConcurrencyError, DuplicateEventError, StorageError):
        if isinstance(outcome, kind):
            return kind.__name__
    return repr(outcome)


def record_groups(store: Any) -> list[int]:
    """The sizes of the groups sent from now on."""
    sizes: list[int] = []
    grouping = store._grouping
    send: Callable[..., Any] = grouping._send

    def recorded(group: list[Any]) -> Any:
        sizes.append(len(group))
        return send(group)

    grouping._send = recorded
    return sizes


def all_at_once(store: Any, calls: list[tuple[str, list[NewEvent], Any]]) -> list[object]:
    """Append from a thread each."""
    append = [partial(store.append, stream, events, expected_version=expected) for stream, events, expected in calls]
    return together(append)


async def all_at_once_async(store: Any, calls: list[tuple[str, list[NewEvent], Any]]) -> list[object]:
    """Append from a task each."""
    append = [partial(store.append, stream, events, expected_version=expected) for stream, events, expected in calls]
    return await together_async(append)
