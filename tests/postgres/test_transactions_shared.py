"""Several threads or tasks of one transaction take turns, and its end waits for them (TX-01)."""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from mink_core import ConcurrencyError, ExpectedVersion, NewEvent, StoreClosedError
from mink_postgres import AsyncPostgresEventStore, PostgresEventStore
from mink_postgres.query import Query
from mink_postgres.transaction import PostgresTransaction

if TYPE_CHECKING:
    from collections.abc import Generator

DRIVERS = pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])


def made() -> list[NewEvent]:
    return [NewEvent("Made", {})]


@DRIVERS
def test_tasks_take_turns(postgres_url: str, schema: str, store: PostgresEventStore, driver: str) -> None:
    """asyncpg refuses a statement beside another, which ended the transaction."""

    async def act() -> None:
        async with AsyncPostgresEventStore(postgres_url, driver=driver, schema=schema) as tasks:
            async with tasks.transaction() as tx:
                every = [tx.append(f"a-{n}", made(), expected_version=ExpectedVersion.NO_STREAM) for n in range(8)]
                await asyncio.gather(*every, tx.checkpoints.save("c", 1, expected=None), tx.stream_info("b-1"))
                late = asyncio.create_task(tx.append("c-1", made(), expected_version=0))
                late.cancel()  # before its turn
                with pytest.raises(asyncio.CancelledError):
                    await late
                under_way = asyncio.create_task(tx.append("d-1", made(), expected_version=0))
                await asyncio.sleep(0)
            assert (await under_way).last_version == 1
            with pytest.raises(StoreClosedError):
                await tx.append("a-1", made(), expected_version=1)

    store.append("b-1", made(), expected_version=0)
    asyncio.run(act())
    found = sorted(event.stream_id for event in store.read_all())
    assert found == sorted(["b-1", "d-1", *(f"a-{number}" for number in range(8))])


@DRIVERS
def test_what_tasks_have_under_way_is_rolled_back(
    postgres_url: str, schema: str, store: PostgresEventStore, driver: str
) -> None:
    """The first error of a `gather` leaves the block while the others go on."""

    async def act() -> None:
        async with AsyncPostgresEventStore(postgres_url, driver=driver, schema=schema) as tasks:
            left: list[asyncio.Task[Any]] = []
            for _ in range(5):
                with pytest.raises(ConcurrencyError):
                    async with tasks.transaction() as tx:
                        calls = [tx.append("a-1", made(), expected_version=7)]
                        calls += [tx.append(f"b-{n}", made(), expected_version=0) for n in range(3)]
                        left += [asyncio.ensure_future(call) for call in calls]
                        await asyncio.gather(*left[-4:])
            for told in await asyncio.gather(*left, return_exceptions=True):
                assert not isinstance(told, BaseException) or isinstance(told, ConcurrencyError | StoreClosedError)

    asyncio.run(act())
    assert list(store.read_all()) == []


def test_what_a_thread_has_begun_is_rolled_back(store: PostgresEventStore) -> None:
    """It came to the connection after the ROLLBACK, and was stored by itself, or in the next transaction there."""
    begun, go_on = threading.Event(), threading.Event()
    done: list[Any] = []

    def of_two_statements() -> Generator[Query, Any, None]:
        yield Query("SELECT 1")
        begun.set()
        assert go_on.wait(60)
        yield Query("SELECT set_config('mink.left', 'over', false)")

    def act(tx: PostgresTransaction) -> None:
        tx._run(of_two_statements())
        try:
            tx.append("a-1", made(), expected_version=0)
        except StoreClosedError as error:
            done.append(error)

    with pytest.raises(ZeroDivisionError), store.transaction() as tx:
        thread = threading.Thread(target=partial(act, tx))
        thread.start()
        assert begun.wait(60)
        threading.Timer(0.2, go_on.set).start()  # while the block ends
        raise ZeroDivisionError
    thread.join(60)
    assert len(done) == 1
    with store.transaction() as tx:
        assert tx.connection.execute("SELECT current_setting('mink.left', true)").fetchone() in {(None,), ("",)}
    assert list(store.read_all()) == []
