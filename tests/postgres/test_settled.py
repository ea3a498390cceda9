"""What is settled stays settled over a crash that no call notices: asyncpg replaces a lost connection in silence."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest

from mink_core import NewEvent, StoreIdentity
from mink_postgres import AsyncPostgresEventStore
from mink_postgres.context import SettledMark
from mink_postgres.server import EmbeddedServer
from tests.postgres.sessions import Session

_PAGE = 8192
"""Bytes of a page of the log. Whole pages are written at once, and survive the kill."""


def roll_back_positions(url: str) -> None:
    """Allocate positions that no event will have; their record in the log is lost by a crash (see test_crash)."""
    with psycopg.connect(url, autocommit=True) as admin:
        # What is not a whole page is not written out either.
        admin.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
        admin.execute("ALTER SYSTEM SET bgwriter_lru_maxpages = 0")
        admin.execute("SELECT pg_reload_conf()")
        admin.execute("VACUUM")
        admin.execute("CHECKPOINT")
    session = Session(url, "mink")
    for version in range(36):
        if version == 32:  # the sequence writes its record soon: it is to stand at the beginning of a page
            used = int(session.value("SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint %% %s::bigint", _PAGE))
            session.run("SELECT pg_logical_emit_message(false, 'mink', repeat('x', %s::int))", _PAGE + 100 - used)
        session.insert("raw-1", version + 1)
    session.rollback()
    session.connection.close()


class Remembering(SettledMark):
    """The broken twin: what is remembered as settled is a mark, and for as long as no call fails."""

    def __init__(self, mark: int, identity: StoreIdentity) -> None:
        super().__init__()
        self._seen = (0, mark, identity)

    def forget(self) -> None:
        """Nothing."""


def settled_by_mark(_context: Any, look: Any, _scan: Any) -> Any:
    """The broken twin of `feed._settle`: the mark bounds what is read later."""
    return look.mark
    yield


async def asked_ahead(store: Any) -> None:
    """The page after the one that is read has come."""
    await asyncio.sleep(0.1)
    async with asyncio.timeout(60):
        while store.pool_status()["used"]:  # noqa: ASYNC110 -- looks into the pool
            await asyncio.sleep(0.01)


async def heard_of_the_loss(*stores: Any) -> None:
    """The loop has noticed that the connections of the pools are gone."""
    kept = [holder._con for store in stores for holder in store._backend._pool._holders if holder._con is not None]
    async with asyncio.timeout(60):
        while not all(connection.is_closed() for connection in kept):  # noqa: ASYNC110 -- no event tells it
            await asyncio.sleep(0.01)


def test_a_crash_that_no_call_notices_skips_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two positions below an old mark are given out again: the lower one's transaction is open, the other committed.

    A poll must wait for the lower one. `read_all`, begun before, must come to its end without either.
    """
    monkeypatch.setattr("mink_postgres.programs.reading.PAGE", 2)

    async def scenario(server: EmbeddedServer) -> None:
        options: dict[str, Any] = {"driver": "asyncpg", "min_size": 1, "max_size": 3}
        async with AsyncPostgresEventStore(server.url(), **options) as store:
            await store.initialize()
            await store.append("a-1", [NewEvent("Made", {}) for _ in range(6)], expected_version=0)
            async with AsyncPostgresEventStore(server.url(), **options) as twin:
                await asyncio.to_thread(roll_back_positions, server.url())
                assert (await store.poll(0)).next_position == (await twin.poll(0)).next_position == 6
                mark = (await store.feed_status()).mark
                object.__setattr__(twin._context, "settled", Remembering(mark, await twin.identity()))
                reading, twin_reading = store.read_all(), twin.read_all()
                given = [(await anext(reading)).global_position]
                await asked_ahead(store)
                with monkeypatch.context() as broken:
                    broken.setattr("mink_postgres.programs.feed._settle", settled_by_mark)
                    twin_given = [(await anext(twin_reading)).global_position]
                    await asked_ahead(twin)

                await asyncio.to_thread(server.kill)
                await asyncio.to_thread(server.restart)
                await heard_of_the_loss(store, twin)
                session = Session(server.url(), "mink")
                held = await asyncio.to_thread(session.insert, "held-1", 1)
                committed = (await store.append("b-1", [NewEvent("After", {})], expected_version=0)).first_position
                assert 6 < held < committed <= mark, "not the dangerous schedule: no position was given out again"

                assert [event.global_position for event in (await twin.poll(6)).events] == [committed]
                assert (await store.poll(6)).events == []
                twin_given += [event.global_position async for event in twin_reading]
                assert twin_given == [1, 2, 3, 4, 5, 6, committed]
                given += [event.global_position async for event in reading]
                assert given == [1, 2, 3, 4, 5, 6]
                await asyncio.to_thread(session.commit)
                session.connection.close()
                assert [event.global_position for event in (await store.poll(6)).events] == [held, committed]

    with EmbeddedServer.start() as server:
        asyncio.run(scenario(server))


def test_what_was_seen_before_a_connection_was_lost_is_not_taken_over() -> None:
    identity = StoreIdentity("x", 1)  # type: ignore[arg-type]
    settled = SettledMark()
    settled.saw(5, identity, settled.times_forgotten)
    assert settled.known() == (5, identity)
    before = settled.times_forgotten
    settled.forget()
    settled.saw(9, identity, before)
    settled._seen = (before, 9, identity)  # as if the other thread had been between the look at the count and this
    assert settled.known() == (0, None)
    settled.saw(3, identity, settled.times_forgotten)
    settled.saw(2, identity, settled.times_forgotten)
    assert settled.known() == (3, identity)
