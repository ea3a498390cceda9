"""Pages are read in the order of an index also where the table was never analysed: nothing is sorted for each of them.

A wide filter looks each row up in a hash of its members, also by a plan that is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from mink_core import EventFilter, ExpectedVersion, NewEvent
from mink_postgres import PostgresEventStore
from mink_postgres.conditions import MANY, conditions

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def fresh(postgres_url: str) -> Iterator[PostgresEventStore]:
    """A log of one stream of five thousand events, of which the planner knows nothing."""
    with PostgresEventStore(postgres_url, schema="read_plans", min_size=1, max_size=1) as store:
        store.initialize()
        with psycopg.connect(postgres_url, autocommit=True) as owner:
            owner.execute("ALTER TABLE read_plans.events SET (autovacuum_enabled = off)")
        for version in range(0, 5000, 1000):
            events = [NewEvent("Made", {"text": "x" * 300}) for _ in range(1000)]
            store.append("long-1", events, expected_version=version)
        yield store


READS: dict[str, Any] = {
    "stream": lambda sql: (sql.read_stream_forward, ("long-1", 0, 500)),
    "feed": lambda sql: (sql.read_feed("", backward=False), (0, 2**40, 500)),
    "feed, backwards": lambda sql: (sql.read_feed("", backward=True), (0, 2**40, 500)),
}


@pytest.mark.parametrize("limit", ["unknown", "known"])
@pytest.mark.parametrize("read", READS)
def test_a_page_is_not_sorted(fresh: PostgresEventStore, postgres_url: str, read: str, limit: str) -> None:
    """The broken twin's page size is known to the planner, which guesses that fewer rows are there, and sorts all."""
    statement, args = READS[read](fresh._context.sql)
    last = f"${len(args)}::bigint"
    assert f"LIMIT (SELECT {last})" in statement
    if limit == "known":
        statement = statement.replace(f"LIMIT (SELECT {last})", f"LIMIT {last}")
    with psycopg.connect(postgres_url) as connection:
        cursor = psycopg.RawCursor(connection)
        plan = "\n".join(row[0] for row in cursor.execute(f"EXPLAIN {statement}", args).fetchall())
    assert ("Sort" in plan) == (limit == "known"), plan


def wide(axis: str, name: str, count: int) -> EventFilter:
    return EventFilter(**{axis: [f"No{number}" for number in range(count - 1)] + [name]})


AXES = [("event_types", "Made"), ("categories", "long")]


@pytest.mark.parametrize(("axis", "name"), AXES)
def test_members_of_a_wide_filter_are_hashed(
    fresh: PostgresEventStore, postgres_url: str, axis: str, name: str
) -> None:
    clause, args = conditions(wide(axis, name, MANY + 1))
    statement = fresh._context.sql.read_feed(clause, backward=False)
    with psycopg.connect(postgres_url) as connection:
        connection.execute("SET plan_cache_mode TO force_generic_plan")
        connection.execute(f"PREPARE page AS {statement}".encode())
        plan = psycopg.ClientCursor(connection).execute("EXPLAIN EXECUTE page (0, 5000, 500, %s)", args).fetchall()
    text = "\n".join(row[0] for row in plan)
    assert "hashed SubPlan" in text, text
    assert "Sort" not in text, text
    assert "Join" not in text, text


@pytest.mark.parametrize(("axis", "name"), AXES)
@pytest.mark.parametrize("count", [MANY, MANY + 1, 2000])
def test_a_wide_filter_finds_the_same(fresh: PostgresEventStore, axis: str, name: str, count: int) -> None:
    assert len(fresh.poll(0, limit=500, where=wide(axis, name, count)).events) == 500
    assert fresh.poll(0, limit=500, where=wide(axis, "Other", count)).events == []


def test_every_event_of_the_fresh_log_is_read(fresh: PostgresEventStore) -> None:
    assert [event.version for event in fresh.read_stream("long-1")] == list(range(1, 5001))
    assert len(list(fresh.read_all())) == 5000
    fresh.append("long-1", [NewEvent("Made", 1)], expected_version=ExpectedVersion.STREAM_EXISTS)
