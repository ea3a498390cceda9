"""A page's rows become the same events in C and in Python, and their times are the server's."""

from __future__ import annotations

import asyncio
import gc
import struct
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import sql

from mink_core import ExpectedVersion, NewEvent, StorageError, StoredEvent
from mink_postgres import AsyncPostgresEventStore, PostgresEventStore, rows
from tests.compiled import needs_compiled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
LOWEST = datetime(1, 1, 1, tzinfo=UTC)
HIGHEST = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
DAYS = [
    LOWEST, HIGHEST, EPOCH, EPOCH - MICROSECOND, datetime(1970, 1, 1, tzinfo=UTC), datetime(1969, 12, 31, 23, 59, 59, 1, UTC),
    datetime(1900, 2, 28, 23, 59, 59, 999999, UTC), datetime(1900, 3, 1, tzinfo=UTC), datetime(2000, 2, 29, tzinfo=UTC),
    datetime(2100, 2, 28, 12, tzinfo=UTC), datetime(2024, 2, 29, 23, 59, 59, 999999, UTC), datetime(4, 2, 29, tzinfo=UTC),
    datetime(2400, 12, 31, tzinfo=UTC), datetime(2038, 1, 19, 3, 14, 8, 65536, UTC), datetime(2026, 11, 29, 1, 2, 3, 255, UTC),
]  # fmt: skip
WAYS = [
    pytest.param(rows._events_of, id="python"),
    pytest.param(
        lambda page: rows.stored_events(page, ()),
        id="compiled",
        marks=needs_compiled,
    ),
]
ways = pytest.mark.parametrize("way", WAYS)


def sent(moment: datetime) -> bytes:
    return struct.pack(">q", (moment - EPOCH) // MICROSECOND)


def row(time: bytes, metadata: str | None = '{"k": 1}', position: int = 3) -> tuple[Any, ...]:
    return (position, "order-1", 2, UUID(int=7), "Made", '{"n": [1, 2.5]}', metadata, time)


@ways
@settings(max_examples=500)
@given(st.datetimes(timezones=st.just(UTC)) | st.sampled_from(DAYS))
def test_times_are_what_was_sent(way: Callable[[Sequence[Any]], list[StoredEvent]], moment: datetime) -> None:
    [event] = way([row(sent(moment))])
    assert event.timestamp == moment
    assert event.timestamp.tzinfo is UTC
    assert (event.timestamp.fold, type(event.timestamp)) == (0, datetime)


@ways
def test_every_day_of_four_centuries(way: Callable[[Sequence[Any]], list[StoredEvent]]) -> None:
    moments = [datetime(1799, 12, 30, 5, tzinfo=UTC) + timedelta(days=day) for day in range(146_100)]
    assert [event.timestamp for event in way([row(sent(moment)) for moment in moments])] == moments


@ways
def test_an_event_has_all_of_its_row(way: Callable[[Sequence[Any]], list[StoredEvent]]) -> None:
    assert way([]) == []
    full, bare = way([row(sent(EPOCH)), row(sent(HIGHEST), None, 4)])
    assert full == StoredEvent("order-1", 2, 3, UUID(int=7), "Made", {"n": [1, 2.5]}, {"k": 1}, EPOCH)
    assert bare == StoredEvent("order-1", 2, 4, UUID(int=7), "Made", {"n": [1, 2.5]}, {}, HIGHEST)
    again, other = way([row(sent(EPOCH), None)] * 2)
    assert again.metadata is not other.metadata


@ways
@pytest.mark.parametrize(
    "count", [2**63 - 1, -(2**63), (HIGHEST - EPOCH) // MICROSECOND + 1, (LOWEST - EPOCH) // MICROSECOND - 1]
)
def test_a_time_that_python_has_not_is_told(way: Callable[[Sequence[Any]], list[StoredEvent]], count: int) -> None:
    with pytest.raises(StorageError, match="position 42 has a timestamp"):
        way([row(sent(EPOCH)), row(struct.pack(">q", count), position=42)])


@needs_compiled
def test_the_part_in_c_keeps_nothing_and_leaves_to_python_what_it_does_not_know() -> None:
    assert rows._compiled is not None
    made = lambda page: rows._compiled(page, StoredEvent, rows.Raw, datetime, UTC)  # type: ignore[misc]  # noqa: E731
    stream, data, time, key = "order-" + "1" * 9, '{"n": 1234567}', sent(HIGHEST), UUID(int=9)
    whole = (10**9, stream, 10**8, key, "Made", data, None, time)
    strange = [
        whole[:7],
        (*whole, 1),
        (*whole[:7], "text"),
        (*whole[:7], time[:7]),
        (*whole[:7], struct.pack(">q", 2**63 - 1)),
    ]
    before = [sys.getrefcount(thing) for thing in (stream, data, time, key, None, UTC, StoredEvent, whole)]
    for _ in range(500):
        assert made([whole, whole])[1].timestamp == HIGHEST
        for one in strange:
            assert made([whole, one]) is None
        with pytest.raises(TypeError):
            made([whole, (*whole[:5], 5, *whole[6:])])  # data that is no text
        with pytest.raises(TypeError):
            made([whole, 7])
    gc.collect()
    after = [sys.getrefcount(thing) for thing in (stream, data, time, key, None, UTC, StoredEvent, whole)]
    assert max(abs(now - then) for now, then in zip(after, before, strict=True)) < 20


@pytest.mark.parametrize("zone", ["UTC", "America/St_Johns", "Asia/Kathmandu"])
def test_the_session_s_settings_change_no_time(postgres_url: str, schema: str, zone: str) -> None:
    with PostgresEventStore(postgres_url, schema=schema) as store, psycopg.connect(postgres_url) as connection:
        store.initialize()
        store.append("a-1", [NewEvent("Made", {})], expected_version=ExpectedVersion.NO_STREAM)
        [event] = store.read_stream("a-1")
        for setting, value in (("TimeZone", zone), ("DateStyle", "SQL, DMY"), ("bytea_output", "escape")):
            connection.execute(sql.SQL("SET {} TO {}").format(sql.Identifier(setting), sql.Literal(value)))
        bound = store.bind(connection)
        for found in (*bound.read_stream("a-1"), *bound.read_all()):
            assert found == event
            assert found.timestamp.tzinfo is UTC
        query = sql.SQL("SELECT timestamp = %s::timestamptz FROM {}.events").format(sql.Identifier(schema))
        assert connection.execute(query, [event.timestamp.isoformat()]).fetchall() == [(True,)]


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
def test_an_infinite_time_is_told_by_every_reader(postgres_url: str, schema: str, driver: str) -> None:
    async def scenario() -> None:
        async with AsyncPostgresEventStore(postgres_url, schema=schema, driver=driver) as store:
            await store.initialize()
            done = await store.append("a-1", [NewEvent("Made", {})], expected_version=ExpectedVersion.NO_STREAM)
            async with await psycopg.AsyncConnection.connect(postgres_url) as connection:
                table = sql.Identifier(schema, "events")
                await connection.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER USER").format(table))
                await connection.execute(sql.SQL("UPDATE {} SET timestamp = 'infinity'").format(table))
            for reading in (store.read_all(), store.read_stream("a-1")):
                with pytest.raises(StorageError, match=f"position {done.first_position} has a timestamp"):
                    [event async for event in reading]
            with pytest.raises(StorageError, match="infinite"):
                await store.poll(0)

    asyncio.run(scenario())
