"""A store that is moved into partitions: while it is in use, with its privileges, and by nobody else meanwhile."""

from __future__ import annotations

import threading
import time
from typing import Any

import psycopg
import pytest

from mink_core import ExpectedVersion, NewEvent, SchemaError, StorageError
from mink_core.administration import Access, Level
from mink_core.registry import open_administration
from mink_postgres import PostgresEventStore
from mink_postgres import moving as module
from mink_postgres.programs import moving
from tests.postgres.loads import BrokenOffError, InUse, break_off
from tests.postgres.readers import StoreReader

ANY = ExpectedVersion.ANY


@pytest.mark.usefixtures("durable")
def test_a_store_in_use_is_moved_without_a_loss(postgres_url: str, schema: str) -> None:
    with PostgresEventStore(postgres_url, schema=schema, min_size=4, privacy=True) as store:
        store.initialize()
        reader = StoreReader(PostgresEventStore(postgres_url, schema=schema, min_size=1))
        use = InUse(store, reader)
        with open_administration(f"{postgres_url}?schema={schema}") as administration:
            moved = administration.partition(4, use.rewrite)
            use.end()
            with pytest.raises(SchemaError, match="4 partitions already"):
                administration.partition(4)
            assert not [it for it in administration.diagnose() if it.level is Level.CRITICAL]
            with psycopg.connect(postgres_url, autocommit=True) as owner:
                # Sessions tell what they have inserted up to a second later, and so after what ANALYZE has counted.
                for _ in range(200):
                    owner.execute(f'ANALYZE "{schema}".events')
                    told = administration.statistics()
                    if told.events == use.stored:
                        break
                    time.sleep(0.25)
            assert told.events == use.stored
            assert [size.name for size in told.tables if size.name.startswith("events")] == ["events"]
        use.check()
        assert moved.partitions == 4
        assert moved.pause < 60
        print(f"\n{moved}; {use}")
    reader.close()


def test_privileges_go_along(postgres_url: str, admin_in_test_database: str, schema: str) -> None:
    role = f"writer_of_{schema}"
    with psycopg.connect(admin_in_test_database, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'plain'")
    try:
        with PostgresEventStore(postgres_url, schema=schema, min_size=1) as store:
            store.initialize()
            store.append("s-1", [NewEvent("Made", 1)], expected_version=ANY)
        with open_administration(f"{postgres_url}?schema={schema}") as administration:
            administration.grant(role, [Access.WRITER])
            administration.partition(4)
        theirs = psycopg.conninfo.make_conninfo(postgres_url, user=role)
        with psycopg.connect(theirs) as writer, PostgresEventStore(connection=writer, schema=schema) as store:
            store.append("s-1", [NewEvent("Made", 2)], expected_version=1)
            writer.commit()
            for statement in (
                f"INSERT INTO \"{schema}\".events (global_position, stream_id, version) VALUES (99, 's-9', 1)",
                f"UPDATE \"{schema}\".events SET data = '2'",
                f'SELECT 1 FROM "{schema}".events_p0',
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    writer.execute(statement)
                writer.rollback()
    finally:
        with psycopg.connect(admin_in_test_database, autocommit=True) as admin:
            admin.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


OWN = {
    "index my_own": ["CREATE INDEX my_own ON {events} (event_type, timestamp)"],
    "policy tenants": ["CREATE POLICY tenants ON {events} USING (true)"],
    "row level security": ["ALTER TABLE {events} ENABLE ROW LEVEL SECURITY"],
    "rule told": ["CREATE RULE told AS ON INSERT TO {events} DO ALSO NOTIFY told"],
    "constraint known": ["ALTER TABLE {events} ADD CONSTRAINT known CHECK (event_type <> '')"],
    "constraint of_event": [
        "CREATE TABLE {schema}.notes (position bigint CONSTRAINT of_event REFERENCES {events} (global_position))"
    ],
    "statistics both": ["CREATE STATISTICS {schema}.both ON stream_id, event_type FROM {events}"],
    "storage parameter fillfactor=90": ["ALTER TABLE {events} SET (fillfactor = 90)"],
    "generated column size": [
        "ALTER TABLE {events} ADD COLUMN size int GENERATED ALWAYS AS (length(data::text)) STORED"
    ],
    "view newest": ["CREATE VIEW {schema}.newest AS SELECT max(global_position) FROM {events}"],
}


def test_what_would_be_lost_is_named(postgres_url: str, schema: str, store: PostgresEventStore) -> None:
    """Above all what keeps tenants apart must not be gone in silence, nor hours of copying end in a refusal."""
    store.append("s-1", [NewEvent("Made", 1)], expected_version=ANY)
    for statements in OWN.values():
        with psycopg.connect(postgres_url, autocommit=True) as owner:
            for statement in statements:
                owner.execute(statement.format(events=f'"{schema}".events', schema=f'"{schema}"'))
    with open_administration(f"{postgres_url}?schema={schema}") as administration:
        with pytest.raises(SchemaError, match="nothing was changed") as refused:
            administration.partition(4)
        assert [named for named in OWN if named not in str(refused.value)] == []
    with psycopg.connect(postgres_url) as connection:
        made = connection.execute("SELECT to_regclass(%s)", (f'"{schema}".events_hashed',)).fetchone()
    assert made == (None,)


def test_two_that_move_one_store_do_not_meet(
    postgres_url: str, schema: str, store: PostgresEventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving, "CHUNK", 10)
    for number in range(10):
        store.append(f"s-{number}", [NewEvent("Made", n) for n in range(10)], expected_version=ANY)
    others: list[Any] = []

    def overtake(_done: int, _mark: int) -> None:
        if not others:
            with open_administration(f"{postgres_url}?schema={schema}") as other:
                others.append(other.partition(4))

    with (
        open_administration(f"{postgres_url}?schema={schema}") as administration,
        pytest.raises(SchemaError, match="another process"),
    ):
        administration.partition(4, overtake)
    assert others[0].copied == 90
    # At the very same moment as well: one of them does it.
    with psycopg.connect(postgres_url, autocommit=True) as owner:
        owner.execute(f'DROP SCHEMA "{schema}" CASCADE')
    store.initialize()
    store.append("s-1", [NewEvent("Made", n) for n in range(100)], expected_version=ANY)
    ended: list[Any] = []

    def move() -> None:
        with open_administration(f"{postgres_url}?schema={schema}") as one:
            try:
                ended.append(one.partition(4))
            except SchemaError as error:
                ended.append(error)

    threads = [threading.Thread(target=move) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ended) == 3
    assert sum(not isinstance(it, SchemaError) for it in ended) == 1
    assert [event.data for event in store.read_all()] == list(range(100))
    assert store.check() == []


def test_a_copy_that_was_broken_off_goes_on(postgres_url: str, schema: str, store: PostgresEventStore) -> None:
    for number in range(3):
        store.append(f"s-{number}", [NewEvent("Made", number)], expected_version=ANY)

    with open_administration(f"{postgres_url}?schema={schema}") as administration:
        with pytest.raises(BrokenOffError):
            administration.partition(4, break_off)
        assert [it.level for it in administration.diagnose() if it.subject == "partitions"] == [Level.NOTICE]
        with pytest.raises(SchemaError, match="4 partitions was begun, not 8"):
            administration.partition(8)
        store.append("s-1", [NewEvent("Made", 9)], expected_version=ANY)
        assert administration.partition(4).copied == 1
    assert [event.data for event in store.read_all()] == [0, 1, 2, 9]


def test_a_copy_that_an_earlier_release_has_begun_goes_on(
    postgres_url: str, schema: str, store: PostgresEventStore
) -> None:
    """Its partitions have their final names already."""
    store.append("s-1", [NewEvent("Made", 1)], expected_version=ANY)
    with psycopg.connect(postgres_url, autocommit=True) as owner:
        owner.execute(
            f"""
            SET search_path TO "{schema}";
            CREATE TABLE events_hashed (LIKE events INCLUDING DEFAULTS INCLUDING COMPRESSION)
                PARTITION BY HASH (stream_id);
            ALTER TABLE events_hashed
                ADD CONSTRAINT events_hashed_pkey PRIMARY KEY (global_position, stream_id),
                ADD CONSTRAINT events_hashed_stream_id_version_key UNIQUE (stream_id, version);
            CREATE INDEX idx_events_hashed_type ON events_hashed (event_type);
            CREATE INDEX idx_events_hashed_timestamp ON events_hashed (timestamp);
            COMMENT ON TABLE events_hashed IS '0';
            CREATE TABLE events_p0 PARTITION OF events_hashed FOR VALUES WITH (MODULUS 2, REMAINDER 0);
            CREATE TABLE events_p1 PARTITION OF events_hashed FOR VALUES WITH (MODULUS 2, REMAINDER 1);
            INSERT INTO events_hashed SELECT * FROM events
            """
        )
    store.append("s-2", [NewEvent("Made", 2)], expected_version=ANY)
    with open_administration(f"{postgres_url}?schema={schema}") as administration:
        assert administration.partition(2).copied == 1
    assert [event.data for event in store.read_all()] == [1, 2]
    assert store.check() == []


def test_a_position_taken_by_hand_stops_the_swap(postgres_url: str, schema: str, store: PostgresEventStore) -> None:
    store.append("s-1", [NewEvent("Made", 1)], expected_version=ANY)
    with psycopg.connect(postgres_url) as by_hand:
        by_hand.execute(f'SELECT "{schema}".fence()')
        tries, module._TRIES = module._TRIES, 1
        try:
            with (
                open_administration(f"{postgres_url}?schema={schema}") as administration,
                pytest.raises(StorageError, match="fence"),
            ):
                administration.partition(4)
        finally:
            module._TRIES = tries
    assert [event.data for event in store.read_all()] == [1]
