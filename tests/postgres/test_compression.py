"""What is too large for its row is compressed by lz4 in a new store, and as it was in one that is in use."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from mink_core import ExpectedVersion, NewEvent, OutboxMessage
from mink_core.registry import open_administration
from mink_postgres import PostgresEventStore
from tests.postgres.test_migrations import raw, to_version

if TYPE_CHECKING:
    from collections.abc import Callable

COLUMNS = """
    SELECT a.attrelid::regclass::text || '.' || a.attname FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
    WHERE c.relnamespace = '{schema}'::regnamespace AND c.relkind IN ('r', 'p') AND a.attcompression = 'l' ORDER BY 1
"""
KEPT = [
    "events.data",
    "events.metadata",
    "idempotency.metadata",
    "idempotency.response",
    "outbox.headers",
    "outbox.payload",
    "sagas.state",
    "snapshot_details.data",
    "snapshots.data",
]
LETTERS = random.Random(1).choices("etaoinshrdlu ", k=16_000)


@pytest.fixture(autouse=True)
def _with_lz4(postgres_url: str) -> None:
    asked = "SELECT 'lz4' = ANY (enumvals) FROM pg_settings WHERE name = 'default_toast_compression'"
    if raw(postgres_url, "", asked) == [(False,)]:
        pytest.skip("the server was built without lz4")


@pytest.fixture
def compressed(postgres_url: str, schema: str) -> Callable[[], list[str]]:
    return lambda: [name.split(".", 1)[1] for (name,) in raw(postgres_url, schema, COLUMNS)]


def test_a_new_store_compresses_by_lz4(
    postgres_url: str, schema: str, store: PostgresEventStore, compressed: Callable[[], list[str]]
) -> None:
    assert compressed() == KEPT
    large = {"text": "".join(LETTERS)}
    store.append(
        "a-1", [NewEvent("Made", large)], expected_version=ExpectedVersion.ANY, outbox=[OutboxMessage("b", large)]
    )
    store.snapshots.save("a-1", 1, large)
    for column in ("events.data", "outbox.payload", "snapshots.data"):
        table, _, name = column.partition(".")
        asked = f"SELECT pg_column_compression({name}) FROM {{schema}}.{table}"
        assert raw(postgres_url, schema, asked) == [("lz4",)], column
    assert next(store.read_all()).data == large


@pytest.mark.parametrize("later", [False, True], ids=["from the start", "moved"])
def test_partitions_compress_as_the_table_did(
    postgres_url: str, schema: str, later: bool, compressed: Callable[[], list[str]]
) -> None:
    with PostgresEventStore(postgres_url, schema=schema, min_size=1, hash_partitions=0 if later else 3) as store:
        store.initialize()
        store.append("a-1", [NewEvent("Made", {})], expected_version=ExpectedVersion.ANY)
    if later:
        with open_administration(f"{postgres_url}?schema={schema}") as administration:
            administration.partition(3)
    parts = [f"events_p{number}.{column}" for number in range(3) for column in ("data", "metadata")]
    assert compressed() == sorted([*KEPT, *parts])


def test_tables_in_use_are_left_as_they_are(
    postgres_url: str, schema: str, compressed: Callable[[], list[str]]
) -> None:
    """To change them would wait for a dump, and everybody else behind it."""
    to_version(postgres_url, schema, 3)
    raw(postgres_url, schema, "ALTER TABLE {schema}.events ALTER COLUMN data SET COMPRESSION default")
    before = compressed()
    assert "events.data" not in before
    with open_administration(f"{postgres_url}?schema={schema}") as administration:
        assert administration.migrate()
    assert compressed() == before


def test_what_an_owner_has_chosen_is_kept(postgres_url: str, schema: str, compressed: Callable[[], list[str]]) -> None:
    raw(
        postgres_url,
        schema,
        "CREATE SCHEMA {schema}; CREATE TABLE {schema}.snapshots (stream_id VARCHAR(500) PRIMARY KEY, "
        "version BIGINT NOT NULL, data BYTEA NOT NULL, created_at TIMESTAMPTZ NOT NULL DEFAULT NOW()); "
        "ALTER TABLE {schema}.snapshots ALTER COLUMN data SET COMPRESSION pglz; "
        "CREATE TABLE {schema}.of_others (data jsonb)",
    )
    with open_administration(f"{postgres_url}?schema={schema}") as administration:
        administration.migrate()
    assert compressed() == [name for name in KEPT if name != "snapshots.data"]
