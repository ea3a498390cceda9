"""Snapshots on PostgreSQL: racing savers, one round trip, and rows of other software (SNAP-01 to SNAP-03)."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import psycopg
import pytest

from mink_core import NewEvent, open_store
from mink_postgres.programs import snapshots

if TYPE_CHECKING:
    from mink_postgres import PostgresEventStore


def test_a_slow_saver_of_an_older_state_does_not_win(store: PostgresEventStore) -> None:
    """T19: whoever comes last, also where both have begun before either has committed."""
    for first, second, wins in ((7, 6, 7), (8, 9, 9), (10, 10, 10)):
        saved: list[bool] = []
        with store.transaction() as tx:
            assert tx.snapshots.save("a-1", first, {"by": "open"})
            racing = threading.Thread(
                target=lambda version=second, said=saved: said.append(
                    store.snapshots.save("a-1", version, {"by": "racing"})
                )
            )
            racing.start()
            racing.join(0.2)
            assert racing.is_alive()
        racing.join(60)
        assert saved == [second >= first]
        found = store.snapshots.load("a-1")
        assert found is not None
        assert (found.version, found.data["by"]) == (wins, "racing" if second >= first else "open")


def test_two_first_savers(store: PostgresEventStore) -> None:
    saved: list[bool] = []
    with store.transaction() as tx:
        assert tx.snapshots.save("a-1", 2, {})
        racing = threading.Thread(target=lambda: saved.append(store.snapshots.save("a-1", 1, {})))
        racing.start()
        racing.join(0.2)
    racing.join(60)
    assert saved == [False]


def test_the_tail_comes_in_one_round_trip(store: PostgresEventStore) -> None:
    store.append("a-1", [NewEvent("Made", n) for n in range(5)], expected_version=0)
    store.snapshots.save("a-1", 3, {"n": 3})
    program = snapshots.load_with_tail(store._context, "a-1", None, None)
    query = next(program)
    with store.transaction() as tx:
        rows = tx._fetch(query)
    with pytest.raises(StopIteration) as ended:
        program.send(rows)
    page: Any = ended.value.value
    assert (page.snapshot.version, [event.version for event in page.events], page.rest) == (3, [4, 5], None)


def test_the_decided_table_holds_the_newest_and_other_software_s_rows_are_read(store: PostgresEventStore) -> None:
    schema = store._context.sql.quoted
    for version in (1, 2):
        store.snapshots.save("a-1", version, {"n": version}, keep=2)
    with store.transaction() as tx:
        rows = tx.connection.execute(f"SELECT stream_id, version, data FROM {schema}.snapshots").fetchall()
        assert rows == [("a-1", 2, b'{"n":2}')]
        tx.connection.execute(f"INSERT INTO {schema}.snapshots (stream_id, version, data) VALUES ('b-1', 9, 'raw')")
        tx.connection.execute(f"UPDATE {schema}.snapshots SET version = 3, data = 'raw' WHERE stream_id = 'a-1'")
    for stream, version in (("b-1", 9), ("a-1", 3)):
        found = store.snapshots.load(stream)
        assert found is not None
        assert (found.version, found.data, found.snapshot_type) == (version, b"raw", "")
    assert store.snapshots.save("b-1", 8, {}) is False
    assert store.snapshots.save("b-1", 10, {}, keep=2) is True
    older = store.snapshots.load("b-1", at_version=9)
    assert older is not None
    assert older.data == b"raw"


@pytest.mark.parametrize("style", ["German", "SQL, DMY", "Postgres"])
def test_its_time_comes_whatever_the_date_style(
    store: PostgresEventStore, postgres_url: str, schema: str, style: str
) -> None:
    """As a role's or a database's setting may be; psycopg reads no time with a zone in any but ISO."""
    store.append("a-1", [NewEvent("Made", 1), NewEvent("Made", 2)], expected_version=0)
    store.snapshots.save("a-1", 1, {})
    stored = store.snapshots.load("a-1")
    options = quote(f"-c DateStyle={style.replace(' ', chr(92) + ' ')} -c TimeZone=Asia/Kathmandu")
    with open_store(f"{postgres_url}?schema={schema}&options={options}") as other:
        found = other.snapshots.load_with_tail("a-1")
        assert found.snapshot == stored
        assert [event.data for event in found.events] == [2]
        with psycopg.connect(f"{postgres_url}?options={options}") as connection:
            assert other.bind(connection).snapshots.load_with_tail("a-1").snapshot == stored
