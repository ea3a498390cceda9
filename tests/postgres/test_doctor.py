"""The diagnosis finds what a test breaks, and says nothing of what is whole."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from mink_core import NewEvent, UsageError
from mink_core.administration import Diagnosis, Level
from mink_core.registry import open_administration
from mink_postgres.drivers import psycopg_sync
from mink_postgres.options import PostgresOptions
from mink_postgres.programs import server_health
from mink_postgres.programs.index_health import NEEDED, indexes
from mink_postgres.query import Query, run
from mink_postgres.server import EmbeddedServer
from tests.postgres.test_migrations import raw

if TYPE_CHECKING:
    from collections.abc import Callable

    from mink_postgres import PostgresEventStore
    from tests.postgres.sessions import Session

    Open = Callable[..., Session]
    Diagnose = Callable[..., dict[str, Diagnosis]]


@pytest.fixture
def diagnose(store: PostgresEventStore, postgres_url: str, schema: str) -> Diagnose:
    def found(max_lag: float = 60.0, options: str = "", url: str = postgres_url) -> dict[str, Diagnosis]:
        with open_administration(f"{url}?schema={schema}{options}") as administration:
            return {it.subject: it for it in administration.diagnose(max_lag=max_lag)}

    return found


@pytest.mark.usefixtures("durable")
def test_a_whole_store_has_nothing_wrong(store: PostgresEventStore, diagnose: Diagnose) -> None:
    store.append("a-1", [NewEvent("Made", {})], expected_version=0)
    found = diagnose()
    assert {it.level for it in found.values()} <= {Level.OK, Level.NOTICE}
    assert found["feed"].figures["head"] == 1
    assert found["connections"].figures["pool"] == 25
    assert found["schema"].level is found["guards"].level is found["indexes"].level is Level.OK


def test_the_blocking_backend_is_named(store: PostgresEventStore, diagnose: Diagnose, session: Open) -> None:
    store.append("a-1", [NewEvent("Made", {})], expected_version=0)
    blocker = session()
    blocker.run("SET application_name = 'nightly-import'")
    blocker.append("a-1")
    pid = blocker.value("SELECT pg_backend_pid()")
    held = diagnose(max_lag=60)["feed"]
    assert held.level is Level.OK
    held = diagnose(max_lag=1e-3)["feed"]
    assert held.level in (Level.WARNING, Level.CRITICAL)
    assert f"backend {pid} (nightly-import)" in held.finding
    assert "above position 1 wait" in held.finding
    assert "SELECT pg_backend_pid()" in held.finding
    assert held.advice.endswith(f"SELECT pg_terminate_backend({pid})")
    assert held.figures["process"] == pid
    assert diagnose(max_lag=1e-9)["feed"].level is Level.CRITICAL
    blocker.commit()
    assert diagnose(max_lag=1e-9)["feed"].level is Level.OK


def test_a_prepared_transaction_is_named(diagnose: Diagnose, session: Open) -> None:
    blocker = session()
    blocker.insert("a-1", 1)
    try:
        blocker.run("PREPARE TRANSACTION 'left behind'")
    except psycopg.errors.ObjectNotInPrerequisiteState:
        pytest.skip("this server has max_prepared_transactions = 0")
    held = diagnose()["feed"]
    late = diagnose(max_lag=1e-9)["feed"]
    blocker.connection.autocommit = True
    blocker.run("ROLLBACK PREPARED 'left behind'")
    assert held.level is Level.OK
    assert "a prepared transaction" in held.finding
    assert "It is doing: prepared transaction 'left behind'" in held.finding
    assert "ROLLBACK PREPARED" in held.advice
    assert late.level is Level.CRITICAL


def test_a_schema_that_is_not_there_or_old(diagnose: Diagnose, postgres_url: str, schema: str, session: Open) -> None:
    opened = session()
    opened.run("DELETE FROM {schema}.schema_migrations WHERE version = 15")
    opened.commit()
    found = diagnose()
    assert found["schema"].level is Level.CRITICAL
    assert "lacks 0015_append_only" in found["schema"].finding
    assert "feed" not in found
    assert diagnose(options="x")["schema"].level is Level.CRITICAL


def test_a_disarmed_guard(diagnose: Diagnose, session: Open) -> None:
    opened = session()
    opened.run("ALTER TABLE {schema}.events DISABLE TRIGGER events_guard_positions")
    opened.commit()
    found = diagnose()["fence"]
    assert found.level is Level.CRITICAL
    # The advice mends it.
    opened.run(found.advice)
    opened.commit()
    assert diagnose()["guards"].level is Level.OK


def test_missing_and_invalid_indexes(
    store: PostgresEventStore, diagnose: Diagnose, postgres_url: str, schema: str
) -> None:
    event = NewEvent("Made", {})
    for stream in ("a-1", "b-1"):
        store.append(stream, [event], expected_version=0)
    raw(postgres_url, schema, "DROP INDEX {schema}.idx_events_timestamp")
    with pytest.raises(psycopg.errors.UniqueViolation):
        raw(postgres_url, schema, "CREATE UNIQUE INDEX CONCURRENTLY half_made ON {schema}.events (event_id)")
    found = diagnose()
    assert "has no index idx_events_timestamp" in found["index idx_events_timestamp"].finding
    assert "is invalid" in found["index half_made"].finding
    assert found["index half_made"].advice == f'REINDEX INDEX CONCURRENTLY "{schema}"."half_made"'


def test_the_needed_indexes_are_those_of_a_new_schema(
    store: PostgresEventStore, postgres_url: str, schema: str
) -> None:
    rows = raw(postgres_url, schema, f"SELECT tablename, indexname FROM pg_indexes WHERE schemaname = '{schema}'")
    assert {(table, name) for table, names in NEEDED.items() for name in names} <= set(rows)


def test_a_bloated_index(store: PostgresEventStore, postgres_url: str, schema: str) -> None:
    """Two thirds of its entries go, all over it: pages stay, and so does the index's size."""
    fill = (
        "INSERT INTO {schema}.streams (stream_id, category) "
        "SELECT 'order-' || md5(i::text), 'order' FROM generate_series(1, 20000) AS i"
    )

    def look() -> dict[str, Diagnosis]:
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute(f'VACUUM (ANALYZE) "{schema}".streams')
            context = PostgresOptions(schema=schema).context()
            found = run(indexes(context, small=1 << 20), partial(psycopg_sync.fetch, connection))
        return {it.subject: it for it in found}

    raw(postgres_url, schema, fill)
    assert set(look()) == {"indexes"}
    raw(postgres_url, schema, "DELETE FROM {schema}.streams WHERE id % 10 <> 0")
    found = look()["index streams_stream_id_key"]
    assert found.level is Level.WARNING
    raw(postgres_url, schema, found.advice)
    assert "index streams_stream_id_key" not in look()


def test_a_pool_that_the_server_cannot_hold(diagnose: Diagnose) -> None:
    found = diagnose(options="&max_size=100000")["connections"]
    assert found.level is Level.CRITICAL
    assert "so 0 processes fit" in found.finding


def test_a_subscription_that_lags(store: PostgresEventStore, diagnose: Diagnose, session: Open) -> None:
    store.append("a-1", [NewEvent("Made", {}) for _ in range(3)], expected_version=0)
    opened = session()
    opened.run("INSERT INTO {schema}.checkpoints (projection_name, position) VALUES ('totals', 1), ('done', 3)")
    opened.commit()
    # Events that have just come make nobody late, nor does an old checkpoint that is at the end.
    opened.run("UPDATE {schema}.checkpoints SET updated_at = now() - interval '1 hour'")
    opened.commit()
    found = diagnose()
    assert found["subscription totals"].level is found["subscription done"].level is Level.OK
    opened.run("SELECT {schema}.allow_rewriting()")
    opened.run("UPDATE {schema}.events SET timestamp = timestamp - interval '5 minutes'")
    opened.commit()
    found = diagnose()
    assert found["subscription totals"].level is Level.WARNING
    assert "2 events behind" in found["subscription totals"].finding
    assert found["subscription done"].level is Level.OK
    opened.run("UPDATE {schema}.checkpoints SET updated_at = now()")
    opened.commit()
    assert diagnose()["subscription totals"].level is Level.OK


def test_parked_events(store: PostgresEventStore, diagnose: Diagnose, session: Open) -> None:
    assert not any(name.startswith("parked") for name in diagnose())
    opened = session()
    opened.run(
        "INSERT INTO {schema}.parked_events (subscription, global_position, stream_id, version, event_type, attempts, "
        "error, parked_at) SELECT 'totals', g, 'a-1', g, 'T', 5, 'x', now() - interval '1 hour' "
        "FROM generate_series(1, 3) AS g"
    )
    opened.commit()
    found = diagnose()["parked events of totals"]
    assert (found.level, found.figures["parked"]) == (Level.WARNING, 3)
    assert "given up on 3 events" in found.finding


def test_an_outbox_that_nobody_relays(store: PostgresEventStore, diagnose: Diagnose, session: Open) -> None:
    opened = session()
    opened.run("DROP TABLE IF EXISTS {schema}.outbox CASCADE")
    opened.run("CREATE TABLE {schema}.outbox (position bigserial, status text, due_at timestamptz)")
    opened.commit()
    assert diagnose()["outbox"].level is Level.OK
    opened.run(
        "INSERT INTO {schema}.outbox (status, due_at) VALUES ('pending', now() - interval '1 hour'), "
        "('done', now() - interval '1 day'), ('claimed', now() + interval '1 minute'), ('dead', now() - interval '1 day')"
    )
    opened.commit()
    found = diagnose()
    assert found["outbox"].level is Level.CRITICAL
    assert found["outbox"].figures["due"] == 1
    assert diagnose(max_lag=3000)["outbox"].level is Level.WARNING
    assert found["outbox dead letters"].figures["dead"] == 1


def test_settings_that_put_data_at_risk() -> None:
    """A server of its own, with all of them wrong."""
    wrong = {
        "fsync": "off",
        "full_page_writes": "off",
        "synchronous_commit": "off",
        "autovacuum": "off",
        "default_transaction_isolation": "repeatable read",
        "max_locks_per_transaction": "10",
    }
    with EmbeddedServer.start(settings=wrong) as server, open_administration(server.url()) as administration:
        administration.migrate()
        with psycopg.connect(server.url(), autocommit=True) as admin:
            admin.execute("SELECT pg_create_physical_replication_slot('nobody', true)")
        found = {it.subject: it for it in administration.diagnose()}
    for name, level in {
        "fsync": Level.CRITICAL,
        "full_page_writes": Level.CRITICAL,
        "synchronous_commit": Level.NOTICE,
        "autovacuum": Level.WARNING,
        "default_transaction_isolation": Level.CRITICAL,
        "max_locks_per_transaction": Level.WARNING,
    }.items():
        assert found[f"setting {name}"].level is level, name
    assert found["role"].level is Level.NOTICE
    assert "superuser" in found["role"].finding
    assert found["replication slot nobody"].level is Level.WARNING
    # The feed says itself why it cannot be read so.
    assert found["feed"].level is Level.CRITICAL
    assert "REPEATABLE READ" in found["feed"].finding


@pytest.mark.parametrize(
    ("built", "now", "wrong"), [("2.28", "2.36", True), ("2.36", "2.36", False), (None, None, False)]
)
def test_an_index_built_by_another_collation(
    postgres_url: str, built: str | None, now: str | None, wrong: bool
) -> None:
    """As after an upgrade of the system, or on a replica of another one. No collation here can be had in two versions."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:

        def fetch(query: Query) -> Any:
            rows = psycopg_sync.fetch(connection, query)
            if "datcollversion" not in query.sql:
                return rows
            assert len(rows) == 1
            assert len(rows[0]) == 2
            return [(built, now)]

        found = {it.subject: it for it in run(server_health.settings(), fetch)}
    assert ("collation" in found) is wrong
    if wrong:
        assert found["collation"].level is Level.CRITICAL


def test_statistics(store: PostgresEventStore, postgres_url: str, schema: str) -> None:
    store.append("a-1", [NewEvent("Made", {}) for _ in range(30)], expected_version=0)
    store.append("b-1", [NewEvent("Made", {})], expected_version=0)
    raw(postgres_url, schema, "ANALYZE {schema}.events; ANALYZE {schema}.streams")
    with open_administration(f"{postgres_url}?schema={schema}") as administration:
        found = administration.statistics()
    assert (found.head, found.high, found.events, found.streams) == (31, 31, 31, 2)
    assert (found.events_last_minute, found.events_last_hour) == (31, 31)
    sizes = {it.name: it for it in (*found.tables, *found.indexes)}
    assert sizes["events"].rows == 31
    assert sizes["events_pkey"].bytes > 0
    assert found.total_bytes >= sum(it.bytes for it in sizes.values())


def test_memory_has_nothing_to_administer() -> None:
    with pytest.raises(UsageError, match="a memory:// store has nothing to administer"):
        open_administration("memory://x")
