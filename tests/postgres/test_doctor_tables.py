"""The diagnosis finds what somebody has made of tables, roles and databases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from mink_core import NewEvent, OutboxMessage, StorageError
from mink_core.administration import Access, Diagnosis, Level
from mink_core.registry import open_administration
from mink_postgres import PostgresEventStore
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


def test_sequences_that_logical_replication_leaves_behind(
    store: PostgresEventStore, postgres_url: str, schema: str
) -> None:
    """It copies rows, and moves no sequence. That of the events is told as a store is opened."""
    with PostgresEventStore(postgres_url, schema=schema, min_size=1, privacy=True) as private:
        for name in ("a-1", "b-1", "c-1"):
            store.append(name, [NewEvent("Made", 1)], expected_version=0, outbox=[OutboxMessage("d", 1)])
            private.privacy.redact(name, 1, data="gone", by="test")
        private.privacy.soft_delete("c-1", by="test")  # it has the highest id of all, which is negative now
        with store.subscription("s", lambda _: None) as worker:
            worker.wait(10)
        store.outbox.add([OutboxMessage("d", 1)])
        subjects = set(diagnosed(postgres_url, schema))
        for sequence in ("streams_id_seq", "outbox_position_seq", "privacy_audit_id_seq", "subscription_tokens"):
            raw(postgres_url, schema, f"ALTER SEQUENCE {{schema}}.{sequence} RESTART")
        with pytest.raises(StorageError, match="its sequence is behind: `mink doctor`"):
            store.append("d-1", [NewEvent("Made", 1)], expected_version=0)
        found = diagnosed(postgres_url, schema)
        behind = set(found) - subjects
        assert behind == {
            f"sequence {it}"
            for it in ("streams.id", "outbox.position", "privacy_audit.id", "subscription_leases.token")
        }
        for subject in behind:
            assert found[subject].level is Level.CRITICAL
            raw(postgres_url, schema, found[subject].advice)
        assert set(diagnosed(postgres_url, schema)) == subjects
        for name in ("d-1", "e-1"):
            store.append(name, [NewEvent("Made", 1)], expected_version=0)
        store.outbox.add([OutboxMessage("d", 1)])
        private.privacy.redact("d-1", 1, data="gone", by="test")
