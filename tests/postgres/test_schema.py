"""The schema: as decided, versioned, safe to create from anywhere (LIFE-02)."""

from __future__ import annotations

import subprocess
import sys
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING

import psycopg
import pytest

from mink_core import ExpectedVersion, NewEvent, SchemaError, StorageError, UsageError, open_store
from mink_core.administration import Level
from mink_core.registry import open_administration
from mink_postgres import PostgresEventStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.postgres.sessions import Session

EVENTS = [
    ("global_position", "bigint", None, "NO"),
    ("stream_id", "character varying", 500, "NO"),
    ("version", "bigint", None, "NO"),
    ("event_id", "uuid", None, "NO"),
    ("event_type", "character varying", 500, "NO"),
    ("data", "jsonb", None, "NO"),
    ("metadata", "jsonb", None, "YES"),
    ("timestamp", "timestamp with time zone", None, "NO"),
]
STREAMS = [
    ("id", "bigint", None, "NO"),
    ("stream_id", "character varying", 500, "NO"),
    ("category", "character varying", 250, "NO"),
    ("version", "bigint", None, "NO"),
    ("created_at", "timestamp with time zone", None, "NO"),
    ("updated_at", "timestamp with time zone", None, "NO"),
]


def columns(session: Session, table: str) -> list[tuple[object, ...]]:
    return list(
        session.run(
            "SELECT column_name, data_type, character_maximum_length, is_nullable FROM information_schema.columns "
            "WHERE table_schema = %s AND table_name = %s ORDER BY ordinal_position",
            session.schema,
            table,
        ).fetchall()
    )


def test_the_tables_are_as_decided(store: PostgresEventStore, session: Callable[..., Session]) -> None:
    opened = session()
    assert columns(opened, "events") == EVENTS
    assert columns(opened, "streams") == STREAMS
    assert columns(opened, "snapshots")
    assert columns(opened, "checkpoints")
    indexes = {
        row[0].split(" USING btree ")[1]
        for row in opened.run("SELECT indexdef FROM pg_indexes WHERE schemaname = %s", opened.schema)
    }
    assert {"(category)", "(stream_id, version)", "(event_type)", '("timestamp")', "(global_position)"} <= indexes


def test_initialize_again_changes_nothing(store: PostgresEventStore) -> None:
    store.append("a-1", [NewEvent("Made", {})], expected_version=ExpectedVersion.NO_STREAM)
    identity = store.identity()
    store.initialize()
    assert store.identity() == identity
    assert store.head_position() == 1


def test_many_processes_may_initialize_at_once(postgres_url: str, schema: str) -> None:
    code = (
        "import sys; from mink_postgres import PostgresEventStore\n"
        "with PostgresEventStore(sys.argv[1], schema=sys.argv[2], min_size=1) as s: s.initialize(); print(s.identity())"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", code, postgres_url, schema], stdout=subprocess.PIPE, text=True)
        for _ in range(6)
    ]
    printed = [process.communicate(timeout=60)[0] for process in started]
    assert [process.returncode for process in started] == [0] * 6
    assert len(set(printed)) == 1


def test_not_initialized_says_what_to_run(postgres_url: str, schema: str) -> None:
    with (
        PostgresEventStore(postgres_url, schema=schema, min_size=1) as store,
        pytest.raises(SchemaError, match="mink init"),
    ):
        store.poll(0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("INSERT INTO {schema}.schema_migrations VALUES (999, 'later', 'x')", "upgrade mink-eventstore"),
        ("DELETE FROM {schema}.schema_migrations WHERE version > 1", "mink init"),
        ("DELETE FROM {schema}.schema_migrations WHERE version = 3", "lacks 0003_append, which"),
    ],
)
def test_another_version_is_refused(
    postgres_url: str, schema: str, store: PostgresEventStore, session: Callable[..., Session], change: str, said: str
) -> None:
    opened = session()
    opened.run(change)
    opened.commit()
    with PostgresEventStore(postgres_url, schema=schema, min_size=1) as other, pytest.raises(SchemaError, match=said):
        other.append("a-1", [NewEvent("Made", {})], expected_version=0)


def test_a_newer_schema_is_not_touched(
    postgres_url: str, schema: str, store: PostgresEventStore, session: Callable[..., Session]
) -> None:
    opened = session()
    opened.run("INSERT INTO {schema}.schema_migrations VALUES (999, 'later', 'x')")
    opened.commit()
    with pytest.raises(SchemaError, match="newer"):
        store.initialize()


def test_a_changed_migration_is_noticed(store: PostgresEventStore, session: Callable[..., Session]) -> None:
    opened = session()
    opened.run("UPDATE {schema}.schema_migrations SET checksum = 'x' WHERE version = 2")
    opened.commit()
    with pytest.raises(SchemaError, match="0002_fence"):
        store.initialize()


@pytest.mark.parametrize("name", ["a b", 'x"; DROP SCHEMA public; --', "", "1a", "a" * 64, "é", "mink;"])
def test_a_hostile_schema_name_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="schema's name"):
        PostgresEventStore("postgresql://nowhere", schema=name)


def test_options_in_the_url(postgres_url: str, schema: str) -> None:
    with open_store(f"{postgres_url}?schema={schema}&min_size=1&max_size=2&unique_event_ids=true") as store:
        store.initialize()
        assert store.capabilities
    for wrong in ("min_size=x", "unique_event_ids=maybe"):
        with pytest.raises(UsageError):
            open_store(f"{postgres_url}?{wrong}")


def test_unique_event_ids_must_agree_with_the_schema(postgres_url: str, schema: str, store: PostgresEventStore) -> None:
    event = NewEvent("Made", {})
    store.append("a-1", [event], expected_version=0)
    store.append("b-1", [event], expected_version=0)
    with PostgresEventStore(postgres_url, schema=schema, unique_event_ids=True, min_size=1) as unique:
        with pytest.raises(SchemaError, match="unique_event_ids is on"):
            unique.poll(0)
        with pytest.raises(SchemaError, match=str(event.event_id)):
            unique.initialize()
    with psycopg.connect(postgres_url, autocommit=True) as owner:
        owner.execute(f'SELECT "{schema}".allow_rewriting(); TRUNCATE "{schema}".events, "{schema}".streams')
    with PostgresEventStore(postgres_url, schema=schema, unique_event_ids=True, min_size=1) as unique:
        unique.initialize()
    with (
        PostgresEventStore(postgres_url, schema=schema, min_size=1) as plain,
        pytest.raises(SchemaError, match="as well"),
    ):
        plain.poll(0)


NOT_UNIQUE = {
    "failed": "CREATE UNIQUE INDEX CONCURRENTLY idx_events_event_id ON {events} (event_id)",
    "plain": "CREATE INDEX idx_events_event_id ON {events} (event_id)",
    "partial": "CREATE UNIQUE INDEX idx_events_event_id ON {events} (event_id) WHERE version > 1",
    "of more": "CREATE UNIQUE INDEX idx_events_event_id ON {events} (event_id, stream_id)",
    "of another": "CREATE UNIQUE INDEX idx_events_event_id ON {events} (global_position)",
}


@pytest.mark.parametrize("kind", NOT_UNIQUE)
def test_an_index_that_keeps_nothing_unique_is_none(
    postgres_url: str, schema: str, store: PostgresEventStore, kind: str
) -> None:
    """As one whose building was broken off leaves it, or one that is being built: no reason to refuse other stores."""
    event = NewEvent("Made", {})
    index = f'"{schema}".idx_events_event_id'
    for name in ("a-1", "b-1"):
        store.append(name, [event], expected_version=0)
    with psycopg.connect(postgres_url, autocommit=True) as owner:
        with suppress(psycopg.errors.UniqueViolation) if kind == "failed" else nullcontext():
            owner.execute(NOT_UNIQUE[kind].format(events=f'"{schema}".events').encode())
        with PostgresEventStore(postgres_url, schema=schema, unique_event_ids=True, min_size=1) as unique:
            with pytest.raises(SchemaError, match="unique_event_ids is on"):
                unique.poll(0)
            with pytest.raises(SchemaError, match="keeps no event id unique"):
                unique.initialize()
        with PostgresEventStore(postgres_url, schema=schema, min_size=1) as plain:
            assert [it.stream_id for it in plain.poll(0).events] == ["a-1", "b-1"]
        owner.execute(
            f'DROP INDEX {index}; SELECT "{schema}".allow_rewriting(); TRUNCATE "{schema}".events, "{schema}".streams'
        )
    with PostgresEventStore(postgres_url, schema=schema, unique_event_ids=True, min_size=1) as unique:
        unique.initialize()
        assert unique.poll(0).events == []


@pytest.mark.usefixtures("store")
def test_nor_is_one_that_is_checked_at_the_commit(postgres_url: str, schema: str) -> None:
    """A transaction's append has told its caller by then that it is well."""
    with psycopg.connect(postgres_url, autocommit=True) as owner:
        owner.execute(
            f'ALTER TABLE "{schema}".events ADD CONSTRAINT idx_events_event_id UNIQUE (event_id) '
            "DEFERRABLE INITIALLY DEFERRED"
        )
    with (
        PostgresEventStore(postgres_url, schema=schema, unique_event_ids=True, min_size=1) as unique,
        pytest.raises(SchemaError, match="keeps no event id unique"),
    ):
        unique.initialize()


def test_a_sequence_behind_the_events_is_refused(postgres_url: str, schema: str, store: PostgresEventStore) -> None:
    """As logical replication leaves it, which moves no sequence: a hole would be filled that readers have gone past."""
    for name in ("a-1", "b-1"):
        store.append(name, [NewEvent("Made", {})], expected_version=0)
    with psycopg.connect(postgres_url, autocommit=True) as owner:
        owner.execute(f"SELECT setval('\"{schema}\".events_global_position_seq', 1)")
        with PostgresEventStore(postgres_url, schema=schema, min_size=1) as moved:
            with pytest.raises(SchemaError, match="is at 1, behind the newest event's 2") as refused:
                moved.append("c-1", [NewEvent("Made", {})], expected_version=0)
            with pytest.raises(SchemaError, match="is at 1"):
                moved.initialize()
        with open_administration(f"{postgres_url}?schema={schema}") as administration:
            assert [it.level for it in administration.diagnose() if "is at 1" in it.finding] == [Level.CRITICAL]
        with pytest.raises(StorageError, match="the sequence of positions is behind"):  # one that was open before
            store.append("c-1", [NewEvent("Made", {})], expected_version=0)
        owner.execute(str(refused.value).partition("changed: ")[2].encode())
    with PostgresEventStore(postgres_url, schema=schema, min_size=1) as moved:
        assert moved.append("c-1", [NewEvent("Made", {})], expected_version=0).first_position == 3


def test_no_secret_in_an_error() -> None:
    store = PostgresEventStore("postgresql://user:hunter2@127.0.0.1:1/none", min_size=1)
    with pytest.raises(Exception, match="no connection to PostgreSQL") as failed, store:
        pass
    assert "hunter2" not in str(failed.value) + repr(store) + repr(failed.value)
