"""Moves and migrations of a store that others own, place, replicate or rewrite, by sessions of odd settings."""

from __future__ import annotations

import pytest

from mink_core.registry import open_administration
from tests.postgres.changing import filled, opened
from tests.postgres.roles import admin_in_test_database_url
from tests.postgres.test_migrations import VERSIONS, raw, to_version


@pytest.fixture
def superuser(admin_in_test_database: str) -> str:
    return admin_in_test_database_url(admin_in_test_database)


def foreign(url: str, schema: str) -> list[object]:
    """What of the schema is not its owner's."""
    return raw(
        url,
        schema,
        "SELECT relname FROM pg_class WHERE relnamespace = '{schema}'::regnamespace AND relowner <> current_user::regrole "
        "UNION ALL SELECT proname FROM pg_proc "
        "WHERE pronamespace = '{schema}'::regnamespace AND proowner <> current_user::regrole",
    )


@pytest.mark.parametrize("by_script", [True, False], ids=["printed", "run"])
def test_what_a_superuser_s_migration_makes_is_the_owner_s(
    postgres_url: str, superuser: str, schema: str, by_script: bool
) -> None:
    """Who ran the store before goes on; others' tables stay theirs."""
    to_version(postgres_url, schema, 15)
    raw(superuser, schema, "CREATE TABLE {schema}.notes ()")
    with open_administration(f"{superuser}?schema={schema}") as administration:
        if by_script:
            raw(superuser, schema, administration.migration_script())
        else:
            assert len(administration.migrate()) == len([it for it in VERSIONS if it > 15])
    assert foreign(postgres_url, schema) == [("notes",)]
    with opened(postgres_url, schema) as store:
        filled(store, 1)
        assert store.snapshots.save("s-0", 10, {"n": 10})
        store.privacy.redact("s-0", 1, by="test")
        store.privacy.purge("s-0", by="test")
