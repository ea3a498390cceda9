"""The diagnosis finds what somebody has made of tables, roles and databases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from mink_core.administration import Access, Diagnosis, Level
from mink_core.registry import open_administration
from tests.postgres.test_migrations import raw

if TYPE_CHECKING:
    from collections.abc import Callable


def diagnosed(url: str, schema: str, options: str = "") -> dict[str, Diagnosis]:
    with open_administration(f"{url}?schema={schema}{options}") as administration:
        return {it.subject: it for it in administration.diagnose()}


@pytest.mark.usefixtures("store")
def test_tables_that_hide_or_lose_rows(postgres_url: str, schema: str) -> None:
    subjects = set(diagnosed(postgres_url, schema))
    raw(postgres_url, schema, "ALTER TABLE {schema}.events ENABLE ROW LEVEL SECURITY")
    raw(postgres_url, schema, "ALTER TABLE {schema}.outbox SET UNLOGGED")
    raw(postgres_url, schema, "CREATE UNLOGGED TABLE {schema}.of_somebody_else ()")
    found = diagnosed(postgres_url, schema)
    assert set(found) - subjects == {"row security events", "table outbox"}
    assert found["row security events"].level is Level.WARNING
    assert found["table outbox"].level is Level.CRITICAL
    # The advice mends it.
    raw(postgres_url, schema, found["row security events"].advice.partition(",")[0])
    raw(postgres_url, schema, found["table outbox"].advice)
    assert set(diagnosed(postgres_url, schema)) == subjects


def test_of_partitions_too(postgres_url: str, schema: str) -> None:
    with open_administration(f"{postgres_url}?schema={schema}&hash_partitions=2") as administration:
        administration.migrate()
    raw(postgres_url, schema, "ALTER TABLE {schema}.events_p1 SET UNLOGGED")
    assert diagnosed(postgres_url, schema)["table events_p1"].level is Level.CRITICAL


def test_a_pool_that_the_role_may_not_have(admin_url: str, granted: Callable[..., str], schema: str) -> None:
    """As hosted databases limit their roles."""
    url = granted(Access.READER).partition("?")[0]
    name = conninfo_to_dict(url)["user"]

    def connections() -> Diagnosis:
        return diagnosed(url, schema, "&max_size=20")["connections"]

    with psycopg.connect(admin_url, autocommit=True) as admin:
        assert connections().level is not Level.CRITICAL
        admin.execute(f"ALTER ROLE {name} CONNECTION LIMIT 19")
        found = connections()
        assert found.level is Level.CRITICAL
        assert "this role or database may have 19; a pool takes up to 20, so 0 processes fit" in found.finding
        admin.execute(f"ALTER ROLE {name} CONNECTION LIMIT 40")
        assert "so 2 processes fit" in connections().finding
