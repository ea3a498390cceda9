"""Granting: the printed script is what is applied, to all that is the store's alone, and bad names are refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from mink_core import NewEvent, StorageError, UsageError, open_store
from mink_core.administration import Access
from mink_core.errors import SchemaError
from mink_core.registry import open_administration
from mink_postgres import PostgresEventStore
from mink_postgres.programs.grants import TABLES
from tests.postgres.roles import HOSTILE, RAW_INSERT, Open, Roles, admin_in_test_database_url, as_session
from tests.postgres.test_migrations import raw, to_version


def test_the_printed_script_is_what_is_applied(
    granted: Callable[..., str], session: Open, postgres_url: str, schema: str, roles: Roles
) -> None:
    role = str(conninfo_to_dict(roles["writer"])["user"])
    with open_administration(f"{postgres_url}?schema={schema}") as administration:
        script = administration.grants_script(role, [Access.WRITER])
    with psycopg.connect(postgres_url, autocommit=True) as owner:
        owner.execute(script)  # type: ignore[arg-type]
    as_session(session, roles["writer"]).run(RAW_INSERT, 1)


def test_a_hostile_role_is_a_name_and_nothing_else(granted: Callable[..., str], postgres_url: str, schema: str) -> None:
    with open_administration(f"{postgres_url}?schema={schema}") as administration:
        administration.grant(HOSTILE, [Access.READER])
        assert '"app""; DROP SCHEMA public; --"' in administration.grants_script(HOSTILE, [Access.READER])


@pytest.mark.parametrize("role", ["", "public", "none", "x" * 64, "a\nb", "a\0b", None, 7])
def test_what_is_no_role_s_name_is_refused(
    postgres_url: str, schema: str, store: PostgresEventStore, role: Any
) -> None:
    with (
        open_administration(f"{postgres_url}?schema={schema}") as administration,
        pytest.raises(UsageError, match="role's name"),
    ):
        administration.grants_script(role, [Access.READER])


def test_what_cannot_be_granted_says_why(store: PostgresEventStore, postgres_url: str, schema: str) -> None:
    with open_administration(f"{postgres_url}?schema={schema}") as administration:
        with pytest.raises(StorageError, match='CREATE ROLE "nobody" LOGIN'):
            administration.grant("nobody", [Access.READER])
        with pytest.raises(UsageError, match="may do everything"):
            administration.grant("mink_plain_owner", [Access.WRITER])
        with pytest.raises(UsageError, match="one or more of owner, writer"):
            administration.grant("mink_plain_owner", [])
    with (
        open_administration(f"{postgres_url}?schema={schema}_none") as administration,
        pytest.raises(SchemaError, match="mink init"),
    ):
        administration.grant("nobody", [Access.READER])


def test_every_table_has_its_line(store: PostgresEventStore, session: Open, schema: str) -> None:
    """A migration that makes a table says who may use it: in `grants.TABLES`."""
    rows = session().run("SELECT table_name FROM information_schema.tables WHERE table_schema = %s", schema)
    assert {row[0] for row in rows} - TABLES.keys() == set()


def test_functions_that_are_nobody_s_by_default_are_granted(
    granted: Callable[..., str], session: Open, postgres_url: str, schema: str
) -> None:
    """A hardened database takes EXECUTE from PUBLIC."""
    with psycopg.connect(postgres_url, autocommit=True) as owner:
        owner.execute(f'REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA "{schema}" FROM PUBLIC')  # type: ignore[call-overload]
    with open_store(granted(Access.WRITER)) as store:
        store.append("a-1", [NewEvent("Made", {})], expected_version=0)
        assert len(list(store.read_all())) == 2


def test_what_a_migration_adds_is_for_the_roles_that_are_there(postgres_url: str, schema: str, roles: Roles) -> None:
    """Where new functions are nobody's by default as well, the release before goes on between `migrate` and `grants`."""
    role = str(conninfo_to_dict(roles["writer"])["user"])
    with psycopg.connect(postgres_url, autocommit=True) as owner:
        owner.execute("ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC")
        try:
            to_version(postgres_url, schema, 15)
            raw(postgres_url, schema, f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA {{schema}} TO {role}")
            with open_administration(f"{postgres_url}?schema={schema}") as administration:
                raw(postgres_url, schema, administration.migration_script())
        finally:
            owner.execute("ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO PUBLIC")
    withheld = raw(
        postgres_url,
        schema,
        f"SELECT proname FROM pg_proc WHERE pronamespace = '{schema}'::regnamespace "
        f"AND (NOT has_function_privilege('{role}', oid, 'EXECUTE') OR has_function_privilege('public', oid, 'EXECUTE'))",
    )
    assert withheld == []


def test_nothing_of_somebody_else_s_is_touched(
    granted: Callable[..., str], admin_in_test_database: str, schema: str, roles: Roles
) -> None:
    with psycopg.connect(admin_in_test_database, autocommit=True) as admin:
        for statement in (
            'CREATE TABLE "{schema}"."we""ird" (a int)',
            "CREATE FUNCTION \"{schema}\".mine(int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
            'CREATE AGGREGATE "{schema}".most(int) (sfunc = int4larger, stype = int)',
        ):
            admin.execute(statement.replace("{schema}", schema))  # type: ignore[call-overload]
        owned = (
            'SELECT (SELECT relowner = me FROM pg_class WHERE oid = \'"{schema}"."we""ird"\'::regclass), '
            "(SELECT bool_and(proowner = me) FROM pg_proc WHERE pronamespace = '\"{schema}\"'::regnamespace "
            "AND proname IN ('mine', 'most')) FROM (SELECT current_user::regrole::oid AS me) AS x"
        ).replace("{schema}", schema)
        url = admin_in_test_database_url(admin_in_test_database)
        # The printed statements are as good in a session that looks elsewhere first.
        with open_administration(f"{url}?schema={schema}&options=-csearch_path%3D{schema}") as administration:
            script = administration.grants_script(str(conninfo_to_dict(roles["owner"])["user"]), [Access.OWNER])
        admin.execute(script)  # type: ignore[call-overload]
        assert admin.execute(owned).fetchone() == (True, True)  # type: ignore[call-overload]
        admin.execute(f'DROP SCHEMA "{schema}" CASCADE')  # type: ignore[call-overload]
