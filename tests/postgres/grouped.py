"""Stores whose appends all go through groups, whatever the load, and calls made at once."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

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


def player(chosen: Door, **options: Any) -> Callable[..., Any]:
    """Runs calls at once through groups; each list of calls follows the one before.

    Returns what came of the calls of each list, the sizes of the groups, and the events by id.
    """

    def sync(store: Any, rounds: Any, before: Any) -> Any:
        always_grouped(store)
        sizes = record_groups(store)
        outcomes = []
        for calls in rounds:
            if before is not None:
                before(store)
            outcomes.append(all_at_once(store, calls))
        return outcomes, sizes, {e.event_id: e for e in store.read_all()}

    async def awaited(store: Any, rounds: Any, before: Any) -> Any:
        always_grouped(store)
        sizes = record_groups(store)
        outcomes = []
        for calls in rounds:
            if before is not None:
                before(store)
            outcomes.append(await all_at_once_async(store, calls))
        return outcomes, sizes, {e.event_id: e async for e in store.read_all()}

    def run(*rounds: Any, before: Any = None) -> Any:
        return chosen.run(lambda store: (awaited if chosen.is_async else sync)(store, rounds, before), **options)

    return run


_NAP = """
    CREATE FUNCTION {schema}.nap() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF current_query() LIKE '%append_group%' THEN PERFORM pg_sleep(60); END IF; RETURN NEW;
    END $$;
    CREATE TRIGGER nap BEFORE INSERT ON {schema}.events FOR EACH ROW WHEN (NEW.stream_id = 'nap-1')
        EXECUTE FUNCTION {schema}.nap()
"""
# By its function and not its trigger, for which one would wait for the sleepers.
_AWAKE = "CREATE OR REPLACE FUNCTION {schema}.nap() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$"


class GroupsKilled:
    """Groups that append to `nap-1` sleep inside of the server, whose process is killed; once one was, no others sleep."""

    def __init__(self, owner_url: str, admin_url: str, schema: str) -> None:
        self._owner_url, self._admin_url, self._schema = owner_url, admin_url, schema
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._kill)

    def begin(self) -> None:
        self._change(_NAP)
        self._thread.start()

    def end(self) -> None:
        self._over.set()
        self._thread.join()

    def _change(self, statement: str) -> None:
        with psycopg.connect(self._owner_url, autocommit=True) as owner:
            owner.execute(sql.SQL(statement).format(schema=sql.Identifier(self._schema)))  # type: ignore[arg-type]

    def _kill(self) -> None:
        sleepers = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND query LIKE %s"
        )
        asleep = True
        with psycopg.connect(self._admin_url, autocommit=True) as admin:
            while not self._over.is_set():
                if admin.execute(sleepers, (f"%{self._schema}%append_group%",)).fetchone() and asleep:
                    self._change(_AWAKE)
                    asleep = False
                time.sleep(0.01)
