"""The interleavings in which other mechanisms lose an event, step by step, every time (FEED-01)."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from mink_core import EventFilter, ExpectedVersion, NewEvent, UsageError
from mink_postgres import PostgresEventStore
from mink_postgres.drivers.psycopg_sync import fetch
from mink_postgres.programs import feed
from tests.postgres.readers import AGE_XMIN, ONE_STATEMENT, PLAIN, SqlReader, StoreReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.postgres.sessions import Session

    Open = Callable[..., Session]

ANY = ExpectedVersion.ANY


def two_streams(store: PostgresEventStore) -> None:
    for stream in ("a-1", "b-1"):
        store.append(stream, [NewEvent("Made", {})], expected_version=ANY)


def test_two_existing_streams_are_read_whole(
    postgres_url: str, schema: str, store: PostgresEventStore, session: Open
) -> None:
    """T1 has the older id and the higher position, and commits first."""
    two_streams(store)
    readers: dict[str, Any] = {
        "store": StoreReader(PostgresEventStore(postgres_url, schema=schema, min_size=1)),
        "plain": SqlReader(postgres_url, schema, PLAIN),
        "age(xmin)": SqlReader(postgres_url, schema, AGE_XMIN),
    }
    first, second = session(), session()
    first.lock("a-1")
    second.lock("b-1")
    low = second.append("b-1")
    high = first.append("a-1")
    assert low < high
    first.commit()
    for reader in readers.values():
        reader.poll()
    second.commit()
    for reader in readers.values():
        while reader.poll():
            pass
    seen = {name: reader.seen for name, reader in readers.items()}
    for reader in readers.values():
        reader.close()
    assert seen["store"] == [1, 2, low, high]
    # The broken twins: the same schedule must take the event from them.
    assert seen["plain"] == [1, 2, high]
    assert seen["age(xmin)"] == [1, 2, high]


@pytest.mark.parametrize("commit_at", ["before the look", "between look and read", "after the read"])
def test_a_commit_at_every_step_of_a_poll(
    postgres_url: str, schema: str, store: PostgresEventStore, session: Open, commit_at: str
) -> None:
    """The program of `poll` is driven by hand, and the append in flight ends at each of its steps."""
    two_streams(store)
    held = session()
    low = held.append("a-1")
    store.append("b-1", [NewEvent("Made", {})], expected_version=1)
    high = low + 1
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        context = store._context.in_transaction()
        program = feed.poll(context, 2, 100, EventFilter(), None)
        query = next(program)
        assert "feed_mark" in query.sql
        if commit_at == "before the look":
            held.commit()
        rows = fetch(connection, query)
        if commit_at == "between look and read":
            held.commit()
        try:
            while True:
                rows = fetch(connection, program.send(rows))
        except StopIteration as stop:
            page = stop.value
    if commit_at == "after the read":
        held.commit()
    first = [event.global_position for event in page.events]
    rest = [event.global_position for event in store.poll(page.next_position).events]
    assert first == ([low, high] if commit_at == "before the look" else [])
    assert first + rest == [low, high]


def test_one_statement_is_not_enough(postgres_url: str, schema: str, store: PostgresEventStore, session: Open) -> None:
    """A reader whose look and read share a snapshot loses an append that ends in between."""
    two_streams(store)
    held = session()
    low = held.append("a-1")
    store.append("b-1", [NewEvent("Made", {})], expected_version=1)
    gate = psycopg.connect(postgres_url, autocommit=True)
    gate.execute("SELECT pg_advisory_lock(4242)")
    reader = SqlReader(postgres_url, schema, ONE_STATEMENT, gate="pg_advisory_lock(4242)")
    poll = threading.Thread(target=reader.poll)
    poll.start()
    while not gate.execute("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted").fetchone():
        time.sleep(0.01)
    held.commit()
    gate.execute("SELECT pg_advisory_unlock(4242)")
    poll.join(60)
    reader.connection.execute("SELECT pg_advisory_unlock_all()")
    gate.close()
    reader.poll()
    reader.close()
    assert low not in reader.seen
    assert low in [event.global_position for event in store.read_all()]


def test_versions_stay_in_order_when_an_id_is_taken_early(store: PostgresEventStore, session: Open) -> None:
    """A cursor of (xid, position) puts version 2 before version 1 here; positions do not (FEED-02)."""
    store.append("other-1", [NewEvent("Made", {})], expected_version=ANY)
    early = session()
    early.run("SELECT pg_current_xact_id()")
    store.append("a-1", [NewEvent("First", {})], expected_version=0)
    early.append("a-1")
    early.commit()
    versions = [event.version for event in store.poll(1).events]
    by_xid = early.run("SELECT version FROM {schema}.events WHERE stream_id = 'a-1' ORDER BY xmin::text::bigint")
    assert [row[0] for row in by_xid] == [2, 1]
    assert versions == [1, 2]


def test_a_rollback_delays_nobody(store: PostgresEventStore, session: Open) -> None:
    two_streams(store)
    undone = session()
    undone.append("a-1")
    result = store.append("b-1", [NewEvent("Made", {})], expected_version=1)
    assert store.poll(2).events == []
    undone.rollback()
    assert [event.global_position for event in store.poll(2).events] == [result.first_position]


@pytest.mark.parametrize("where", ["same database", "another database", "idle after a write"])
def test_an_open_transaction_that_did_not_append_delays_nobody(
    postgres_url: str, admin_url: str, schema: str, store: PostgresEventStore, where: str
) -> None:
    """An xmin rule would stall here until it ends (FEED-04)."""
    two_streams(store)
    url = admin_url if where == "another database" else postgres_url
    with psycopg.connect(url) as writing:
        writing.execute("CREATE TEMP TABLE other (x int)")
        writing.execute("INSERT INTO other VALUES (1)")
        if where != "idle after a write":
            writing.execute("SELECT pg_current_xact_id()")
        result = store.append("a-1", [NewEvent("Made", {})], expected_version=1)
        assert [event.global_position for event in store.poll(2).events] == [result.first_position]
        stalled = SqlReader(postgres_url, schema, AGE_XMIN)
        stalled.poll()
        stalled.close()
        assert result.first_position not in stalled.seen
        writing.rollback()


def test_who_holds_the_feed_back_is_told(store: PostgresEventStore, session: Open) -> None:
    two_streams(store)
    held = session()
    held.run("SET application_name = 'slow-import'")
    held.append("a-1")
    store.append("b-1", [NewEvent("Made", {})], expected_version=1)
    time.sleep(0.05)
    status = store.feed_status()
    assert (status.head, status.mark, status.high) == (2, 2, 4)
    (holder,) = status.holders
    assert holder.process == held.connection.info.backend_pid
    assert holder.application == "slow-import"
    assert holder.after_position == 2
    assert 0.04 < holder.seconds < 60
    assert "UPDATE" in holder.doing
    held.rollback()
    assert store.feed_status().holders == ()


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_a_feed_in_an_old_snapshot_is_refused(
    postgres_url: str, schema: str, store: PostgresEventStore, level: str
) -> None:
    """Its look would be newer than what it reads (FEED-09)."""
    two_streams(store)
    with psycopg.connect(postgres_url) as connection:
        connection.execute(f"SET TRANSACTION ISOLATION LEVEL {level}")
        bound = PostgresEventStore(connection=connection, schema=schema)
        for read in (lambda: bound.poll(0), lambda: list(bound.read_all()), bound.head_position):
            with pytest.raises(UsageError, match="REPEATABLE READ or SERIALIZABLE"):
                read()
        assert len(list(bound.read_stream("a-1"))) == 1
