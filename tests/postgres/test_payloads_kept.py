"""What a store has beside its events stays when its payloads become another type: the schema, privileges, compression."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from mink_core import NewEvent
from mink_core.administration import Access
from mink_core.registry import open_administration
from mink_postgres import PostgresEventStore
from tests.postgres.changing import WAYS, changed, filled, opened
from tests.postgres.test_migrations import catalog, raw


@pytest.mark.parametrize("options", [{}, {"hash_partitions": 2}, {"unique_event_ids": True}])
def test_there_and_back_it_is_the_same_schema(postgres_url: str, schema: str, options: dict[str, Any]) -> None:
    """But for the functions that take json, which stores that were open go on calling."""
    with opened(postgres_url, schema, **options) as store:
        filled(store, 2)
    made = catalog(postgres_url, schema)
    changed(postgres_url, schema, "json")
    between = catalog(postgres_url, schema)
    changed(postgres_url, schema, "jsonb")
    back = catalog(postgres_url, schema)
    assert between != made
    functions = 3
    left = set(back[functions]) - set(made[functions])
    assert {text for (text,) in left} == {text for (text,) in between[functions] if "p_data json" in text} - {
        text for (text,) in made[functions]
    }
    assert len(left) == 4
    back[functions] = [it for it in back[functions] if it not in left]
    assert back == made
    assert changed(postgres_url, schema, "json").copied == 20
    again = catalog(postgres_url, schema)
    assert again == between


@pytest.mark.parametrize("by_owner", [True, False], ids=["by the owner", "by a superuser"])
def test_privileges_go_along(postgres_url: str, admin_in_test_database: str, schema: str, by_owner: bool) -> None:
    """Also to functions, which here are nobody's by default, as in databases that revoke them from PUBLIC."""
    role = f"writer_of_{schema}"
    place = conninfo_to_dict(admin_in_test_database)
    login = ":".join(quote(str(place[key]), safe="") for key in ("user", "password") if place.get(key))
    superuser = f"postgresql://{login}@{quote(str(place['host']), safe='')}:{place['port']}/{place['dbname']}"
    with psycopg.connect(admin_in_test_database, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'plain'")
    try:
        with psycopg.connect(postgres_url, autocommit=True) as owner:
            owner.execute("ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC")
        with opened(postgres_url, schema, json_type="jsonb") as store:
            filled(store, 1)
        with open_administration(f"{postgres_url}?schema={schema}") as administration:
            administration.grant(role, [Access.WRITER])
        theirs = psycopg.conninfo.make_conninfo(postgres_url, user=role)
        for number, json_type in enumerate(("json", "jsonb")):
            # What a superuser makes is the owner's all the same.
            changed(postgres_url if by_owner else superuser, schema, json_type)
            with psycopg.connect(theirs) as writer, PostgresEventStore(connection=writer, schema=schema) as store:
                store.ping()
                store.append("s-1", [NewEvent("Made", 2)], expected_version=number)
                writer.commit()
                for statement in (
                    f"INSERT INTO \"{schema}\".events (global_position, stream_id, version) VALUES (99, 's-9', 1)",
                    f"UPDATE \"{schema}\".events SET data = '2'",
                ):
                    with pytest.raises(psycopg.errors.InsufficientPrivilege):
                        writer.execute(statement)
                    writer.rollback()
        owners = raw(
            postgres_url, schema, "SELECT DISTINCT proowner FROM pg_proc WHERE pronamespace = '{schema}'::regnamespace"
        )
        assert len(owners) == 1
    finally:
        with psycopg.connect(postgres_url, autocommit=True) as owner:
            owner.execute("ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO PUBLIC")
        with psycopg.connect(admin_in_test_database, autocommit=True) as admin:
            admin.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


@pytest.mark.parametrize("partitions", [0, 2])
@pytest.mark.parametrize(("before", "after"), WAYS, ids=["to json", "to jsonb"])
def test_how_large_values_are_kept_stays(
    postgres_url: str, schema: str, before: str, after: str, partitions: int
) -> None:
    with opened(postgres_url, schema, json_type=before, hash_partitions=partitions) as store:
        filled(store, 2)
    if partitions:
        raw(postgres_url, schema, "ALTER TABLE {schema}.events ALTER COLUMN metadata SET STORAGE EXTERNAL")
    else:
        raw(postgres_url, schema, "ALTER TABLE {schema}.events ALTER COLUMN metadata SET COMPRESSION pglz")
    asked = (
        "SELECT c.relname, a.attname, a.attcompression, a.attstorage FROM pg_attribute AS a JOIN pg_class AS c "
        "ON c.oid = a.attrelid WHERE c.relnamespace = '{schema}'::regnamespace AND c.relkind IN ('r', 'p') "
        "AND c.relname LIKE 'events%' AND a.attname IN ('data', 'metadata') ORDER BY 1, 2"
    )
    made = raw(postgres_url, schema, asked)
    changed(postgres_url, schema, after)
    assert raw(postgres_url, schema, asked) == made
