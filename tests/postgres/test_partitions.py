"""Events in partitions by stream: made new, refused where they cannot be, guarded everywhere."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import psycopg
import pytest

from mink_core import Capability, ExpectedVersion, NewEvent, SchemaError, UsageError
from mink_core.administration import Level
from mink_core.registry import open_administration
from mink_postgres import PostgresEventStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.postgres.sessions import Session

ANY = ExpectedVersion.ANY


@pytest.fixture
def parted(postgres_url: str, schema: str) -> Iterator[PostgresEventStore]:
    with PostgresEventStore(postgres_url, schema=schema, min_size=1, hash_partitions=4) as store:
        store.initialize()
        yield store


def columns(connection: psycopg.Connection[Any], schema: str) -> list[Any]:
    return connection.execute(
        "SELECT column_name, data_type, character_maximum_length, is_nullable, column_default FROM "
        "information_schema.columns WHERE table_schema = %s AND table_name = 'events' ORDER BY ordinal_position",
        (schema,),
    ).fetchall()


def constraints(connection: psycopg.Connection[Any], schema: str) -> list[Any]:
    return connection.execute(
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass "
        "AND contype IN ('p', 'u') ORDER BY 1",
        (f"{schema}.events",),
    ).fetchall()


def test_a_new_store_has_partitions_and_the_same_columns(
    postgres_url: str, schema: str, parted: PostgresEventStore
) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        assert constraints(connection, schema) == [
            ("events_pkey", "PRIMARY KEY (global_position, stream_id)"),
            ("events_stream_id_version_key", "UNIQUE (stream_id, version)"),
        ]
        made = columns(connection, schema)
        with PostgresEventStore(postgres_url, schema=f"{schema}_plain", min_size=1) as plain:
            plain.initialize()
        expected = [
            (*row[:4], row[4] and row[4].replace("_plain", "")) for row in columns(connection, f"{schema}_plain")
        ]
        connection.execute(f'DROP SCHEMA "{schema}_plain" CASCADE')
    assert made == expected
    parted.initialize()  # idempotent
    for number in range(20):
        parted.append(f"s-{number}", [NewEvent("Made", number)] * 1, expected_version=ExpectedVersion.NO_STREAM)
    assert [event.data for event in parted.read_all()] == list(range(20))
    with psycopg.connect(postgres_url) as connection:
        used = connection.execute(f'SELECT count(DISTINCT tableoid) FROM "{schema}".events').fetchone()
    assert used == (4,)
    assert parted.check() == []


def test_what_cannot_be_is_refused(postgres_url: str, schema: str, store: PostgresEventStore) -> None:
    with pytest.raises(UsageError, match="unique_event_ids"):
        PostgresEventStore(postgres_url, hash_partitions=4, unique_event_ids=True)
    for wrong in (1, -1, 1025):
        with pytest.raises(UsageError, match="partitions"):
            PostgresEventStore(postgres_url, hash_partitions=wrong)
    store.append("s-1", [NewEvent("Made", 1)], expected_version=ANY)
    with (
        PostgresEventStore(postgres_url, schema=schema, hash_partitions=4) as late,
        pytest.raises(SchemaError, match="mink partition 4"),
    ):
        late.initialize()
    assert [event.data for event in store.read_all()] == [1]


def test_unique_ids_and_other_numbers_are_refused_on_partitions(
    postgres_url: str, schema: str, parted: PostgresEventStore
) -> None:
    assert Capability.UNIQUE_EVENT_IDS not in parted.capabilities
    with (
        PostgresEventStore(postgres_url, schema=schema, unique_event_ids=True) as unique,
        pytest.raises(SchemaError, match="partitions by stream"),
    ):
        unique.initialize()
    with (
        PostgresEventStore(postgres_url, schema=schema, hash_partitions=8) as other,
        pytest.raises(SchemaError, match="4 partitions, not 8"),
    ):
        other.initialize()


def test_every_partition_is_guarded(postgres_url: str, schema: str, parted: PostgresEventStore) -> None:
    parted.append("s-1", [NewEvent("Made", 1)], expected_version=ANY)
    with psycopg.connect(postgres_url) as connection:
        parts = [f'"{schema}".events', *(f'"{schema}".events_p{number}' for number in range(4))]
        for part in parts:
            for statement in (f"UPDATE {part} SET data = '2'", f"DELETE FROM {part}", f"TRUNCATE {part}"):
                with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
                    connection.execute(statement)
                connection.rollback()
    assert [event.data for event in parted.read_all()] == [1]


def test_an_insert_straight_into_a_partition_holds_the_feed_back(
    postgres_url: str, schema: str, parted: PostgresEventStore
) -> None:
    with psycopg.connect(postgres_url) as open_one:
        row = open_one.execute(
            f"SELECT satisfies_hash_partition('\"{schema}\".events'::regclass, 4, 0, 'raw-1'::varchar)"
        )
        part = 0 if row.fetchone() == (True,) else None
        for number in range(4) if part is None else [part]:
            try:
                open_one.execute(
                    f'INSERT INTO "{schema}".events_p{number} (stream_id, version, event_type, data) '
                    "VALUES ('raw-1', 1, 'Raw', '1')"
                )
                break
            except psycopg.errors.CheckViolation:
                open_one.rollback()
        parted.append("s-1", [NewEvent("Made", 2)], expected_version=ANY)
        assert parted.poll(0).events == []  # it would be skipped else
        assert len(parted.feed_status().holders) == 1
        open_one.commit()
    assert [event.data for event in parted.poll(0).events] == [1, 2]


@pytest.mark.usefixtures("durable")
def test_a_partition_that_is_attached_later_is_guarded_or_refuses(
    postgres_url: str, schema: str, parted: PostgresEventStore
) -> None:
    """Its statement triggers are missing, which check tells; until then nothing gets in or is rewritten unfenced."""
    parted.append("s-1", [NewEvent("Made", 1)], expected_version=ANY)
    with psycopg.connect(postgres_url, autocommit=True) as owner:
        owner.execute(f'ALTER TABLE "{schema}".events DETACH PARTITION "{schema}".events_p0')
        owner.execute(
            f'CREATE TABLE "{schema}".later PARTITION OF "{schema}".events FOR VALUES WITH (MODULUS 4, REMAINDER 0)'
        )
        assert {(finding.subject, finding.kind) for finding in parted.check() if finding.kind != "stream"} == {
            ("later", "fence"),
            ("later", "append-only"),
        }
        for name in (f"raw-{number}" for number in range(100)):
            found = owner.execute(
                "SELECT satisfies_hash_partition(%s::regclass, 4, 0, %s::varchar)", (f'"{schema}".events', name)
            ).fetchone()
            if found == (True,):
                break
        straight = (
            f"INSERT INTO \"{schema}\".later (stream_id, version, event_type, data) VALUES ('{name}', 1, 'Raw', '1')"
        )
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="past the guards"):
            owner.execute(straight)
        parted.append(name, [NewEvent("Made", 2)], expected_version=ANY)  # through events it gets there
        for statement in (f"UPDATE \"{schema}\".later SET data = '3'", f'DELETE FROM "{schema}".later'):
            with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="past the guards"):
                owner.execute(statement)
    with open_administration(f"{postgres_url}?schema={schema}") as administration:
        critical = [it for it in administration.diagnose() if it.level is Level.CRITICAL]
        assert {(it.subject, it.figures["table"]) for it in critical} == {("fence", "later"), ("append-only", "later")}
        with psycopg.connect(postgres_url, autocommit=True) as owner:
            for it in critical:
                owner.execute(it.advice)  # type: ignore[arg-type]
        assert [it for it in administration.diagnose() if it.level is Level.CRITICAL] == []
    assert [it for it in parted.check() if it.kind != "stream"] == []


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
def test_what_was_appended_while_the_lock_was_waited_for_is_seen(
    postgres_url: str, schema: str, session: Callable[..., Session], isolation: str
) -> None:
    """Also where the database's own isolation shows a transaction only what was there at its start."""
    with PostgresEventStore(postgres_url, schema=schema, min_size=1) as plain:
        plain.initialize()
    options = quote(f"-c default_transaction_isolation={isolation.replace(' ', chr(92) + ' ')}")
    late = session()
    late.run("INSERT INTO {schema}.streams (stream_id, category) VALUES ('s-1', 's')")
    late.append("s-1")
    with (
        ThreadPoolExecutor() as pool,
        PostgresEventStore(f"{postgres_url}?options={options}", schema=schema, min_size=1, hash_partitions=4) as store,
    ):
        waiting = pool.submit(store.initialize)
        with psycopg.connect(postgres_url, autocommit=True) as looking:
            waits = "SELECT FROM pg_locks WHERE relation = %s::regclass AND NOT granted"
            while not looking.execute(waits, (f'"{schema}".events',)).fetchall():
                assert not waiting.done()
                time.sleep(0.01)
        late.commit()
        with pytest.raises(SchemaError, match="holds events in one table; nothing was changed"):
            waiting.result()
    with PostgresEventStore(postgres_url, schema=schema, min_size=1) as plain:
        assert [it.stream_id for it in plain.read_all()] == ["s-1"]
