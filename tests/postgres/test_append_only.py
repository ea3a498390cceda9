"""Events are append-only in the database itself, also to the owner, but for privacy operations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from mink_core import ExpectedVersion, NewEvent, StreamAppend
from mink_core.errors import ConcurrencyError
from mink_postgres import PostgresEventStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.postgres.sessions import Session

    Open = Callable[..., Session]

REWRITES = {
    "update": "UPDATE {schema}.events SET data = '0'",
    "update of nothing": "UPDATE {schema}.events SET data = '0' WHERE false",
    "delete": "DELETE FROM {schema}.events WHERE version = 1",
    "truncate": "TRUNCATE {schema}.events",
    "truncate both": "TRUNCATE {schema}.events, {schema}.streams CASCADE",
    "upsert": (
        "INSERT INTO {schema}.events (stream_id, version, event_type, data) VALUES ('a-1', 1, 'X', '0') "
        "ON CONFLICT (stream_id, version) DO UPDATE SET data = '0'"
    ),
    "merge": (
        "MERGE INTO {schema}.events AS e USING (SELECT 1) AS s ON e.version = 1 WHEN MATCHED THEN UPDATE SET data = '0'"
    ),
    "a stream's row": "DELETE FROM {schema}.streams WHERE stream_id = 'a-1'",
}


@pytest.fixture
def filled(store: PostgresEventStore) -> Iterator[PostgresEventStore]:
    store.append("a-1", [NewEvent("Made", {"n": 1}), NewEvent("Made", {"n": 2})], expected_version=0)
    before = list(store.read_all())
    yield store
    assert list(store.read_all()) == before
    assert store.check() == []


@pytest.mark.parametrize("rewrite", REWRITES.values(), ids=list(REWRITES))
def test_the_owner_cannot_rewrite_by_accident(filled: PostgresEventStore, session: Open, rewrite: str) -> None:
    opened = session()
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match=r"append-only|has events"):
        opened.run(rewrite)


@pytest.mark.parametrize("rewrite", REWRITES.values(), ids=list(REWRITES))
def test_a_superuser_in_replica_role_cannot_either(
    filled: PostgresEventStore, session: Open, admin_in_test_database: str, rewrite: str
) -> None:
    opened = session(admin_in_test_database)
    opened.run("SET session_replication_role = replica")
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
        opened.run(rewrite)


def test_the_switch_lasts_to_the_end_of_its_transaction(filled: PostgresEventStore, session: Open) -> None:
    opened = session()
    opened.run("SELECT {schema}.allow_rewriting()")
    for rewrite in REWRITES.values():
        opened.run("SAVEPOINT before")
        opened.run(rewrite)
        opened.run("ROLLBACK TO before")
    opened.run("UPDATE {schema}.events SET data = data")
    opened.commit()
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
        opened.run(REWRITES["update"])


def test_a_switch_in_a_savepoint_goes_with_it(filled: PostgresEventStore, session: Open) -> None:
    opened = session()
    opened.run("SAVEPOINT before")
    opened.run("SELECT {schema}.allow_rewriting()")
    opened.run("ROLLBACK TO before")
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
        opened.run(REWRITES["delete"])


@pytest.mark.parametrize("value", ["on", "1", ""])
def test_a_stray_setting_does_not_switch_it(filled: PostgresEventStore, session: Open, value: str) -> None:
    opened = session()
    table = opened.value("SELECT '{schema}.events'::regclass::oid")
    opened.run(f"SET mink.rewriting_{table} = '{value}'")
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
        opened.run(REWRITES["delete"])


def test_the_switch_is_for_its_own_schema(
    filled: PostgresEventStore, session: Open, postgres_url: str, schema: str
) -> None:
    other = f"{schema}_other"
    opened = session()
    try:
        with PostgresEventStore(postgres_url, schema=other, min_size=1) as beside:
            beside.initialize()
        opened.run(f'SELECT "{other}".allow_rewriting()')
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
            opened.run(REWRITES["delete"])
        opened.rollback()
    finally:
        opened.run(f'DROP SCHEMA "{other}" CASCADE')
        opened.commit()


def test_check_tells_where_the_guard_is_gone(store: PostgresEventStore, session: Open) -> None:
    opened = session()
    opened.run("ALTER TABLE {schema}.events ENABLE TRIGGER events_append_only")
    opened.commit()
    assert [(it.kind, it.subject) for it in store.check()] == [("append-only", "events")]


def test_a_refused_batch_still_takes_back_the_streams_it_made(store: PostgresEventStore) -> None:
    store.append("a-1", [NewEvent("Made", {})], expected_version=0)
    with pytest.raises(ConcurrencyError):
        store.append_batch(
            [
                StreamAppend("b-1", [NewEvent("Made", {})], ExpectedVersion.NO_STREAM),
                StreamAppend("a-1", [NewEvent("Made", {})], ExpectedVersion.NO_STREAM),
            ]
        )
    assert [it.stream_id for it in store.streams()] == ["a-1"]
    store.append("b-1", [NewEvent("Made", {})], expected_version=ExpectedVersion.NO_STREAM)
