"""A call that is cancelled, or ended by Ctrl-C, leaves no key reserved that nobody can complete."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from mink_core import TransientStorageError, idempotent, open_async_store
from tests.interrupts import interrupted

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from mink_postgres import PostgresEventStore

PARTS = ("idempotency.py", "idempotent.py", "query.py", "psycopg_sync.py")
RESERVE, COMPLETE, RELEASE = "reserve_key", "completed = true", "DELETE"


@pytest.fixture(params=["postgresql", "postgresql+asyncpg"])
def opened(request: pytest.FixtureRequest, postgres_url: str, schema: str) -> Callable[[], Any]:
    url = postgres_url.replace("postgresql", request.param, 1)
    return lambda: open_async_store(f"{url}?schema={schema}&min_size=1&max_size=1&pool_timeout=10")


class Cancelling:
    """Cancels the task that sends a statement, before or after the server has run it."""

    def __init__(self, store: Any, statement: str, *, after: bool) -> None:
        self.sent: list[str] = []
        self.ran = 0
        self._fetch = store._backend.fetch
        self._statement = statement
        self._after = after
        store._backend.fetch = self.fetch

    async def fetch(self, connection: Any, query: Any) -> Any:
        self.sent += [name for name in (RESERVE, COMPLETE, RELEASE) if name in query.sql]
        is_it = self._statement in query.sql and self.sent.count(self._statement) == 1
        if is_it and not self._after:
            await _cancelled()
        rows = await self._fetch(connection, query)
        if is_it:
            await _cancelled()
        return rows

    async def work(self) -> int:
        self.ran += 1
        return self.ran


async def _cancelled() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(0)


def played(opened: Callable[[], Any], scenario: Callable[[Any], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        async with opened() as store:
            await store.initialize()
            await store.idempotency.get("k")
            await scenario(store)

    asyncio.run(run())


async def ended(call: Coroutine[Any, Any, Any]) -> bool:
    """Whether it ended as cancelled."""
    task = asyncio.create_task(call)
    await asyncio.wait([task])
    return task.cancelled()


@pytest.mark.parametrize("after", [False, True])
def test_a_cancelled_reserve_gives_back_what_the_server_gave(opened: Callable[[], Any], after: bool) -> None:
    async def scenario(store: Any) -> None:
        told = Cancelling(store, RESERVE, after=after)
        work = idempotent(store, key=lambda: "k", wait=0.05)(told.work)
        assert await ended(work())
        assert await store.idempotency.get("k") is None
        assert (await work(), told.ran) == (1, 1)
        # What is somebody else's is not given back, nor asked for again.
        Cancelling(store, RESERVE, after=True)
        assert await ended(store.idempotency.reserve("k"))
        assert (await store.idempotency.get("k")).response == 1

    played(opened, scenario)


def test_a_cancelled_reserve_that_was_not_sent_sends_nothing(opened: Callable[[], Any]) -> None:
    """Who waits for a connection would wait for it once more."""

    async def scenario(store: Any) -> None:
        told = Cancelling(store, "", after=False)
        acquire, store._backend.acquire = store._backend.acquire, _cancelled
        assert await ended(store.idempotency.reserve("k"))
        store._backend.acquire = acquire
        assert told.sent == []

    played(opened, scenario)


def test_a_reserve_cancelled_while_it_waits_for_another_s_response_sends_no_more(
    opened: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mink_postgres.substores.idempotency.pauses", lambda _: iter([3600]))

    async def scenario(store: Any) -> None:
        await store.idempotency.reserve("k")
        told = Cancelling(store, "", after=False)
        waiting = asyncio.create_task(store.idempotency.reserve("k", wait=60))
        while RESERVE not in told.sent or store._backend._leases.idle != 1:  # noqa: ASYNC110 -- it pauses then
            await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        assert (waiting.cancelled(), RELEASE in told.sent) == (True, False)
        assert await store.idempotency.get("k") is not None

    played(opened, scenario)


def test_the_cancellation_is_told_though_the_key_cannot_be_given_back(opened: Callable[[], Any]) -> None:
    async def scenario(store: Any) -> None:
        told = Cancelling(store, RESERVE, after=True)
        fetch = store._backend.fetch

        async def down(connection: Any, query: Any) -> Any:
            if RELEASE in query.sql:
                raise TransientStorageError("the server is gone")
            return await fetch(connection, query)

        store._backend.fetch = down
        assert await ended(idempotent(store, key=lambda: "k")(told.work)())
        assert told.ran == 0

    played(opened, scenario)


@pytest.mark.parametrize("after", [False, True])
def test_the_response_of_work_that_is_done_is_stored_whoever_is_cancelled(
    opened: Callable[[], Any], after: bool
) -> None:
    async def scenario(store: Any) -> None:
        told = Cancelling(store, COMPLETE, after=after)
        work = idempotent(store, key=lambda: "k", wait=0.05)(told.work)
        assert await ended(work())
        assert (await store.idempotency.get("k")).response == 1
        assert (await work(), told.ran) == (1, 1)

    played(opened, scenario)


def test_a_reserve_cancelled_in_a_transaction_ends_it_as_cancelled(opened: Callable[[], Any]) -> None:
    async def scenario(store: Any) -> None:
        Cancelling(store, RESERVE, after=True)

        async def in_transaction() -> None:
            async with store.transaction() as tx:
                await tx.idempotency.reserve("k")

        assert await ended(in_transaction())
        assert await store.idempotency.get("k") is None

    played(opened, scenario)


def test_ctrl_c_at_any_moment_leaves_no_key_reserved(store: PostgresEventStore) -> None:
    moment = 0
    while True:
        moment += 1
        key = f"k-{moment}"
        work = idempotent(store, key=lambda key=key: key)(lambda: 1)  # type: ignore[misc]
        was_interrupted = interrupted(work, moment, beginning=lambda name: name.endswith(PARTS))
        record = store.idempotency.get(key)
        assert record is None or record.completed, moment
        if not was_interrupted:
            break
    assert moment > 20
