"""Appends with projections in their transaction need one connection each, so that they never wait for one another's."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest

from mink_core import ExpectedVersion, NewEvent, Projection, append_inline, append_inline_async
from mink_postgres import AsyncPostgresEventStore, PostgresEventStore, context
from tests.adapters.doors import together, together_async

CALLS = 6
TIGHT: dict[str, Any] = {"min_size": 1, "max_size": 2, "pool_timeout": 5.0}


def counting(seen: list[str]) -> Projection:
    projection = Projection("p")

    @projection.on("Made")
    def handler(event: Any, tx: Any) -> None:
        seen.append(event.stream_id)

    return projection


def test_as_many_threads_as_like(postgres_url: str, schema: str) -> None:
    seen: list[str] = []
    new = NewEvent("Made", 1)
    with PostgresEventStore(postgres_url, schema=schema, **TIGHT) as store:
        store.initialize()

        def one(number: int) -> Any:
            events = [new] if number == 0 else [NewEvent("Made", number)]
            return append_inline(
                store, [counting(seen)], f"a-{number}", events, expected_version=ExpectedVersion.NO_STREAM
            )

        results = together([lambda number=number: one(number) for number in range(CALLS)])
        assert [getattr(result, "last_version", result) for result in results] == [1] * CALLS
        assert one(0) == results[0]  # a repeat, which projects nothing
    assert sorted(seen) == [f"a-{number}" for number in range(CALLS)]


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
def test_as_many_tasks_as_like(postgres_url: str, schema: str, driver: str) -> None:
    seen: list[str] = []

    async def scenario() -> None:
        async with AsyncPostgresEventStore(postgres_url, driver=driver, schema=schema, **TIGHT) as store:
            await store.initialize()

            async def one(number: int) -> Any:
                return await append_inline_async(
                    store,
                    [counting(seen)],
                    f"a-{number}",
                    [NewEvent("Made", number)],
                    expected_version=ExpectedVersion.NO_STREAM,
                )

            results = await together_async([lambda number=number: one(number) for number in range(CALLS)])
            assert [getattr(result, "last_version", result) for result in results] == [1] * CALLS

    asyncio.run(scenario())
    assert sorted(seen) == [f"a-{number}" for number in range(CALLS)]


def test_a_handle_that_is_bound_for_long_does_not_grow(
    postgres_url: str, store: PostgresEventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It knows of its latest appends that they are its own, as is asked right after one."""
    monkeypatch.setattr(context, "_NOTED", 5)
    with psycopg.connect(postgres_url) as connection:
        bound = store.bind(connection)
        for version in range(20):
            event = NewEvent("Made", {})
            assert bound.wrote(bound.append("a-1", [event], expected_version=version))
            connection.commit()
        assert not store.bind(connection).wrote(bound.append("a-1", [event], expected_version=19))
        assert len(bound._context.written or ()) <= 5
