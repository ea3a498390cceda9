"""Appends find their stream by the index, also with plans that were made while the table had hardly a row."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from mink_core import ExpectedVersion, NewEvent, StreamAppend
from mink_core.prepare import prepare_append
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


@pytest.mark.parametrize("way", WAYS, ids=["one", "several", "batch", "group"])
def test_no_append_reads_the_whole_table(small: PostgresEventStore, way: Any) -> None:
    def scans(tx: Any) -> Any:  # with what came before in the session and was not reported yet
        return tx.connection.execute(
            "SELECT seq_scan, idx_scan FROM pg_stat_xact_user_tables WHERE schemaname = %s AND relname = 'streams'",
            (small._context.sql.schema,),
        ).fetchone()

    with small.transaction() as tx:
        before = scans(tx)
        for number in range(10):  # so often that a plan is kept
            way(small, tx, f"new-{number}", ANY)
            way(small, tx, f"new-{number}", EXISTS)
        after = scans(tx)
        # One fence for all of them: what it notes outlives the function that has settings of its own.
        locks = tx.connection.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
        ).fetchall()
    assert after[0] == before[0]
    assert after[1] > before[1]
    assert locks == [(1,)]


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
