"""Many callers on a server whose commits take long: more groups are under way, each append still has its own answer."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from mink_core import AppendResult, ConcurrencyError, NewEvent, open_async_store, open_store
from mink_postgres.grouping.planner import GROUP_APPENDS, LANES, LANES_OF_MANY
from tests.postgres.grouped import door, kind_of, player, record_groups
from tests.postgres.test_migrations import raw

if TYPE_CHECKING:
    from collections.abc import Callable

CALLERS = 240
CALLS = [(0, 0), (1, 1), (2, 2), (3, 1), (4, 3), (5, 4)]
"""What each caller appends to a stream of its own, and which version it expects: the fourth is refused at version 3."""
SLOW = """
    CREATE FUNCTION {schema}.wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF current_setting('test.waited', true) IS DISTINCT FROM pg_current_xact_id()::text THEN
            PERFORM set_config('test.waited', pg_current_xact_id()::text, true);
            PERFORM pg_sleep(0.02);
        END IF;
        RETURN NULL;
    END $$;
    CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON {schema}.events DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION {schema}.wait()
"""
"""A commit takes 20 ms, as on a disk far away."""


def counted(store: Any) -> Callable[[], int]:
    """The most groups under way at once, from now on."""
    planner, most = store._grouping._planner, [0]
    take = planner.take

    def counting() -> Any:
        group = take()
        most[0] = max(most[0], planner.lanes)
        return group

    planner.take = counting
    return lambda: most[0]


async def by_tasks(url: str) -> tuple[int, list[int], list[Any], list[Any]]:
    answers: list[Any] = []
    async with open_async_store(url.replace("postgresql", "postgresql+asyncpg", 1)) as store:
        await store.ping()
        lanes, sizes = counted(store), record_groups(store)

        async def work(caller: int) -> None:
            for number, expected in CALLS:
                try:
                    event = NewEvent("Made", number)
                    answers.append(await store.append(f"s-{caller}", [event], expected_version=expected))
                except ConcurrencyError as error:
                    answers.append(error.actual)

        await asyncio.gather(*map(work, range(CALLERS)))
        return lanes(), sizes, answers, [event async for event in store.read_all()]


def by_threads(url: str) -> tuple[int, list[int], list[Any], list[Any]]:
    answers: list[Any] = []
    with open_store(url) as store:
        store.ping()
        lanes, sizes = counted(store), record_groups(store)

        def work(caller: int) -> None:
            for number, expected in CALLS:
                try:
                    event = NewEvent("Made", number)
                    answers.append(store.append(f"s-{caller}", [event], expected_version=expected))
                except ConcurrencyError as error:
                    answers.append(error.actual)

        with ThreadPoolExecutor(CALLERS) as threads:
            list(threads.map(work, range(CALLERS)))
        return lanes(), sizes, answers, list(store.read_all())


@pytest.mark.parametrize("door", ["tasks", "threads"])
def test_many_callers_share_more_commits_at_once(postgres_url: str, schema: str, door: str) -> None:
    url = f"{postgres_url}?schema={schema}&min_size=1"
    with open_store(url) as store:
        store.initialize()
    raw(postgres_url, schema, SLOW)
    lanes, sizes, answers, events = asyncio.run(by_tasks(url)) if door == "tasks" else by_threads(url)
    assert lanes == LANES_OF_MANY if door == "tasks" else lanes > LANES  # threads come one after the other
    assert max(sizes) > 32
    results = [answer for answer in answers if isinstance(answer, AppendResult)]
    refused = [answer for answer in answers if not isinstance(answer, AppendResult)]
    assert len(results) == 5 * CALLERS
    assert refused == [3] * CALLERS
    assert {(it.stream_id, it.last_version, it.last_position) for it in results} == {
        (it.stream_id, it.version, it.global_position) for it in events
    }
    for caller in range(CALLERS):
        mine = [event.data for event in events if event.stream_id == f"s-{caller}"]
        assert mine == [0, 1, 2, 4, 5]


DRIVERS = pytest.mark.parametrize("driver", ["psycopg", "psycopg async", "asyncpg"])


@DRIVERS
def test_a_group_that_the_server_refuses_makes_the_next_ones_small(postgres_url: str, schema: str, driver: str) -> None:
    """One bad append sends all of its group alone. Each has its own answer all the same."""
    with open_store(f"{postgres_url}?schema={schema}&min_size=1") as store:
        store.initialize()
    raw(postgres_url, schema, "ALTER TABLE {schema}.events ADD CONSTRAINT good CHECK (event_type <> 'Bad')")
    planners: list[Any] = []
    calls = [(f"s-{number}", [NewEvent("Bad" if number == 7 else "Good", number)], 0) for number in range(20)]
    play = player(door(driver, postgres_url, schema))
    (outcomes,), sizes, _ = play(calls, before=lambda store: planners.append(store._grouping._planner))
    assert [kind_of(outcome) for outcome in outcomes] == [
        "StorageError" if number == 7 else "AppendResult" for number in range(20)
    ]
    assert GROUP_APPENDS <= planners[0]._largest <= GROUP_APPENDS + 2 * len(sizes)


@DRIVERS
def test_so_do_streams_that_others_hold(postgres_url: str, schema: str, driver: str) -> None:
    """A large group meets more of them, and holds more that others want."""
    with open_store(f"{postgres_url}?schema={schema}&min_size=1") as store:
        store.initialize()
        for number in range(20):
            store.append(f"s-{number}", [NewEvent("Made", 0)], expected_version=0)
    planners: list[Any] = []
    play = player(door(driver, postgres_url, schema))
    calls = [(f"s-{number}", [NewEvent("Made", 1)], 1) for number in range(20)]
    with psycopg.connect(postgres_url) as holder:
        holder.execute(f"SELECT FROM \"{schema}\".streams WHERE stream_id IN ('s-3', 's-4', 's-5') FOR UPDATE")
        release = threading.Timer(0.5, holder.rollback)
        release.start()
        (outcomes,), sizes, _ = play(calls, before=lambda store: planners.append(store._grouping._planner))
        release.join()
    assert [kind_of(outcome) for outcome in outcomes] == ["AppendResult"] * 20
    assert GROUP_APPENDS <= planners[0]._largest <= GROUP_APPENDS + 2 * len(sizes)
