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


def roll_back_positions(url: str) -> None:
    """Allocate positions that no event will have; their record in the log is lost by a crash (see test_crash)."""
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("VACUUM")
        admin.execute("CHECKPOINT")
    session = Session(url, "mink")
    for version in range(36):
        session.insert("raw-1", version + 1)
    session.rollback()
    session.connection.close()


async def crash(server: EmbeddedServer) -> None:
    await asyncio.to_thread(server.kill)
    await asyncio.to_thread(server.restart)
    await asyncio.sleep(0.1)  # the loop hears of its lost connections


async def one_held_one_committed(server: EmbeddedServer, store: AsyncPostgresEventStore) -> tuple[Session, int, int]:
    """Two positions that were given out before: the lower one's transaction is open, the higher one's is committed."""
    session = Session(server.url(), "mink")
    held = await asyncio.to_thread(session.insert, "held-1", 1)
    result = await store.append("b-1", [NewEvent("After", {})], expected_version=0)
    return session, held, result.first_position


def remember_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The broken twin: what is remembered as settled is the mark, and for as long as no call fails."""

    def settle(context: Any, look: Any, _: Any) -> Any:
        context.settled.position, context.settled.identity = look.mark, look.identity
        return look.mark
        yield

    monkeypatch.setattr("mink_postgres.programs.feed._settle", settle)
    monkeypatch.setattr(SettledMark, "forget", lambda _: None)


@pytest.mark.parametrize("broken", [False, True])
def test_a_poll_after_a_crash_skips_nothing(broken: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if broken:
        remember_marks(monkeypatch)

    async def scenario(server: EmbeddedServer) -> None:
        async with AsyncPostgresEventStore(server.url(), driver="asyncpg", min_size=1, max_size=3) as store:
            await store.initialize()
            await store.append("a-1", [NewEvent("Made", {})], expected_version=0)
            await asyncio.to_thread(roll_back_positions, server.url())
            page = await store.poll(0)
            assert page.next_position == 1
            mark = (await store.feed_status()).mark
            await crash(server)
            session, held, committed = await one_held_one_committed(server, store)
            assert 1 < held < committed <= mark, "not the dangerous schedule: the positions were not given out again"
            got = [event.global_position for event in (await store.poll(page.next_position)).events]
            assert got == ([committed] if broken else [])
            await asyncio.to_thread(session.commit)
            got += [event.global_position for event in (await store.poll(max(got, default=1))).events]
            assert got == ([committed] if broken else [held, committed])
            session.connection.close()

    with EmbeddedServer.start() as server:
        asyncio.run(scenario(server))


@pytest.mark.parametrize("broken", [False, True])
def test_a_read_that_a_crash_interrupts_keeps_to_what_was_settled(
    broken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`read_all` takes its bound once: an event that then gets a position below it must not come without the others."""
    if broken:
        remember_marks(monkeypatch)
    monkeypatch.setattr("mink_postgres.programs.reading.PAGE", 2)

    async def scenario(server: EmbeddedServer) -> None:
        async with AsyncPostgresEventStore(server.url(), driver="asyncpg", min_size=1, max_size=3) as store:
            await store.initialize()
            await store.append("a-1", [NewEvent("Made", {}) for _ in range(6)], expected_version=0)
            await asyncio.to_thread(roll_back_positions, server.url())
            mark = (await store.feed_status()).mark
            reading = store.read_all()
            given = [(await anext(reading)).global_position]
            await asyncio.sleep(0.1)  # the page after this one is asked for ahead
            await crash(server)
            session, held, committed = await one_held_one_committed(server, store)
            assert held < committed <= mark, "not the dangerous schedule: the positions were not given out again"
            given += [event.global_position async for event in reading]
            assert given == [1, 2, 3, 4, 5, 6, *([committed] if broken else [])]
            session.connection.close()

    with EmbeddedServer.start() as server:
        asyncio.run(scenario(server))


def test_what_was_seen_before_a_connection_was_lost_is_not_taken_over() -> None:
    identity = StoreIdentity("x", 1)  # type: ignore[arg-type]
    settled = SettledMark()
    settled.saw(5, identity, settled.times_forgotten)
    assert settled.position == 5
    before = settled.times_forgotten
    settled.forget()
    settled.saw(9, identity, before)
    assert settled.position == 0
    settled.saw(3, identity, settled.times_forgotten)
    settled.saw(2, identity, settled.times_forgotten)
    assert settled.position == 3
