"""Tables of the same design, made and filled by something else, are taken over in place with their data."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import psycopg
import pytest

from mink_core import NewEvent, SchemaError
from mink_core.registry import open_administration
from mink_postgres import PostgresEventStore
from tests.postgres.sessions import Session
from tests.postgres.test_migrations import FILL, raw, works

if TYPE_CHECKING:
    from collections.abc import Callable

NAIVE = """
CREATE SCHEMA {schema};
CREATE TABLE {schema}.streams (
    id BIGSERIAL PRIMARY KEY, stream_id VARCHAR(500) NOT NULL UNIQUE, category VARCHAR(250) NOT NULL,
    version BIGINT NOT NULL DEFAULT 0, created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    updated_at TIMESTAMPTZ NOT NULL DEFAULT NOW()
);
CREATE TABLE {schema}.events (
    global_position BIGSERIAL PRIMARY KEY, stream_id VARCHAR(500) NOT NULL, version BIGINT NOT NULL,
    event_id UUID NOT NULL DEFAULT gen_random_uuid(), event_type VARCHAR(500) NOT NULL, data JSONB NOT NULL,
    metadata JSONB, timestamp TIMESTAMPTZ NOT NULL DEFAULT NOW(), UNIQUE (stream_id, version)
);
"""
# What go-mink's own set-up makes beside them, and the tables of its sub-stores.
GO_MINK = """
CREATE INDEX idx_streams_category ON {schema}.streams (category);
CREATE INDEX idx_events_stream ON {schema}.events (stream_id, version);
CREATE INDEX idx_events_type ON {schema}.events (event_type);
CREATE INDEX idx_events_timestamp ON {schema}.events (timestamp);
CREATE TABLE {schema}.snapshots (
    stream_id VARCHAR(500) PRIMARY KEY, version BIGINT NOT NULL, data BYTEA NOT NULL,
    created_at TIMESTAMPTZ NOT NULL DEFAULT NOW()
);
CREATE TABLE {schema}.checkpoints (
    projection_name VARCHAR(500) PRIMARY KEY, position BIGINT NOT NULL DEFAULT 0,
    status VARCHAR(50) DEFAULT 'active', updated_at TIMESTAMPTZ NOT NULL DEFAULT NOW()
);
INSERT INTO {schema}.snapshots VALUES ('order-1', 2, 'x'), ('käse', 1, 'y');
INSERT INTO {schema}.checkpoints VALUES ('totals', 2);
CREATE TABLE {schema}.migrations (name VARCHAR(255) PRIMARY KEY, applied_at TIMESTAMPTZ DEFAULT NOW());
CREATE TABLE {schema}.mink_outbox (id UUID PRIMARY KEY DEFAULT gen_random_uuid(), payload JSONB NOT NULL);
"""


def adopted(url: str, schema: str) -> None:
    with open_administration(f"{url}?schema={schema}") as administration:
        administration.migrate()


@pytest.mark.parametrize("beside", ["", GO_MINK], ids=["naive", "go-mink"])
@pytest.mark.parametrize("by_script", [False, True], ids=["migrate", "script"])
def test_filled_tables_are_taken_over(postgres_url: str, schema: str, beside: str, by_script: bool) -> None:
    raw(postgres_url, schema, NAIVE + beside + FILL)
    stored = raw(postgres_url, schema, "SELECT * FROM {schema}.events ORDER BY 1")
    if by_script:
        with open_administration(f"{postgres_url}?schema={schema}") as administration:
            raw(postgres_url, schema, administration.migration_script())
    else:
        adopted(postgres_url, schema)
    assert raw(postgres_url, schema, "SELECT * FROM {schema}.events ORDER BY 1") == stored
    if beside:
        assert raw(postgres_url, schema, "SELECT projection_name, position FROM {schema}.checkpoints") == [
            ("totals", 2)
        ]
        assert raw(postgres_url, schema, "SELECT count(*) FROM {schema}.snapshots") == [(2,)]
    works(postgres_url, schema)


def test_what_the_events_tell_is_put_right(postgres_url: str, schema: str) -> None:
    """A restored dump without sequence values, streams left behind, a category by another rule, an older stamp."""
    raw(postgres_url, schema, NAIVE + FILL)
    raw(
        postgres_url,
        schema,
        "SELECT setval('{schema}.events_global_position_seq', 1, false);"
        "UPDATE {schema}.streams SET version = 1, category = 'x', updated_at = '2024-01-01Z' WHERE stream_id = 'order-1';"
        "DELETE FROM {schema}.streams WHERE stream_id = 'käse'",
    )
    adopted(postgres_url, schema)
    rows = raw(
        postgres_url,
        schema,
        "SELECT stream_id, category, version, (updated_at AT TIME ZONE 'UTC')::date::text FROM {schema}.streams ORDER BY 1",
    )
    assert sorted(rows) == [("käse", "käse", 1, "2024-01-03"), ("order-1", "order", 2, "2024-01-02")]
    works(postgres_url, schema)


REFUSED = {
    "only one of the tables": "DROP TABLE {schema}.streams",
    "column events.event_type must be character varying(500)": "ALTER TABLE {schema}.events ALTER event_type TYPE VARCHAR(100)",
    "column events.timestamp must be timestamp with": "ALTER TABLE {schema}.events ALTER timestamp TYPE TIMESTAMP",
    "column events.data must be jsonb": "ALTER TABLE {schema}.events ALTER data TYPE JSON",
    "is missing": "ALTER TABLE {schema}.events DROP metadata",
    "not UNIQUE (stream_id, version)": "ALTER TABLE {schema}.events DROP CONSTRAINT events_stream_id_version_key",
    "not UNIQUE (stream_id)": "ALTER TABLE {schema}.streams DROP CONSTRAINT streams_stream_id_key",
    "does not own the sequence": "ALTER SEQUENCE {schema}.events_global_position_seq RENAME TO other_seq",
    "CACHE 20": "ALTER SEQUENCE {schema}.events_global_position_seq CACHE 20",
    "metadata that is no JSON object": "UPDATE {schema}.events SET metadata = '[1]' WHERE version = 2",
    "position below 1": "UPDATE {schema}.events SET global_position = -1 WHERE version = 2",
    "versions from 2 to 2": "DELETE FROM {schema}.events WHERE stream_id = 'order-1' AND version = 1",
    "stream 'käse' has a time that is infinite": "UPDATE {schema}.events SET timestamp = 'infinity' WHERE stream_id = 'käse'",
    "stream 'order-1' has a time": "UPDATE {schema}.streams SET updated_at = 'infinity' WHERE stream_id = 'order-1'",
    "stream 'käse' is at version 1 but has no event": "DELETE FROM {schema}.events WHERE stream_id = 'käse'",
}


@pytest.mark.parametrize(("said", "damage"), REFUSED.items(), ids=list(REFUSED))
def test_what_cannot_hold_a_store_is_refused_unchanged(postgres_url: str, schema: str, said: str, damage: str) -> None:
    raw(postgres_url, schema, NAIVE + FILL + damage)
    with pytest.raises(SchemaError) as refused:
        adopted(postgres_url, schema)
    assert said in str(refused.value)
    assert "othing was changed" in str(refused.value)
    assert raw(postgres_url, schema, f"SELECT to_regclass('{schema}.schema_migrations')") == [(None,)]
    assert raw(postgres_url, schema, "SELECT tgname FROM pg_trigger WHERE tgrelid = '{schema}.events'::regclass") == []


def until_waits(url: str, taking: threading.Thread, what: str = "true") -> None:
    """Until the take-over waits for a lock."""
    with psycopg.connect(url, autocommit=True) as watch:
        end = time.monotonic() + 60
        waits = f"SELECT count(*) FROM pg_locks WHERE NOT granted AND {what}"
        while not watch.execute(waits).fetchone()[0]:  # type: ignore[index]
            assert taking.is_alive()
            assert time.monotonic() < end


def test_an_old_writer_between_its_two_tables_is_let_to_its_end(
    postgres_url: str, schema: str, session: Callable[..., Session]
) -> None:
    """It has locked its stream and not inserted yet: the take-over does not wait for it with `events` locked."""
    raw(postgres_url, schema, NAIVE + FILL)
    before = session()
    before.lock("order-1")
    taking = threading.Thread(target=adopted, args=(postgres_url, schema))
    taking.start()
    until_waits(postgres_url, taking)
    before.append("order-1")
    before.commit()
    taking.join(60)
    with PostgresEventStore(postgres_url, schema=schema, min_size=1) as store:
        assert [it.version for it in store.read_stream("order-1")] == [1, 2, 3]


def test_an_old_writer_that_is_still_running_is_fenced(
    postgres_url: str, schema: str, session: Callable[..., Session]
) -> None:
    """It began before the take-over and goes on after it: the take-over waits, and nothing of it is lost."""
    raw(postgres_url, schema, NAIVE + FILL)
    before = session()
    before.append("order-1")
    taking = threading.Thread(target=adopted, args=(postgres_url, schema))
    taking.start()
    until_waits(postgres_url, taking, f"relation = '{schema}.streams'::regclass")
    before.commit()
    taking.join(60)
    with PostgresEventStore(postgres_url, schema=schema, min_size=1) as store:
        assert [it.version for it in store.read_stream("order-1")] == [1, 2, 3]
        after = session()
        after.append("order-1")
        store.append("other-1", [NewEvent("Made", {})], expected_version=0)
        # Held back by the old writer's open transaction, as any raw INSERT is.
        assert store.poll(4).events == []
        after.commit()
        assert [it.stream_id for it in store.poll(4).events] == ["order-1", "other-1"]
