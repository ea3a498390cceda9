"""Moves and migrations of a store that others own, place, replicate or rewrite, by sessions of odd settings."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import psycopg
import pytest

from mink_core import SchemaError
from mink_core.registry import open_administration
from mink_postgres import PostgresEventStore
from mink_postgres.programs import moving
from mink_postgres.query import Query
from tests.postgres.changing import changed, filled, opened, types
from tests.postgres.roles import admin_in_test_database_url
from tests.postgres.test_migrations import VERSIONS, raw, to_version

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.postgres.sessions import Session


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


def test_the_owner_goes_on_after_a_superuser(postgres_url: str, superuser: str, schema: str) -> None:
    with opened(postgres_url, schema) as store:
        filled(store, 1)
        with open_administration(f"{superuser}?schema={schema}") as administration:
            administration.partition(2)
        assert foreign(postgres_url, schema) == []
        assert changed(postgres_url, schema, "json").changed
        assert store.check() == []


@pytest.mark.parametrize(
    "operation",
    [
        pytest.param("redact_event('s-0', 1, '2', '{}', 'x', '')", id="redact"),
        pytest.param("purge_stream('s-0', 9, 'x', '')", id="purge"),
    ],
)
def test_who_rewrites_at_the_last_step_waits_for_it(
    postgres_url: str, schema: str, session: Callable[..., Session], operation: str
) -> None:
    """It was refused by the guard of the table that came in the place of events."""
    done: list[object] = []
    with opened(postgres_url, schema) as store:
        filled(store, 1)
        reader = session()
        reader.run("SELECT FROM {schema}.events")
        threads = [
            threading.Thread(target=lambda: done.append(changed(postgres_url, schema, "json").changed)),
            threading.Thread(
                target=lambda: done.append(raw(postgres_url, schema, f"SELECT 1 FROM {{schema}}.{operation}"))
            ),
        ]
        for number, thread in enumerate(threads, 1):
            thread.start()
            waiting = (
                "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = '{schema}.events'::regclass "
                "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
            until = time.monotonic() + 60
            while raw(postgres_url, schema, waiting) != [(number,)] and time.monotonic() < until:
                time.sleep(0.01)
        reader.rollback()
        for thread in threads:
            thread.join()
        assert sorted(map(str, done)) == ["True", "[(1,)]"]
        left = [it.data for it in store.read_stream("s-0")]
        assert left == ([9] if "purge" in operation else [2, *range(1, 10)])
        assert types(postgres_url, schema) == {"json"}


@pytest.mark.parametrize("of", ["ALL TABLES", "TABLES IN SCHEMA {schema}"], ids=["all", "schema"])
def test_a_publication_that_would_send_the_copy_is_named(
    postgres_url: str, superuser: str, schema: str, of: str
) -> None:
    """The subscriber has no such table, and would stand still."""
    with opened(postgres_url, schema) as store:
        filled(store, 1)
        raw(superuser, schema, f"CREATE PUBLICATION of_all FOR {of}")
        try:
            with pytest.raises(SchemaError, match=r"publication of_all.*nothing was changed"):
                changed(postgres_url, schema, "json")
            opened(postgres_url, f"{schema}_new", hash_partitions=2).close()  # nothing is copied
        finally:
            raw(superuser, schema, "DROP PUBLICATION of_all")
            raw(superuser, f"{schema}_new", "DROP SCHEMA IF EXISTS {schema} CASCADE")
        assert changed(postgres_url, schema, "json").changed


@pytest.mark.parametrize("settings", ["standard_conforming_strings=off", "quote_all_identifiers=on"])
def test_the_session_s_settings_do_not_matter(postgres_url: str, schema: str, settings: str) -> None:
    """What the functions are made by reads their own text."""
    url = f"{postgres_url}?options={quote(f'-c {settings}')}&schema={schema}"
    with opened(postgres_url, schema) as store:
        filled(store, 1)
        for json_type in ("json", "jsonb"):
            with open_administration(url) as administration:
                assert administration.change_payloads(json_type).changed
            with PostgresEventStore(postgres_url, schema=schema, min_size=1) as other:  # initialize() would mend it
                filled(other, 1)
            assert types(postgres_url, schema) == {json_type}
        assert len(list(store.read_stream("s-0"))) == 30


@pytest.mark.parametrize("partitions", [0, 2])
def test_the_events_stay_in_their_tablespace(postgres_url: str, superuser: str, schema: str, partitions: int) -> None:
    """Elsewhere may be no room for them."""
    asked = (
        "SELECT c.relname, s.spcname FROM pg_class AS c JOIN pg_tablespace AS s ON s.oid = c.reltablespace "
        "WHERE c.relnamespace = '{schema}'::regnamespace ORDER BY 1"
    )
    fast, slow = f"fast_{schema}", f"slow_{schema}"
    with opened(postgres_url, schema, hash_partitions=partitions) as store:
        filled(store, 1)
    with psycopg.connect(superuser, autocommit=True) as admin:
        admin.execute("SET allow_in_place_tablespaces = on")
        for name in (fast, slow):
            admin.execute(f"CREATE TABLESPACE \"{name}\" LOCATION ''")
            admin.execute(f'GRANT CREATE ON TABLESPACE "{name}" TO PUBLIC')
    try:
        for table in ("events", *(f"events_p{number}" for number in range(partitions))):
            raw(postgres_url, schema, f'ALTER TABLE {{schema}}.{table} SET TABLESPACE "{fast}"')
        raw(postgres_url, schema, f'ALTER INDEX {{schema}}.events_pkey SET TABLESPACE "{slow}"')
        before = raw(postgres_url, schema, asked)
        assert [it for it in before if it[0] in {"events", "events_pkey"}] == [("events", fast), ("events_pkey", slow)]
        by = f"{postgres_url}?options={quote(f'-c default_tablespace={slow}')}&schema={schema}"
        with open_administration(by) as administration:
            assert administration.change_payloads("json").changed
        after = raw(postgres_url, schema, asked)
        assert [it for it in after if "pkey" not in it[0]] == [it for it in before if "pkey" not in it[0]]
        assert ("events_pkey", slow) in after
        if not partitions:
            with open_administration(by) as administration:
                administration.partition(2)
            assert {("events_p0", fast), ("events_p1", fast), ("events", fast), ("events_pkey", slow)} <= set(
                raw(postgres_url, schema, asked)
            )
    finally:
        raw(postgres_url, schema, "DROP SCHEMA {schema} CASCADE")
        for name in (fast, slow):
            raw(superuser, schema, f'DROP TABLESPACE "{name}"')


@pytest.mark.parametrize("move", ["payloads", "partition"])
def test_a_piece_takes_as_long_as_it_takes(
    postgres_url: str, schema: str, monkeypatch: pytest.MonkeyPatch, move: str
) -> None:
    """A role's statement_timeout ended each piece, and each one that was tried again."""
    inner = moving.copy_chunk

    def slow(*arguments: Any) -> Any:
        yield Query("SELECT pg_sleep(0.5)")
        return (yield from inner(*arguments))

    monkeypatch.setattr(moving, "copy_chunk", slow)
    with opened(postgres_url, schema) as store:
        filled(store, 1)
        with open_administration(
            f"{postgres_url}?options={quote('-c statement_timeout=400')}&schema={schema}"
        ) as administration:
            moved = administration.partition(2) if move == "partition" else administration.change_payloads("json")
            assert moved.copied == 10
            assert administration._connection.execute("SHOW statement_timeout").fetchone() == ("400ms",)  # type: ignore[attr-defined]


def test_doctor_and_stats_beside_tables_that_are_put_away(postgres_url: str, schema: str) -> None:
    """What is gone since the catalog was read has no size."""
    ended = threading.Event()

    def look() -> int:
        count = 0
        with open_administration(f"{postgres_url}?schema={schema}") as administration:
            while not ended.is_set():
                administration.diagnose()
                assert administration.statistics().total_bytes > 0
                count += 1
        return count

    with opened(postgres_url, schema) as store, ThreadPoolExecutor(3) as pool:
        filled(store, 1)
        lookers = [pool.submit(look) for _ in range(3)]
        try:
            for _ in range(15):
                for json_type in ("json", "jsonb"):
                    assert changed(postgres_url, schema, json_type).changed
        finally:
            ended.set()
        assert all(it.result() for it in lookers)
