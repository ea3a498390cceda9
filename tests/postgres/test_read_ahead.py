"""Sync readers ask for a page ahead: it costs nobody a connection, a snapshot, an event or a wait."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from mink_core import EventFilter, ExpectedVersion, NewEvent, StreamAppend
from mink_postgres import PostgresEventStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ANY = ExpectedVersion.ANY
EVENTS = 3500
"""In four pages."""


@pytest.fixture
def log(postgres_url: str, schema: str) -> Iterator[PostgresEventStore]:
    with PostgresEventStore(postgres_url, schema=schema, min_size=1, max_size=1, pool_timeout=30.0) as store:
        store.initialize()
        events = [NewEvent(f"Type-{n % 2}", {"n": n, "text": "x" * 2000}) for n in range(EVENTS)]
        store.append_batch([StreamAppend("a-1", events, ANY)])
        yield store


def _until(holds: Callable[[], bool], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.005)


def _keepers() -> int:
    return sum(thread.name == "mink-read-ahead" for thread in threading.enumerate())


def test_a_reader_that_stands_still_gives_connection_and_snapshot_back(
    log: PostgresEventStore, postgres_url: str
) -> None:
    """A page of 2 MB is more than the sockets hold: its query would run until the reader goes on."""
    with psycopg.connect(postgres_url, autocommit=True) as other:

        def busy() -> int:
            row = other.execute(
                "SELECT count(*) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND state <> 'idle' AND query LIKE '%global_position%'"
            ).fetchone()
            return int(row[0]) if row else 0

        reader = log.read_all()
        next(reader)
        _until(lambda: log.pool_status()["used"] == 0 and busy() == 0)
        assert sum(1 for _ in reader) == EVENTS - 1
        assert log.pool_status()["used"] == 0
    _until(lambda: not _keepers())


def test_a_reader_may_append_with_the_only_connection(log: PostgresEventStore) -> None:
    seen = []
    for event in log.read_stream("a-1"):
        seen.append(event.version)
        if event.version % 500 == 1:
            log.append("b-1", [NewEvent("Seen", event.version)], expected_version=ANY)
    assert seen == [*range(1, EVENTS + 1)]
    with log.transaction() as transaction:  # as many readers as it likes, and none is ahead
        assert sum(1 for _ in transaction.read_stream("a-1")) == EVENTS


@pytest.mark.parametrize("read", [1, 999, 1000, 1001, 2500])
def test_closed_early_it_leaves_nothing(log: PostgresEventStore, read: int, caplog: pytest.LogCaptureFixture) -> None:
    reader: Any = log.read_all()
    for _ in range(read):
        next(reader)
    reader.close()
    _until(lambda: log.pool_status()["used"] == 0 and not _keepers())
    assert sum(1 for _ in log.read_all()) == EVENTS
    assert not caplog.records


def test_what_was_asked_for_ahead_and_lost_is_read_in_its_turn(log: PostgresEventStore, postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as killer:
        seen = []
        for event in log.read_all():
            if event.version == 500:  # page two is on its way, or taken in
                _until(lambda: log.pool_status()["used"] == 0)
            if event.version == 1001:  # page three was sent a moment ago
                killer.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE pid <> pg_backend_pid() AND query LIKE %s",
                    [f"%{log._options.schema}%"],
                )
            seen.append(event.version)
    assert seen == [*range(1, EVENTS + 1)]


def test_filtered_backwards_and_limited_pages_are_the_same(log: PostgresEventStore) -> None:
    odd = EventFilter(event_types=("Type-1",))
    assert [event.data["n"] for event in log.read_all(where=odd)] == [*range(1, EVENTS, 2)]
    assert [event.version for event in log.read_all(limit=2001)] == [*range(1, 2002)]
    assert [event.version for event in log.read_stream("a-1", after_version=1000, limit=1500)] == [*range(1001, 2501)]
    one = next(iter(log.read_all(after_position=1500)))
    assert (one.version, one.timestamp.utcoffset(), one.metadata) == (1501, one.timestamp.utcoffset(), {})
    assert [*log.read_stream("a-1")] == [
        *log.read_stream("a-1", limit=1000),
        *log.read_stream("a-1", after_version=1000),
    ]


def test_a_page_that_comes_ahead_waits_for_no_connection(log: PostgresEventStore) -> None:
    reader = log.read_all()
    with log.transaction():  # has the only one
        pass
    first = next(reader)
    _until(lambda: log.pool_status()["used"] == 0, seconds=60)
    with log.transaction():
        rest = [first, *(next(reader) for _ in range(1999))]  # the third page cannot be asked for yet
    assert len([*rest, *reader]) == EVENTS
