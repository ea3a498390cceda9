"""States that were read before a redaction or a purge, saved beside it and after it (PRIV-05)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from mink_core import NewEvent
from mink_core.administration import Access
from mink_core.registry import open_administration
from mink_postgres import PostgresEventStore
from mink_postgres.migrations import SCHEMA_VERSION
from tests.postgres.roles import Open, Roles
from tests.postgres.test_migrations import raw, to_version

NAME = "S\u00c9CRET"
STATEMENTS = {
    "redact": "SELECT {schema}.redact_event('a-1', 2, 'null', '{}', 'x', '')",
    "purge": "SELECT {schema}.purge_stream('a-1', 9, 'x', '')",
}
OPERATIONS: dict[str, Callable[[Any], Any]] = {
    "redact": lambda store: store.privacy.redact("a-1", 2, by="x"),
    "purge": lambda store: store.privacy.purge("a-1", by="x"),
}


@pytest.fixture
def private(postgres_url: str, schema: str) -> Iterator[PostgresEventStore]:
    with PostgresEventStore(postgres_url, schema=schema, privacy=True, min_size=1) as store:
        store.initialize()
        store.append("a-1", [NewEvent("Made", {}), NewEvent("Made", {"name": NAME})], expected_version=0)
        yield store


def at_rest(store: PostgresEventStore) -> list[Any]:
    with store.transaction() as tx:
        schema = store._context.sql.quoted
        texts = (
            f"SELECT convert_from(data, 'UTF8') FROM {schema}.snapshots UNION ALL "
            f"SELECT convert_from(data, 'UTF8') FROM {schema}.snapshot_details WHERE data IS NOT NULL"
        )
        return [text for (text,) in tx.connection.execute(texts).fetchall() if NAME in text]


@pytest.mark.parametrize("before", [None, 1, 2])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_a_saver_has_not_committed_is_waited_for(
    private: PostgresEventStore, operation: str, before: int | None
) -> None:
    if before:
        private.snapshots.save("a-1", before, {})
    with private.transaction() as tx:
        assert tx.snapshots.save("a-1", 2, {"name": NAME})
        erasing = threading.Thread(target=OPERATIONS[operation], args=(private,))
        erasing.start()
        erasing.join(0.3)
        assert erasing.is_alive()
    erasing.join(60)
    assert private.privacy.audit()[0].counts["snapshots"] == 1
    assert private.snapshots.load("a-1") is None
    assert at_rest(private) == []


@pytest.mark.parametrize("before", [None, 1, 2])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_saver_waits_for_what_is_being_erased(
    private: PostgresEventStore, session: Open, operation: str, before: int | None
) -> None:
    if before:
        private.snapshots.save("a-1", before, {})
    saved: list[bool] = []
    erasing = session()
    erasing.run(STATEMENTS[operation])
    saving = threading.Thread(target=lambda: saved.append(private.snapshots.save("a-1", 2, {"name": NAME})))
    saving.start()
    saving.join(0.3)
    assert saving.is_alive()
    erasing.commit()
    saving.join(60)
    assert saved == [False]
    assert at_rest(private) == []


@pytest.mark.parametrize("operation", OPERATIONS)
def test_who_cannot_see_the_erasure_saves_what_is_not_given_out(
    private: PostgresEventStore, postgres_url: str, operation: str
) -> None:
    with psycopg.connect(postgres_url) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        bound = private.bind(connection)
        assert [event.data for event in bound.read_stream("a-1")] == [{}, {"name": NAME}]
        OPERATIONS[operation](private)
        bound.snapshots.save("a-1", 2, {"name": NAME})
        connection.commit()
    assert private.snapshots.load("a-1") is None
    assert private.snapshots.load_with_tail("a-1").snapshot is None
    private.append("a-1", [NewEvent("Made", {})], expected_version=2)
    assert private.snapshots.load_with_tail("a-1").snapshot is None
    assert private.snapshots.save("a-1", 3, {}) is True
    assert at_rest(private) == []


def test_what_is_refused_leaves_nothing(private: PostgresEventStore) -> None:
    private.privacy.redact("a-1", 2, by="x")
    assert private.snapshots.save("a-1", 2, {"name": NAME}, keep=3) is False
    schema = private._context.sql.quoted
    with private.transaction() as tx:
        for table in ("snapshots", "snapshot_details"):
            assert tx.connection.execute(f"SELECT * FROM {schema}.{table}").fetchall() == []


def test_roles_of_the_release_before_go_on(postgres_url: str, schema: str, roles: Roles) -> None:
    """Between `migrate` and `grants`: who may read what privacy operations have done to streams may read the new table."""
    to_version(postgres_url, schema, 25)
    url = roles["writer"]
    role = conninfo_to_dict(url)["user"]
    raw(
        postgres_url,
        schema,
        f"GRANT USAGE ON SCHEMA {{schema}} TO {role}; GRANT SELECT ON ALL TABLES IN SCHEMA {{schema}} TO {role}; "
        f"GRANT INSERT, UPDATE, DELETE ON {{schema}}.snapshots, {{schema}}.snapshot_details TO {role}",
    )
    to_version(postgres_url, schema, SCHEMA_VERSION)
    with PostgresEventStore(url, schema=schema, min_size=1) as store:
        assert store.snapshots.save("a-1", 1, {}) is True
        assert store.snapshots.load("a-1") is not None
    for access in (Access.READER, Access.WRITER, Access.SUBSCRIBER):
        with open_administration(f"{postgres_url}?schema={schema}") as administration:
            administration.grant(str(role), [access])
        with PostgresEventStore(url, schema=schema, min_size=1) as store:
            assert store.snapshots.load("a-1") is not None
            assert store.snapshots.load_with_tail("a-1").snapshot is None  # ahead of its stream
