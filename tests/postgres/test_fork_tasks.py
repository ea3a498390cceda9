"""As `test_forks.py`, for the stores of tasks."""

from __future__ import annotations

import pytest

from tests.postgres.forked_programs import at, run

SCHEMES = pytest.mark.parametrize("scheme", ["postgresql", "postgresql+asyncpg"], ids=["psycopg", "asyncpg"])

ASYNC = """
async def opened():
    store = open_async_store(url)
    await store.initialize()
    await store.append("parent", NEW, expected_version=0)
    return store

async def go_on(store):
    for n in range(1, 20):
        assert (await store.append("parent", NEW, expected_version=n)).first_version == n + 1
    await store.close()

loop = asyncio.new_event_loop()
store = loop.run_until_complete(opened())
"""

THEIRS = """
import asyncpg, psycopg, psycopg_pool
from mink_postgres import AsyncPostgresEventStore

async def theirs(plain):
    'A pool and a connection of whoever calls, for the driver.'
    if "asyncpg" in url:
        return await asyncpg.create_pool(plain, min_size=1), await asyncpg.connect(plain)
    pool = psycopg_pool.AsyncConnectionPool(plain, min_size=1, open=False)
    await pool.open(wait=True)
    return pool, await psycopg.AsyncConnection.connect(plain, autocommit=True)
"""


@SCHEMES
@pytest.mark.parametrize("same_loop", [True, False])
@pytest.mark.parametrize("after", ["close", "forget", "nothing"])
def test_tasks(postgres_url: str, schema: str, scheme: str, same_loop: bool, after: str) -> None:
    url = at(postgres_url, schema).replace("postgresql://", f"{scheme}://")
    run(
        url,
        ASYNC,
        f"""
        async def in_child():
            with refused():
                await store.append("child", NEW, expected_version=ANY)
            with refused():
                await store.head_position()
            with refused():
                await store.ping()
            with refused():
                async with store.transaction():
                    pass
            with refused():
                [event async for event in store.read_all()]
            if {after == "close"}:
                await store.close()
            if not {same_loop}:  # whose epoll the parent has as well
                async with open_async_store(url) as own:
                    await own.append("child", NEW, expected_version=0)

        def child():
            global store
            if {same_loop}:
                loop.run_until_complete(in_child())
            else:
                asyncio.run(in_child())
            if {after == "forget"}:
                import warnings
                warnings.simplefilter("ignore")
                del store
                gc.collect()
            os._exit(0)

        busy = [loop.create_task(store.append(f"busy-{{n}}", NEW, expected_version=0)) for n in range(64)]
        loop.run_until_complete(asyncio.sleep(0))
        assert forked(child) == 0
        loop.run_until_complete(asyncio.gather(*busy))
        loop.run_until_complete(go_on(store))
        loop.close()
        """,
        says="Task was destroyed" if after == "forget" else "",
    )


@SCHEMES
@pytest.mark.parametrize("given", ["nothing", "a pool"])
def test_a_task_s_transaction_is_the_parent_s(postgres_url: str, schema: str, scheme: str, given: str) -> None:
    url = at(postgres_url, schema).replace("postgresql://", f"{scheme}://")
    run(
        url,
        ASYNC,
        THEIRS,
        f"""
        pool, connection = loop.run_until_complete(theirs({postgres_url!r}))
        used = store if {given == "nothing"} else AsyncPostgresEventStore(pool=pool, schema={schema!r})
        block = used.transaction()
        tx = loop.run_until_complete(block.__aenter__())
        loop.run_until_complete(tx.append("in", NEW, expected_version=0))

        def child():
            error = ValueError()
            try:
                loop.run_until_complete(block.__aexit__(ValueError, error, None))
            except ValueError:
                pass
            os._exit(0)

        assert forked(child) == 0
        loop.run_until_complete(tx.append("in", NEW, expected_version=1))
        loop.run_until_complete(block.__aexit__(None, None, None))
        assert loop.run_until_complete(store.stream_info("in")).version == 2
        loop.run_until_complete(connection.close())
        loop.run_until_complete(pool.close())
        loop.run_until_complete(go_on(store))
        loop.close()
        """,
        says="error ignored in rollback",
    )


@SCHEMES
@pytest.mark.parametrize("given", ["pool", "connection"])
def test_so_is_what_the_caller_gave(postgres_url: str, schema: str, scheme: str, given: str) -> None:
    """Also to a store that was not used yet."""
    url = at(postgres_url, schema).replace("postgresql://", f"{scheme}://")
    run(
        url,
        ASYNC,
        THEIRS,
        f"""
        pool, connection = loop.run_until_complete(theirs({postgres_url!r}))
        used = AsyncPostgresEventStore({given}={given}, schema={schema!r})
        bound = store.bind(connection)

        async def in_child():
            with refused():
                await used.append("child", NEW, expected_version=ANY)
            with refused():
                await bound.append("child", NEW, expected_version=ANY)
            await used.close()

        def child():
            loop.run_until_complete(in_child())
            os._exit(0)

        async def go_on_with_them():
            for n in range(5):
                await used.append("theirs", NEW, expected_version=n)
                await bound.append("bound", NEW, expected_version=n)
            await pool.close()
            await connection.close()

        assert forked(child) == 0
        loop.run_until_complete(go_on_with_them())
        loop.run_until_complete(go_on(store))
        loop.close()
        """,
    )
