"""Upgrades of filled schemas from every version, beside who works on them, and scripts for review."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from mink_core import ExpectedVersion, NewEvent, Verdict
from mink_core.registry import open_administration
from mink_postgres import PostgresEventStore
from mink_postgres.drivers import psycopg_sync
from mink_postgres.migrations import SCHEMA_VERSION, raw_migrations
from mink_postgres.options import PostgresOptions
from mink_postgres.programs import schema as programs
from mink_postgres.query import run

if TYPE_CHECKING:
    from mink_core import StoredEvent

VERSIONS = [step.version for step in raw_migrations()]

FILL = """
INSERT INTO {schema}.streams (stream_id, category, version, created_at, updated_at) VALUES
    ('order-1', 'order', 2, '2024-01-01Z', '2024-01-02Z'), ('käse', 'käse', 1, '2024-01-03Z', '2024-01-03Z');
INSERT INTO {schema}.events (stream_id, version, event_type, data, metadata, timestamp) VALUES
    ('order-1', 1, 'Placed', '{"total": 1, "ratio": 1.0, "big": 10000000000000000.0}', NULL, '2024-01-01Z'),
    ('order-1', 2, 'Paid', '[true, null, "x"]', '{"user_id": "ann"}', '2024-01-02Z'),
    ('käse', 1, 'Made', '1', '{}', '2024-01-03Z');
"""


def to_version(url: str, schema: str, version: int) -> None:
    """A schema as a release of that version left it."""
    with psycopg.connect(url, autocommit=True) as connection, connection.transaction():
        context = PostgresOptions(schema=schema).context()
        run(programs.migrate(context, through=version), partial(psycopg_sync.fetch, connection))


def raw(url: str, schema: str, statement: str) -> list[Any]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.replace("{schema}", f'"{schema}"'))
        return cursor.fetchall() if cursor.description else []


def catalog(url: str, schema: str) -> list[Any]:
    """Everything that defines a schema: columns, constraints, indexes, functions, triggers."""
    return [
        raw(url, schema, statement.replace("{name}", schema))
        for statement in (
            (
                "SELECT table_name, column_name, data_type, character_maximum_length, is_nullable, column_default "
                "FROM information_schema.columns WHERE table_schema = '{name}' ORDER BY 1, ordinal_position"
            ),
            (
                "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint "
                "WHERE connamespace = '{name}'::regnamespace ORDER BY 1, 2"
            ),
            "SELECT indexdef FROM pg_indexes WHERE schemaname = '{name}' ORDER BY 1",
            "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = '{name}'::regnamespace ORDER BY 1",
            (
                "SELECT pg_get_triggerdef(t.oid), tgenabled FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid "
                "WHERE c.relnamespace = '{name}'::regnamespace AND NOT tgisinternal ORDER BY 1"
            ),
            "SELECT version, name, checksum, oldest_code FROM {schema}.schema_migrations ORDER BY 1",
        )
    ]


def everything(url: str, schema: str) -> tuple[list[StoredEvent], list[Any]]:
    with PostgresEventStore(url, schema=schema, min_size=1) as store:
        return list(store.read_all()), list(store.streams())


def works(url: str, schema: str) -> None:
    """A store appends, conflicts, recognizes a retry, and shows all of it in the feed."""
    with PostgresEventStore(url, schema=schema, min_size=1) as store:
        before = store.head_position()
        event = NewEvent("Shipped", {"to": "here"})
        first = store.append("order-1", [event], expected_version=2)
        assert store.append("order-1", [event], expected_version=2) == first
        store.append("new-1", [NewEvent("Made", {})], expected_version=ExpectedVersion.NO_STREAM)
        assert [it.event_type for it in store.poll(before).events] == ["Shipped", "Made"]
        versions = [it.timestamp for it in store.read_stream("order-1")]
        assert versions == sorted(versions)
        assert store.check() == []


@pytest.mark.parametrize("version", VERSIONS)
def test_a_filled_schema_is_upgraded_from_every_version(postgres_url: str, schema: str, version: int) -> None:
    to_version(postgres_url, schema, version)
    raw(postgres_url, schema, FILL)
    stored = raw(postgres_url, schema, "SELECT * FROM {schema}.events ORDER BY 1")
    url = f"{postgres_url}?schema={schema}"
    with open_administration(url) as administration:
        assert [step.version for step in administration.schema_status().pending] == [v for v in VERSIONS if v > version]
        assert len(administration.migrate()) == len(VERSIONS) - VERSIONS.index(version) - 1
        assert not administration.schema_status().pending
    assert raw(postgres_url, schema, "SELECT * FROM {schema}.events ORDER BY 1") == stored
    events, streams = everything(postgres_url, schema)
    assert [(it.stream_id, it.version) for it in events] == [("order-1", 1), ("order-1", 2), ("käse", 1)]
    assert events[0].data == {"total": 1, "ratio": 1.0, "big": 1e16}
    assert type(events[0].data["total"]) is int
    assert events[0].metadata == {}
    assert [it.stream_id for it in streams] == ["käse", "order-1"]
    works(postgres_url, schema)


@pytest.mark.parametrize("version", [0, 3, VERSIONS[-2]])
def test_the_printed_script_does_what_an_upgrade_does(postgres_url: str, schema: str, version: int) -> None:
    if version:
        to_version(postgres_url, schema, version)
    with open_administration(f"{postgres_url}?schema={schema}") as administration:
        script = administration.migration_script()
        assert len(administration.schema_status().pending) == len([v for v in VERSIONS if v > version])
        raw(postgres_url, schema, script)
        by_script = catalog(postgres_url, schema)
        assert administration.migration_script() == ""
        assert administration.migrate() == []
        raw(postgres_url, schema, "DROP SCHEMA {schema} CASCADE")
        administration.migrate()
    assert catalog(postgres_url, schema) == by_script


WAITING = """
INSERT INTO {schema}.outbox (message_id, destination, payload, headers, stream_id, ordered, status, max_attempts, due_at, created_at)
SELECT gen_random_uuid(), 't', to_jsonb(n), '{}', name, true, status, 9, now(), now()
FROM (VALUES (1, 'stuck-1', 'waiting'), (2, 'stuck-1', 'waiting'), (3, 'held-1', 'pending'), (4, 'held-1', 'waiting'))
    AS given (n, name, status)
ORDER BY n
"""


def test_messages_that_waited_for_nobody_are_sent(postgres_url: str, schema: str) -> None:
    to_version(postgres_url, schema, 22)
    raw(postgres_url, schema, WAITING)
    to_version(postgres_url, schema, SCHEMA_VERSION)
    found = raw(postgres_url, schema, "SELECT status FROM {schema}.outbox ORDER BY position")
    assert [status for (status,) in found] == ["pending", "waiting", "pending", "waiting"]
    with PostgresEventStore(postgres_url, schema=schema, min_size=1) as store:
        for expected in ([1, 3], [2, 4]):
            claimed = store.outbox.claim("w")
            assert [message.payload for message in claimed] == expected
            assert store.outbox.settle([Verdict(message) for message in claimed]) == []


SNAPSHOTS = """
INSERT INTO {schema}.snapshots (stream_id, version, data) VALUES ('b-1', 2, '"older"'), ('c-1', 8, '8'), ('d-1', 1, 'bytes');
INSERT INTO {schema}.snapshot_details (stream_id, version, snapshot_type, is_json, data, created_at) VALUES
    ('a-1', 2, 'S', true, '2', now()), ('a-1', 3, 'S', true, '3', now()), -- the newest one was redacted away
    ('b-1', 3, 'S', true, '3', now()), -- and then an older one saved, which lost its details
    ('c-1', 8, 'S', true, NULL, NULL), ('c-1', 3, 'S', true, '3', now());
"""


def test_snapshots_that_a_redaction_left_have_a_newest_one(postgres_url: str, schema: str) -> None:
    """Up to 0023 it left none."""
    to_version(postgres_url, schema, 23)
    raw(postgres_url, schema, SNAPSHOTS)
    with PostgresEventStore(postgres_url, schema=schema, min_size=1) as store:
        store.initialize()
        newest = {it.stream_id: it.version for it in store.snapshots.list()}
        assert newest == {"a-1": 3, "b-1": 3, "c-1": 8, "d-1": 1}
        found = [store.snapshots.load(name, at_version=at) for name, at in (("a-1", 9), ("a-1", 2), ("b-1", 3))]
        assert [it and (it.data, it.snapshot_type) for it in found] == [(3, "S"), (2, "S"), (3, "S")]
        assert store.snapshots.load("b-1", at_version=2) is None
        assert [store.snapshots.delete(name) for name in newest] == [2, 1, 2, 1]


MARKS = """
INSERT INTO {schema}.streams (stream_id, category, version) VALUES ('a-1', 'a', 3), ('b-1', 'b', 3), ('c-1', 'c', 3);
INSERT INTO {schema}.stream_states (stream_id, hidden_version, purged_version) VALUES ('a-1', 2, 0), ('b-1', 0, 3), ('c-1', 0, 0);
INSERT INTO {schema}.snapshots (stream_id, version, data) VALUES ('a-1', 3, 'kept'), ('b-1', 2, 'late'), ('c-1', 2, 'kept');
INSERT INTO {schema}.snapshot_details (stream_id, version, data, created_at) VALUES
    ('a-1', 2, 'late', now()), ('a-1', 3, NULL, NULL), ('b-1', 1, 'late', now()), ('b-1', 2, NULL, NULL), ('c-1', 1, 'kept', now());
"""


def test_states_of_what_was_erased_before_are_not_taken_either(postgres_url: str, schema: str) -> None:
    to_version(postgres_url, schema, 25)
    raw(postgres_url, schema, MARKS)
    to_version(postgres_url, schema, SCHEMA_VERSION)
    with PostgresEventStore(postgres_url, schema=schema, min_size=1) as store:
        found = [
            (name, store.snapshots.load(name, at_version=at)) for name in ("a-1", "b-1", "c-1") for at in (1, 2, 3)
        ]
        assert [(name, it and it.version) for name, it in found] == [
            *(("a-1", None), ("a-1", None), ("a-1", 3)),
            *(("b-1", None), ("b-1", None), ("b-1", None)),
            *(("c-1", 1), ("c-1", 2), ("c-1", 2)),
        ]
        assert [store.snapshots.save("b-1", version, {}) for version in (3, 4)] == [False, True]
        assert [store.snapshots.save("c-1", version, {}) for version in (2, 3)] == [True, True]
    for table in ("snapshots", "snapshot_details"):
        assert raw(postgres_url, schema, f"SELECT * FROM {{schema}}.{table} WHERE data = 'late'") == []


def test_a_dump_under_way_holds_up_nobody(postgres_url: str, schema: str) -> None:
    """It reads all tables for as long as it takes: neither does the migration wait for it, nor a store behind that."""
    to_version(postgres_url, schema, VERSIONS[-2])
    with psycopg.connect(postgres_url) as dump:
        tables = raw(
            postgres_url,
            schema,
            f"SELECT relname FROM pg_class WHERE relnamespace = '{schema}'::regnamespace AND relkind = 'r'",
        )
        for (table,) in tables:
            dump.execute(f'LOCK TABLE "{schema}"."{table}" IN ACCESS SHARE MODE')
        with (
            psycopg.connect(postgres_url, options="-c statement_timeout=20s", autocommit=True) as connection,
            connection.transaction(),
        ):
            context = PostgresOptions(schema=schema).context()
            assert len(run(programs.migrate(context), partial(psycopg_sync.fetch, connection))) == 1
        with PostgresEventStore(postgres_url, schema=schema, min_size=1) as store:
            store.append("order-1", [NewEvent("Placed", {})], expected_version=0)


def test_appends_under_way_are_waited_for_and_not_deadlocked(postgres_url: str, schema: str) -> None:
    """An append comes while the migration waits for another one: it must wait behind it, with nothing locked."""
    to_version(postgres_url, schema, 12)
    raw(postgres_url, schema, FILL)
    url = f"{postgres_url}?schema={schema}"
    bump = f'UPDATE "{schema}".streams SET version = version + 1 WHERE stream_id = %s RETURNING stream_id, version'
    insert = f"""INSERT INTO "{schema}".events (stream_id, version, event_type, data) VALUES (%s, %s, 'Raw', '{{}}')"""

    def append(connection: psycopg.Connection[Any], stream: str) -> None:
        connection.execute(insert, connection.execute(bump, (stream,)).fetchone())

    def migrated() -> int:
        with open_administration(url) as administration:
            return len(administration.migrate())

    def waiting(count: int) -> None:
        with psycopg.connect(postgres_url, autocommit=True) as watch:
            end = time.monotonic() + 60
            while watch.execute("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted").fetchone() != (count,):
                assert time.monotonic() < end

    with (
        psycopg.connect(postgres_url) as first,
        psycopg.connect(postgres_url) as second,
        ThreadPoolExecutor() as threads,
    ):
        append(first, "order-1")
        migration = threads.submit(migrated)
        waiting(1)
        late = threads.submit(append, second, "käse")
        waiting(2)
        first.commit()
        late.result(60)
        second.commit()
        assert migration.result(60) == len([version for version in VERSIONS if version > 12])
    assert [it.version for it in everything(postgres_url, schema)[1]] == [2, 3]


def test_a_failing_migration_changes_nothing(postgres_url: str, schema: str) -> None:
    to_version(postgres_url, schema, 1)
    raw(postgres_url, schema, "CREATE TABLE {schema}.store (already integer)")
    before = raw(postgres_url, schema, "SELECT version FROM {schema}.schema_migrations")
    with (
        PostgresEventStore(postgres_url, schema=schema, min_size=1) as store,
        pytest.raises(Exception, match='relation "store" already exists'),
    ):
        store.initialize()
    assert raw(postgres_url, schema, "SELECT version FROM {schema}.schema_migrations") == before
