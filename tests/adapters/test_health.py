"""Whether a store is well: reachable, open, and its feed not held back for long."""

from __future__ import annotations

import asyncio

import pytest

from mink_core import NewEvent, open_async_store
from mink_core.health import check_health, check_health_async
from mink_postgres import PostgresEventStore


@pytest.mark.parametrize("max_hold", [60.0, 0.0])
def test_health(postgres_url: str, schema: str, max_hold: float) -> None:
    with PostgresEventStore(postgres_url, schema=schema, min_size=1) as store:
        store.initialize()
        assert check_health(store, max_hold=max_hold).healthy
        with store.transaction() as transaction:
            transaction.append("a-1", [NewEvent("A", 1)], expected_version=0)
            found = check_health(store, max_hold=max_hold)
            assert found.healthy is (max_hold > 0)
            assert found.held_seconds is not None
            assert ("mink doctor" in found.problem) is (max_hold == 0)
    closed = check_health(store)
    assert (closed.healthy, closed.held_seconds) == (False, None)
    assert "closed" in closed.problem


def test_health_async() -> None:
    async def work() -> None:
        async with open_async_store("memory://") as store:
            await store.initialize()
            assert (await check_health_async(store)).healthy
        assert not (await check_health_async(store)).healthy
        unreachable = open_async_store("postgresql://app:hunter2@127.0.0.1:1/app")
        found = await check_health_async(unreachable)
        assert not found.healthy
        assert "no connection to PostgreSQL" in found.problem
        assert "hunter2" not in found.problem

    asyncio.run(work())
