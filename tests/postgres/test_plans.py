"""Appends find their stream by the index, also with plans that were made while the table had hardly a row."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from mink_core import ExpectedVersion, NewEvent, OutboxMessage, StreamAppend
from mink_core.prepare import prepare_append
from mink_core.prepare_substores.outbox import with_messages
from mink_postgres import PostgresEventStore
from mink_postgres.drivers import psycopg_sync
from mink_postgres.programs.append_group import append_group, array_literal
from mink_postgres.query import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ANY, EXISTS = ExpectedVersion.ANY, ExpectedVersion.STREAM_EXISTS


def made(count: int) -> list[NewEvent]:
    return [NewEvent("Made", n) for n in range(count)]


@pytest.fixture
def small(postgres_url: str, schema: str) -> Iterator[PostgresEventStore]:
    with PostgresEventStore(postgres_url, schema=schema, min_size=1, max_size=1) as store:
        store.initialize()
        for number in range(3):
            store.append(f"old-{number}", made(1), expected_version=ANY)
        with store.transaction() as tx:
            tx.connection.execute(f"ANALYZE {store._context.sql.quoted}.streams")
            tx.connection.execute(f"ANALYZE {store._context.sql.quoted}.events")
        yield store


def group(store: PostgresEventStore, tx: Any, name: str, expected: Any) -> None:
    items = [prepare_append(f"{name}{end}", made(1), expected) for end in ("a", "b")]
    run(append_group(store._context, items, array_literal), partial(psycopg_sync.fetch, tx.connection))


WAYS: list[Callable[[PostgresEventStore, Any, str, Any], Any]] = [
    lambda _, tx, name, expected: tx.append(name, made(1), expected_version=expected),
    lambda _, tx, name, expected: tx.append(name, made(2), expected_version=expected),
    lambda _, tx, name, expected: tx.append_batch([StreamAppend(name, made(1), expected)]),
    group,
]


def scans(store: PostgresEventStore, tx: Any, table: str) -> Any:
    """With what came before in the session and was not reported yet."""
    return tx.connection.execute(
        "SELECT seq_scan, idx_scan FROM pg_stat_xact_user_tables WHERE schemaname = %s AND relname = %s",
        (store._context.sql.schema, table),
    ).fetchone()


@pytest.mark.parametrize("way", WAYS, ids=["one", "several", "batch", "group"])
def test_no_append_reads_the_whole_table(small: PostgresEventStore, way: Any) -> None:
    with small.transaction() as tx:
        before = scans(small, tx, "streams")
        for number in range(10):  # so often that a plan is kept
            way(small, tx, f"new-{number}", ANY)
            way(small, tx, f"new-{number}", EXISTS)
        after = scans(small, tx, "streams")
        # One fence for all of them: what it notes outlives the function that has settings of its own.
        locks = tx.connection.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
        ).fetchall()
    assert after[0] == before[0]
    assert after[1] > before[1]
    assert locks == [(1,)]


def message_with_one(store: PostgresEventStore, tx: Any, number: int) -> None:
    tx.append(f"new-{number}", made(1), expected_version=0, outbox=OutboxMessage("t", number))


def message_with_several(store: PostgresEventStore, tx: Any, number: int) -> None:
    tx.append(f"new-{number}", made(2), expected_version=0, outbox=OutboxMessage("t", number))


def messages_of_a_group(store: PostgresEventStore, tx: Any, number: int) -> None:
    items = [prepare_append(f"new-{number}{end}", made(1), 0) for end in ("a", "b")]
    given = [with_messages(item, OutboxMessage("t", number)) for item in items]
    run(append_group(store._context, given, array_literal), partial(psycopg_sync.fetch, tx.connection))


def claimed_and_settled(store: PostgresEventStore, tx: Any, number: int) -> None:
    tx.outbox.add(OutboxMessage("t", number, stream_id="a-1", ordered=True))
    for message in tx.outbox.claim("w", limit=1):
        tx.outbox.complete(message)


@pytest.mark.parametrize("way", [message_with_one, message_with_several, messages_of_a_group, claimed_and_settled])
def test_no_message_reads_the_whole_outbox(small: PostgresEventStore, way: Any) -> None:
    """Its statistics change late, after ten thousand changed rows."""
    small.outbox.add([OutboxMessage("t", number) for number in range(3)])
    with small.transaction() as tx:
        tx.connection.execute(f"ANALYZE {small._context.sql.quoted}.outbox")
    with small.transaction() as tx:
        before = scans(small, tx, "outbox")
        for number in range(10):
            way(small, tx, number)
        after = scans(small, tx, "outbox")
    assert after[0] == before[0]
    assert after[1] > before[1]


@pytest.mark.parametrize("saga_type", [None, "T", "Other"])
def test_a_claim_of_sagas_reads_no_more_than_it_takes(small: PostgresEventStore, saga_type: str | None) -> None:
    """Be it for those that were claimed too often, or for those of the type."""
    sagas = f"{small._context.sql.quoted}.sagas"
    with small.transaction() as tx:
        tx.connection.execute(
            f"INSERT INTO {sagas} SELECT 's-' || g, 'T', 'running', NULL, '{{}}', 1, now() - interval '1 hour', 0, '{{}}', now(), now() "
            "FROM generate_series(1, 500) AS g"
        )
        tx.connection.execute(f"ANALYZE {sagas}")

    def read(tx: Any) -> int:
        found = tx.connection.execute(
            f"SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relid = '{sagas}'::regclass"
        )
        return int(found.fetchone()[0])

    with small.transaction() as tx:
        tx.sagas.claim_due(limit=1)
        before = read(tx)
        for _ in range(10):  # so often that a plan may be kept
            assert len(tx.sagas.claim_due(limit=1, saga_type=saga_type)) == (saga_type != "Other")
        assert read(tx) - before < 500


def test_a_stream_made_in_a_group_is_as_old_as_its_first_event(small: PostgresEventStore) -> None:
    """As by `append()`, and in memory."""
    with small.transaction() as tx:
        for number in range(100):
            group(small, tx, f"new-{number}", ANY)
        differ = tx.connection.execute(
            f"SELECT s.stream_id FROM {small._context.sql.quoted}.streams AS s JOIN {small._context.sql.quoted}.events AS e ON e.stream_id = s.stream_id "
            "WHERE e.version = 1 AND e.timestamp <> s.created_at"
        ).fetchall()
    assert differ == []


def test_a_group_leaves_no_slow_plan_for_repeated_appends(small: PostgresEventStore) -> None:
    """A session keeps the plans of what a group calls, and a long append is compared event by event (APPEND-09)."""
    events = made(5_000)
    first = small.append("long-1", events, expected_version=0)

    def seconds() -> float:
        began = time.perf_counter()
        assert small.append("long-1", events, expected_version=0) == first
        return time.perf_counter() - began

    alone = max(seconds() for _ in range(5))  # so often that a plan may be kept
    with small.transaction() as tx:
        item = prepare_append("long-1", events[:1], 0)  # no repeat, as it is shorter: find_repeat() says so
        run(append_group(small._context, [item], array_literal), partial(psycopg_sync.fetch, tx.connection))
    assert min(seconds() for _ in range(3)) < 10 * alone
