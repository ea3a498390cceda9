"""A synchronous standby: what it refuses, what it serves, and the fence across its promotion."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from mink_core import ExpectedVersion, NewEvent, StorageError, TransientStorageError
from mink_core.administration import Level
from mink_core.registry import open_administration
from mink_postgres import AsyncPostgresEventStore, PostgresEventStore
from tests.postgres.readers import PLAIN, SqlReader
from tests.postgres.sessions import Session
from tests.postgres.standbys import Pair

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ANY = ExpectedVersion.ANY


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    """One pair for all; the last test promotes the standby."""
    with Pair() as made:
        with PostgresEventStore(made.primary.url(), min_size=1) as store:
            store.initialize()
            for version in range(3):
                store.append("a-1", [NewEvent("Made", {"n": version})], expected_version=version)
        yield made


def replayed(pair: Pair) -> None:
    """Wait until the standby shows what the primary has."""
    with pair.admin() as primary, pair.admin(standby=True) as standby:
        end = primary.execute("SELECT pg_current_wal_lsn()").fetchone()
        pair.wait(lambda: bool(standby.execute("SELECT pg_last_wal_replay_lsn() >= %s", end).fetchone()[0]))  # type: ignore[index]


def test_a_standby_serves_streams_and_refuses_the_feed_and_writes(pair: Pair) -> None:
    replayed(pair)
    acts: dict[str, Callable[[PostgresEventStore], object]] = {
        "poll": lambda store: store.poll(0),
        "read_all": lambda store: list(store.read_all()),
        "head_position": lambda store: store.head_position(),
        "identity": lambda store: store.identity(),
        "subscribe": lambda store: next(iter(store.subscribe())),
    }
    with PostgresEventStore(pair.standby.url(), min_size=1) as store:
        assert [event.version for event in store.read_stream("a-1")] == [1, 2, 3]
        assert store.stream_info("a-1").version == 3
        for act in acts.values():
            with pytest.raises(StorageError, match=r"standby.*target_session_attrs=read-write"):
                act(store)
        with pytest.raises(TransientStorageError, match=r"takes no writes.*target_session_attrs=read-write"):
            store.append("a-1", [NewEvent("Made", {})], expected_version=3)
    with open_administration(pair.standby.url()) as administration:
        role = {it.subject: it for it in administration.diagnose()}["server role"]
    assert role.level is Level.CRITICAL


def test_why_a_feed_on_a_standby_would_skip(pair: Pair) -> None:
    """It does not see who is still writing: the broken twin passes an event that commits later."""
    url = pair.primary.url()
    with PostgresEventStore(url, min_size=1) as store:
        reader = SqlReader(pair.standby.url(), "mink", PLAIN)
        replayed(pair)
        reader.poll()
        session = Session(url, "mink")
        held = session.append("a-1")
        passed = store.append("b-1", [NewEvent("Made", {})], expected_version=ANY).first_position
        replayed(pair)
        reader.poll()
        with pair.admin(standby=True) as standby:
            seen = standby.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone()
        session.commit()
        session.connection.close()
        replayed(pair)
        reader.poll()
        reader.close()
        assert seen == (0,)
        assert passed in reader.seen
        assert held not in reader.seen
        # On the primary, nobody is skipped.
        assert [event.global_position for event in store.poll(held - 1).events] == [held, passed]


def test_the_standby_s_sequence_is_never_behind_a_committed_position(pair: Pair) -> None:
    """It is logged ahead, in steps of 32, before the commit that used it: so it may jump, and never goes back."""
    ahead: set[int] = set()
    with (
        PostgresEventStore(f"{pair.primary.url()}?options=-c%20synchronous_commit%3Dremote_apply", min_size=1) as store,
        pair.admin(standby=True) as standby,
    ):
        for version in range(70):
            position = store.append("seq-1", [NewEvent("Made", {})], expected_version=version).last_position
            last = standby.execute("SELECT last_value FROM mink.events_global_position_seq").fetchone()
            ahead.add(last[0] - position)  # type: ignore[index]
    assert min(ahead) >= 0
    assert max(ahead) == 32
    assert len(ahead) == 33


def test_promotion_while_the_fence_is_held(pair: Pair) -> None:
    """The primary dies with a transaction open that holds the feed back. Stores, readers and writers just go on."""

    async def scenario() -> None:
        url = pair.url(connect_timeout=2)
        options: dict[str, Any] = {"min_size": 1, "max_size": 3, "pool_timeout": 10.0}
        with PostgresEventStore(url, **options) as store:
            async with AsyncPostgresEventStore(url, driver="asyncpg", **options) as other:
                start = store.head_position()
                assert await other.head_position() == start
                identity = store.identity()
                session = Session(pair.primary.url(), "mink")
                held = session.append("a-1")
                positions = [
                    store.append("c-1", [NewEvent("Made", {})], expected_version=0).last_position,
                    (await other.append("d-1", [NewEvent("Made", {})], expected_version=0)).last_position,
                ]
                assert start < held < min(positions)
                # Acknowledged, but behind one who may still commit.
                assert store.poll(start).events == (await other.poll(start)).events == []
                allocated = store.feed_status().high
                await asyncio.to_thread(pair.fail_over)
                session.connection.close()
                positions.append(await again(lambda: store.append("c-1", [event], expected_version=1)))
                positions.append(await again(lambda: other.append("d-1", [event_of_other], expected_version=1)))
                # The one who held it is dead, and its position a hole; nobody else is skipped.
                given = [item.global_position for item in store.poll(start, identity=identity).events]
                assert given == [item.global_position for item in (await other.poll(start, identity=identity)).events]
                assert given == sorted(positions)
                assert held not in given
                # Above all that was ever given out, and at most one logged step higher.
                assert allocated < positions[2] <= allocated + 33
                assert store.check() == []

    event, event_of_other = NewEvent("After", {}), NewEvent("After", {})
    asyncio.run(scenario())


async def again(append: Callable[[], Any]) -> int:
    """Repeat a call, as an application does, until it is acknowledged. Gives its position."""
    for _ in range(100):
        try:
            result = append()
            result = await result if asyncio.iscoroutine(result) else result
        except StorageError:
            await asyncio.sleep(0.1)
        else:
            return int(result.last_position)
    raise AssertionError
