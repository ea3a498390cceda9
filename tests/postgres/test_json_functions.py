"""What appends to json columns is what appends to jsonb, but for the type, and stays so with later migrations."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from mink_core.registry import open_administration
from mink_postgres import PostgresEventStore
from mink_postgres.migrations import Migration, raw_migrations
from tests.postgres.test_json_columns import AS_WRITTEN, WRITTEN, append_one
from tests.postgres.test_migrations import raw

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def json_store(postgres_url: str, schema: str) -> Iterator[PostgresEventStore]:
    with PostgresEventStore(postgres_url, schema=schema, min_size=1, json_type="json") as opened:
        opened.initialize()
        yield opened


def test_a_later_migration_is_followed(
    postgres_url: str, schema: str, json_store: PostgresEventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it makes for jsonb is made for json as well, and those who may append still may."""
    of_one = next(step.sql for step in raw_migrations() if step.name.startswith("0013"))
    made_anew = "CREATE OR REPLACE" + of_one[of_one.index("CREATE FUNCTION") + len("CREATE") :]
    later = Migration(99, "0099_later", made_anew.replace("BEGIN", "BEGIN -- of a later release"))
    monkeypatch.setattr("mink_postgres.programs.schema.raw_migrations", lambda: (*raw_migrations(), later))
    monkeypatch.setattr("mink_postgres.migrations.raw_migrations", lambda: (*KNOWN, later))
    asked = (
        "SELECT count(*) FROM pg_proc WHERE pronamespace = '{schema}'::regnamespace AND prosrc LIKE '%later release%'"
    )
    assert raw(postgres_url, schema, asked) == [(0,)]
    with open_administration(f"{postgres_url}?schema={schema}") as administration:
        assert administration.migrate() == ["0099_later"]
    assert raw(postgres_url, schema, asked) == [(2,)]
    append_one(json_store)
    assert raw(postgres_url, schema, WRITTEN) == [AS_WRITTEN] * 2


KNOWN = raw_migrations()


def test_the_same_functions_but_for_the_type(postgres_url: str, schema: str, json_store: PostgresEventStore) -> None:
    """So that nothing of a function is jsonb that stores json, and nothing else is changed."""
    json_store.ping()
    asked = (
        "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = '{schema}'::regnamespace "
        "AND proname <> 'find_repeat' ORDER BY 1"
    )
    made = [text for (text,) in raw(postgres_url, schema, asked)]
    plain = f"{schema}_plain"
    with PostgresEventStore(postgres_url, schema=plain, min_size=1) as usual:
        usual.initialize()
    expected = [text.replace(plain, schema) for (text,) in raw(postgres_url, plain, asked)]
    raw(postgres_url, plain, "DROP SCHEMA {schema} CASCADE")
    changed = sorted(set(made) - set(expected))
    assert len(changed) == 7
    of_jsonb = {re.sub(r"\bjsonb\b", "json", text) for text in expected}
    assert set(changed) <= of_jsonb
    assert not any("jsonb" in text for text in changed)
    # Those that take jsonb stay; those whose arguments are the same are replaced.
    assert len(set(expected) - set(made)) == 3
