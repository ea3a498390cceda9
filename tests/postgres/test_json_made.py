"""A store is made `json` where it is in use already, is called so, or cannot be made so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from mink_core import ExpectedVersion, OutboxMessage, SchemaError, StreamAppend, open_store
from mink_core.administration import Access
from mink_core.registry import open_administration
from mink_postgres import PostgresEventStore
from mink_postgres.statements import admin_sql
from tests.postgres.test_json_columns import AS_WRITTEN, WRITTEN, append_one, made
from tests.postgres.test_migrations import raw

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.postgres.roles import Roles


def opened(url: str, schema: str, json_type: str = "json", **options: int) -> PostgresEventStore:
    return PostgresEventStore(
        url, schema=schema, min_size=1, json_type=json_type, hash_partitions=options.get("parts", 0)
    )


@pytest.fixture(params=["jsonb", "json", "MiXed"])
def named(request: pytest.FixtureRequest, postgres_url: str) -> Iterator[str]:
    yield request.param
    raw(postgres_url, request.param, "DROP SCHEMA IF EXISTS {schema} CASCADE")


def test_a_schema_may_be_called_so(postgres_url: str, named: str) -> None:
    """The functions are made by putting json for jsonb, but not in the schema's name."""
    with opened(postgres_url, named) as store:
        store.initialize()
        append_one(store)
        store.append_batch([StreamAppend("b-1", [made()], ExpectedVersion.ANY)])
        repeat = made()
        assert store.append("c-1", [repeat], expected_version=0) == store.append("c-1", [repeat], expected_version=0)
    assert raw(postgres_url, named, WRITTEN) == [AS_WRITTEN] * 4


def test_roles_that_were_there_may_call_what_is_new(postgres_url: str, schema: str, roles: Roles) -> None:
    """Also where new functions are nobody's by default."""
    role = str(conninfo_to_dict(roles["writer"])["user"])
    with psycopg.connect(postgres_url, autocommit=True) as owner:
        owner.execute("ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC")
        try:
            with opened(postgres_url, schema, "jsonb") as usual:
                usual.initialize()
            with open_administration(f"{postgres_url}?schema={schema}") as administration:
                administration.grant(role, [Access.WRITER])
            with opened(postgres_url, schema) as late:
                late.initialize()
        finally:
            owner.execute("ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO PUBLIC")
    with open_store(f"{roles['writer']}?schema={schema}&min_size=1") as store:
        append_one(store)
        store.append("a-2", [made()], expected_version=0, outbox=OutboxMessage("b", 1))
    assert raw(postgres_url, schema, WRITTEN) == [AS_WRITTEN] * 3
    withheld = (
        "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = '{schema}'::regnamespace "
        f"AND NOT has_function_privilege('{role}', oid, 'EXECUTE')"
    )
    assert raw(postgres_url, schema, withheld) == []


def test_what_was_rolled_back_is_not_believed(postgres_url: str, schema: str) -> None:
    """A store that was in use goes on as the columns are, not as they were to be."""
    with opened(postgres_url, schema, "jsonb", parts=4) as usual:
        usual.initialize()
    with opened(postgres_url, schema, parts=8) as store:
        assert store.head_position() == 0
        with pytest.raises(SchemaError, match="4 partitions, not 8"):
            store.initialize()
        append_one(store)
    assert raw(postgres_url, schema, "SELECT DISTINCT pg_typeof(data)::text FROM {schema}.events") == [("jsonb",)]


def test_a_store_without_its_table_says_so(postgres_url: str, schema: str) -> None:
    with opened(postgres_url, schema) as store:
        store.initialize()
    raw(postgres_url, schema, "DROP TABLE {schema}.events CASCADE")
    with opened(postgres_url, schema) as store, pytest.raises(SchemaError, match="missing"):
        store.append("a-1", [made()], expected_version=0)


def test_partitions_that_were_there_are_compressed_as_new_ones(postgres_url: str, schema: str) -> None:
    """With the type goes how large values are compressed, of each partition."""
    asked = (
        "SELECT attrelid::regclass::text, attname, attcompression FROM pg_attribute WHERE attname IN ('data', 'metadata') "
        "AND attrelid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = '{schema}.events'::regclass) ORDER BY 1, 2"
    )
    with opened(postgres_url, schema, "jsonb", parts=2) as usual:
        usual.initialize()
    before = raw(postgres_url, schema, asked)
    assert len(before) == 4
    with opened(postgres_url, schema, parts=2) as store:
        store.initialize()
        append_one(store)
    assert raw(postgres_url, schema, asked) == before
    assert raw(postgres_url, schema, WRITTEN) == [AS_WRITTEN] * 2


@pytest.mark.parametrize("order", ["ASC", "DESC"])
def test_a_newer_function_is_never_undone_by_the_older(postgres_url: str, schema: str, order: str) -> None:
    """In whatever order the catalog gives the two of one name."""
    with opened(postgres_url, schema) as store:
        store.initialize()
    asked = (
        "SELECT pg_get_functiondef('{schema}.append_one(text, text, bigint, uuid, text, jsonb, jsonb)'::regprocedure)"
    )
    [(of_jsonb,)] = raw(postgres_url, schema, asked)
    newer = of_jsonb.replace("BEGIN", "BEGIN -- of a later release")
    again = admin_sql("json_functions").replace(
        "        )\n    LOOP", f"        ) ORDER BY p.proargtypes {order}\n    LOOP"
    )
    assert order in again
    with psycopg.connect(postgres_url, autocommit=True) as owner:
        owner.execute(newer)
    raw(postgres_url, schema, again)
    made_anew = (
        "SELECT count(*) FROM pg_proc WHERE pronamespace = '{schema}'::regnamespace AND prosrc LIKE '%later release%'"
    )
    assert raw(postgres_url, schema, made_anew) == [(2,)]


def test_the_printed_script_makes_it_so_as_well(postgres_url: str, schema: str) -> None:
    """What `mink migrate up --sql` prints is what `mink migrate up` runs; a filled store is refused by both."""

    def script(json_type: str = "json") -> str:
        with open_administration(f"{postgres_url}?schema={schema}&json_type={json_type}") as administration:
            return administration.migration_script()

    def types() -> list[tuple[str]]:
        asked = (
            "SELECT data_type FROM information_schema.columns WHERE table_schema = '{name}' AND column_name = 'data'"
        )
        return raw(postgres_url, schema, f"{asked} AND table_name = 'events'".replace("{name}", schema))

    raw(postgres_url, schema, script())
    assert types() == [("json",)]
    assert script() == script("jsonb") == ""
    with opened(postgres_url, schema) as store:
        append_one(store)
    assert raw(postgres_url, schema, WRITTEN) == [AS_WRITTEN] * 2

    raw(postgres_url, schema, "DROP SCHEMA {schema} CASCADE")
    raw(postgres_url, schema, script("jsonb"))
    assert types() == [("jsonb",)]
    later = script()
    assert later.startswith(f'-- Mink, schema "{schema}": payloads as json\n')
    with opened(postgres_url, schema, "jsonb") as store:
        append_one(store)
        with pytest.raises(psycopg.DatabaseError, match="holds events as jsonb; nothing was changed"):
            raw(postgres_url, schema, later)
        assert types() == [("jsonb",)]
        store.append("a-1", [made()], expected_version=2)


def test_a_filled_store_is_refused_without_a_lock(postgres_url: str, schema: str) -> None:
    """A dump reads for hours: who asked for the lock would wait for it, and all others behind that."""
    with opened(postgres_url, schema, "jsonb") as usual:
        usual.initialize()
        append_one(usual)
    with psycopg.connect(postgres_url) as dump:
        dump.execute(f'LOCK TABLE "{schema}".events IN ACCESS SHARE MODE')  # type: ignore[call-overload]
        with opened(postgres_url, schema) as late, pytest.raises(SchemaError, match="holds events as jsonb"):
            late.initialize()


def test_only_the_events_are_changed(postgres_url: str, schema: str) -> None:
    """What else there is may be in use; how values are compressed stays as its owner has chosen."""
    asked = (
        "SELECT attrelid::regclass::text, attname, attcompression FROM pg_attribute WHERE attcompression <> '' AND attrelid IN "
        "(SELECT oid FROM pg_class WHERE relnamespace = '{schema}'::regnamespace AND relkind = 'r') ORDER BY 1, 2"
    )
    with opened(postgres_url, schema, "jsonb") as usual:
        usual.initialize()
    raw(postgres_url, schema, "ALTER TABLE {schema}.sagas ALTER COLUMN state SET COMPRESSION default")
    raw(postgres_url, schema, "ALTER TABLE {schema}.events ALTER COLUMN metadata SET COMPRESSION pglz")
    before = raw(postgres_url, schema, asked)
    with psycopg.connect(postgres_url) as dump:
        dump.execute(f'LOCK TABLE "{schema}".sagas IN ACCESS SHARE MODE')  # type: ignore[call-overload]
        with opened(postgres_url, schema) as late:
            late.initialize()
            append_one(late)
    assert raw(postgres_url, schema, asked) == before
