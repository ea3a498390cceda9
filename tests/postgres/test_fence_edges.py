"""The fence's edges: each was seen to lose an event in a version without its guard."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import psycopg
import pytest

from mink_core import ExpectedVersion, NewEvent, PositionAheadError, SchemaError
from mink_core.health import check_health
from mink_postgres import PostgresEventStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.postgres.sessions import Session

    Open = Callable[..., Session]

ANY = ExpectedVersion.ANY


def positions(store: PostgresEventStore, after: int = 0) -> list[int]:
    return [event.global_position for event in store.poll(after).events]


def assert_held_back(store: PostgresEventStore, open_session: Session, low: int) -> None:
    """Nothing above an open append is shown; all of it once that has ended."""
    above = store.append("above-1", [NewEvent("Made", {})], expected_version=ANY).first_position
    assert above > low
    assert above not in positions(store)
    open_session.commit()
    assert positions(store)[-2:] == [low, above]


def test_first_position_of_a_fresh_sequence(
    postgres_url: str, schema: str, store: PostgresEventStore, session: Open
) -> None:
    """`last_value` reads 1 before the first nextval: event 1 would count as settled."""
    opened = session()
    assert opened.insert("a-1", 1) == 1
    assert_held_back(store, opened, 1)


def test_first_position_after_restart(postgres_url: str, schema: str, store: PostgresEventStore, session: Open) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as owner:
        store.append("gone-1", [NewEvent("Made", {})], expected_version=ANY)
        owner.execute(f'SELECT "{schema}".allow_rewriting(); TRUNCATE "{schema}".events RESTART IDENTITY')
    opened = session()
    assert opened.insert("a-1", 1) == 1
    assert_held_back(store, opened, 1)


def test_savepoints(postgres_url: str, schema: str, store: PostgresEventStore, session: Open) -> None:
    """A fence taken in a savepoint goes with it, and is taken anew."""
    opened = session()
    opened.run("SAVEPOINT one")
    opened.insert("a-1", 1)
    opened.run("ROLLBACK TO SAVEPOINT one")
    assert store.feed_status().holders == ()
    low = opened.insert("a-1", 1)
    assert_held_back(store, opened, low)


def test_a_savepoint_rolled_back_keeps_the_outer_fence(
    postgres_url: str, schema: str, store: PostgresEventStore, session: Open
) -> None:
    opened = session()
    low = opened.insert("a-1", 1)
    opened.run("SAVEPOINT one")
    opened.insert("a-1", 2)
    opened.run("ROLLBACK TO SAVEPOINT one")
    assert_held_back(store, opened, low)


def test_copy(postgres_url: str, schema: str, store: PostgresEventStore, session: Open) -> None:
    opened = session()
    with opened.connection.cursor().copy(
        f'COPY "{schema}".events (stream_id, version, event_type, data) FROM STDIN'
    ) as copy:
        copy.write_row(("a-1", 1, "Copied", "{}"))
    assert_held_back(store, opened, 1)


@pytest.mark.parametrize("scope", ["SET", "SET LOCAL"])
def test_a_stray_setting_does_not_disarm_it(
    postgres_url: str, schema: str, store: PostgresEventStore, session: Open, scope: str
) -> None:
    opened = session()
    oid = opened.run("SELECT '{schema}.events'::regclass::oid").fetchone()[0]
    for value in ("on", "1", str(oid)):
        opened.run(f"{scope} mink.fence_{oid} = '{value}'")
    low = opened.insert("a-1", 1)
    assert_held_back(store, opened, low)


def test_a_value_left_from_an_earlier_transaction_does_not_disarm_it(
    postgres_url: str, schema: str, store: PostgresEventStore, session: Open
) -> None:
    """Somebody copies the local setting into the session: the next transaction has another id."""
    opened = session()
    oid = opened.run("SELECT '{schema}.events'::regclass::oid").fetchone()[0]
    opened.insert("a-1", 1)
    opened.run(f"SELECT set_config('mink.fence_{oid}', current_setting('mink.fence_{oid}'), false)")
    opened.commit()
    low = opened.insert("a-1", 2)
    assert_held_back(store, opened, low)


def test_two_schemas_in_one_transaction(
    postgres_url: str, schema: str, store: PostgresEventStore, session: Open
) -> None:
    other_name = f"{schema}_other"
    with PostgresEventStore(postgres_url, schema=other_name, min_size=1) as other:
        other.initialize()
        opened = session()
        second = session(schema=other_name)
        second.connection.close()
        second.connection = opened.connection
        low_other = second.insert("b-1", 1)
        low = opened.insert("a-1", 1)
        other.append("above-1", [NewEvent("Made", {})], expected_version=ANY)
        assert positions(other) == []
        assert_held_back(store, opened, low)
        assert positions(other) == [low_other, low_other + 1]
    with psycopg.connect(postgres_url, autocommit=True) as owner:
        owner.execute(f'DROP SCHEMA "{other_name}" CASCADE')


def test_ten_thousand_appends_in_one_transaction_take_one_lock(
    postgres_url: str, schema: str, store: PostgresEventStore, session: Open
) -> None:
    opened = session()
    opened.run(
        "DO $$ BEGIN FOR i IN 1..10000 LOOP INSERT INTO {schema}.events (stream_id, version, event_type, data) "
        "VALUES ('a-1', i, 'Raw', '{}'); END LOOP; END $$"
    )
    assert len(store.feed_status().holders) == 1
    opened.rollback()


def test_replica_role(admin_in_test_database: str, schema: str, store: PostgresEventStore, session: Open) -> None:
    """Triggers that are not ENABLE ALWAYS are silent here."""
    opened = session(admin_in_test_database)
    opened.run("SET session_replication_role = replica")
    low = opened.insert("a-1", 1)
    assert_held_back(store, opened, low)


def test_positions_taken_before_the_insert_need_the_fence_first(
    postgres_url: str, schema: str, store: PostgresEventStore, session: Open
) -> None:
    opened = session()
    opened.run("SELECT {schema}.fence()")
    low = opened.run("SELECT nextval('{schema}.events_global_position_seq')").fetchone()[0]
    above = store.append("above-1", [NewEvent("Made", {})], expected_version=ANY).first_position
    opened.run(
        "INSERT INTO {schema}.events (global_position, stream_id, version, event_type, data) "
        "VALUES (%s, 'a-1', 1, 'Raw', '{}')",
        low,
    )
    assert positions(store) == []
    opened.commit()
    assert positions(store) == [low, above]


@pytest.mark.parametrize("change", ["CACHE 10", "INCREMENT 2", "CYCLE"])
def test_a_sequence_that_would_break_it_is_refused(
    postgres_url: str, schema: str, store: PostgresEventStore, change: str
) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as owner:
        owner.execute(f'ALTER SEQUENCE "{schema}".events_global_position_seq {change}')
    with PostgresEventStore(postgres_url, schema=schema, min_size=1) as opened:
        with pytest.raises(SchemaError, match="ALTER SEQUENCE"):
            opened.initialize()
        with pytest.raises(SchemaError, match="ALTER SEQUENCE"):
            opened.poll(0)


def test_a_prepared_transaction_holds_the_feed(
    admin_in_test_database: str, schema: str, store: PostgresEventStore, session: Open
) -> None:
    opened = session(admin_in_test_database)
    if opened.run("SHOW max_prepared_transactions").fetchone()[0] == "0":
        pytest.fail("the test server must allow prepared transactions")
    opened.rollback()
    opened.connection.autocommit = True
    opened.run("BEGIN")
    low = opened.insert("a-1", 1)
    opened.run("PREPARE TRANSACTION 'held'")
    above = store.append("above-1", [NewEvent("Made", {})], expected_version=ANY).first_position
    try:
        assert positions(store) == []
        (holder,) = store.feed_status().holders
        assert (holder.process, holder.doing) == (None, "prepared transaction 'held'")
        # It stays open when its session ends, and when the server does: for how long already must be told.
        assert holder.since is not None
        assert holder.seconds > 0
        assert not check_health(store, max_hold=0).healthy
    finally:
        opened.run("COMMIT PREPARED 'held'")
    assert positions(store) == [low, above]


def test_beyond_32_bits(postgres_url: str, schema: str, store: PostgresEventStore, session: Open) -> None:
    """Advisory keys have 32 bits, positions 64: on both sides of the wrap the fence holds."""
    with psycopg.connect(postgres_url, autocommit=True) as owner:
        owner.execute(f"SELECT setval('\"{schema}\".events_global_position_seq', 4294967294)")
    opened = session()
    low = opened.insert("a-1", 1)
    assert low == 4294967295
    store.append("filler-1", [NewEvent("Made", {}) for _ in range(5)], expected_version=ANY)
    assert positions(store) == []
    assert store.feed_status().mark == 4294967294
    opened.commit()
    assert positions(store) == list(range(low, low + 6))


def test_synchronous_commit_off_is_turned_on_for_appends(
    postgres_url: str, schema: str, store: PostgresEventStore, session: Open
) -> None:
    """A position that was handed out must survive a crash."""
    opened = session()
    opened.run("SET synchronous_commit = off")
    opened.commit()
    opened.insert("a-1", 1)
    assert opened.run("SHOW synchronous_commit").fetchone()[0] == "on"
    opened.commit()
    assert opened.run("SHOW synchronous_commit").fetchone()[0] == "off"


def test_another_history_is_told(postgres_url: str, schema: str, store: PostgresEventStore, session: Open) -> None:
    """FEED-08: a position above all that was allocated, another identity, another epoch."""
    store.append("a-1", [NewEvent("Made", {})], expected_version=ANY)
    before = store.identity()
    assert store.poll(1, identity=before).next_position == 1
    with pytest.raises(PositionAheadError) as ahead:
        store.poll(2)
    assert (ahead.value.position, ahead.value.high) == (2, 1)
    store.bump_epoch()
    with pytest.raises(PositionAheadError, match="epoch 1"):
        store.poll(1, identity=before)
    with pytest.raises(PositionAheadError, match="epoch 1"):
        next(iter(store.subscribe(after_position=1, identity=before)))
    assert store.poll(1, identity=store.identity()).events == []


def test_raw_writes_that_leave_streams_behind_are_named(
    postgres_url: str, schema: str, store: PostgresEventStore, session: Open
) -> None:
    store.append("good-1", [NewEvent("Made", {})], expected_version=ANY)
    store.append("behind-1", [NewEvent("Made", {})], expected_version=ANY)
    store.append("holed-1", [NewEvent("Made", {}) for _ in range(3)], expected_version=ANY)
    assert store.check() == []
    opened = session()
    opened.insert("behind-1", 2)
    opened.insert("rowless-1", 1)
    opened.run("SELECT {schema}.allow_rewriting()")
    opened.run("DELETE FROM {schema}.events WHERE stream_id = 'holed-1' AND version = 2")
    opened.run("ALTER TABLE {schema}.events DISABLE TRIGGER events_guard_positions")
    opened.commit()
    findings = {finding.subject: finding.problem for finding in store.check()}
    assert findings.keys() == {"behind-1", "rowless-1", "holed-1", "events"}
    assert "left it behind" in findings["behind-1"]


def test_delivery_beside_an_open_foreign_transaction_is_not_slower(
    postgres_url: str, schema: str, store: PostgresEventStore, session: Open
) -> None:
    """Less than one poll interval more than without it (FEED-04)."""

    def delay() -> float:
        subscription = store.subscribe(after_position=store.head_position(), poll_interval=5)
        start = time.monotonic()
        store.append("a-1", [NewEvent("Made", {})], expected_version=ANY)
        next(iter(subscription))
        subscription.close()
        return time.monotonic() - start

    alone = min(delay() for _ in range(3))
    with psycopg.connect(postgres_url) as writing:
        writing.execute("CREATE TEMP TABLE other (x int)")
        beside = min(delay() for _ in range(3))
        writing.rollback()
    assert beside < alone + 5
