"""The server is killed: what a reader was given stays true (FEED-01, FEED-06)."""

from __future__ import annotations

import os
import threading
import time

import psycopg
import pytest

from mink_core import ExpectedVersion, MinkError, NewEvent, OutcomeUnknownError, TransientStorageError
from mink_postgres import PostgresEventStore
from mink_postgres.server import EmbeddedServer
from tests.postgres.sessions import Session

ANY = ExpectedVersion.ANY


@pytest.mark.parametrize("attempt", range(3))
def test_positions_rolled_back_then_killed_are_not_skipped(attempt: int) -> None:
    """After a rollback and a crash the sequence comes back lower; a reader that had moved on would miss events.

    The broken twin goes on from the mark instead of from an event's position.
    """
    # Nothing else of the server may flush the log meanwhile, also where the machine makes this take long.
    idle = {"wal_writer_delay": "10s", "autovacuum": "off", "checkpoint_timeout": "1h"}
    with EmbeddedServer.start(settings=idle) as server:
        with PostgresEventStore(server.url(), min_size=1, max_size=3) as store:
            store.initialize()
            store.append("a-1", [NewEvent("Made", {})], expected_version=0)
            # A checkpoint, so that the sequence's next change is logged anew and can be lost.
            with psycopg.connect(server.url(), autocommit=True) as admin:
                # What was just created is read for the first time below: without this, that writes hint bits,
                # whole pages of log, behind which the server's own writer flushes what must be lost.
                admin.execute("VACUUM")
                admin.execute("CHECKPOINT")
                # What follows begins a page of the log, however much the migrations have written before.
                admin.execute("SELECT pg_switch_wal()")
            session = Session(server.url(), "mink")
            # Just past the sequence's second record in the log: it stands at the end, where it is lost, and not
            # in a page that the server's own writer has flushed.
            for version in range(36):
                session.insert("raw-1", version + 1)
            session.rollback()
            page = store.poll(1)
            twin = store.feed_status().mark
            server.kill()
            session.connection.close()
        assert (page.events, page.next_position) == ([], 1)
        assert twin == 37
        server.restart()
        with PostgresEventStore(server.url(), min_size=1) as store:
            result = store.append("a-1", [NewEvent("After", {})], expected_version=1)
            assert [event.global_position for event in store.poll(page.next_position).events] == [result.first_position]
            # What shows that the schedule is the dangerous one: the position was given out again.
            assert result.first_position <= twin


def test_acknowledged_appends_survive_a_kill_under_load() -> None:
    """A ledger of acknowledged appends, kept while the server is killed and restarted."""
    with EmbeddedServer.start() as server:
        with PostgresEventStore(server.url(), min_size=1) as store:
            store.initialize()
        acknowledged: set[str] = set()
        stop = threading.Event()

        def write(number: int) -> None:
            with PostgresEventStore(server.url(), min_size=1, max_size=1, pool_timeout=2) as store:
                version = 0
                while not stop.is_set():
                    event = NewEvent("Made", {})
                    while not stop.is_set():
                        try:
                            version = store.append(f"w-{number}", [event], expected_version=version).last_version
                            acknowledged.add(str(event.event_id))
                            break
                        except MinkError:
                            # Retried with the same id and expectation: at most once stored (APPEND-09).
                            time.sleep(0.05)

        def guarded(number: int) -> None:
            while not stop.is_set():
                try:
                    write(number)
                except MinkError:
                    time.sleep(0.1)

        threads = [threading.Thread(target=guarded, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()

        def some_are_acknowledged() -> None:
            wanted, end = len(acknowledged) + 40, time.monotonic() + 60
            time.sleep(1.0)
            while len(acknowledged) < wanted and time.monotonic() < end:
                time.sleep(0.05)

        for _ in range(2):
            some_are_acknowledged()
            server.kill()
            server.restart()
        some_are_acknowledged()
        stop.set()
        for thread in threads:
            thread.join(60)
        with PostgresEventStore(server.url(), min_size=1) as store:
            stored = [str(event.event_id) for event in store.read_all()]
            assert len(stored) == len(set(stored))
            assert acknowledged <= set(stored)
            assert len(acknowledged) > 100
            for info in store.streams():
                versions = [event.version for event in store.read_stream(info.stream_id)]
                assert versions == list(range(1, len(versions) + 1))
            assert store.check() == []


def test_a_backend_killed_in_the_middle_is_an_unknown_outcome(postgres_url: str, admin_url: str, schema: str) -> None:
    with PostgresEventStore(postgres_url, schema=schema, min_size=1, max_size=2) as store:
        store.initialize()
        store.append("a-1", [NewEvent("Made", {})], expected_version=0)
        blocker = Session(postgres_url, schema)
        blocker.lock("a-1")
        outcome: list[BaseException] = []
        event = NewEvent("Made", {})

        def append(expected: object) -> None:
            try:
                store.append("a-1", [event], expected_version=expected)  # type: ignore[arg-type]
            except MinkError as error:
                outcome.append(error)

        for expected, safe in ((1, True), (ANY, False)):
            thread = threading.Thread(target=append, args=(expected,))
            thread.start()
            with psycopg.connect(admin_url, autocommit=True) as admin:
                killed = None
                while not killed:
                    killed = admin.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
                        "AND datname = %s",
                        (f"mink_test_{os.getpid()}",),
                    ).fetchone()
            thread.join(60)
            error = outcome.pop()
            assert isinstance(error, OutcomeUnknownError)
            assert error.retry_is_safe is safe
        blocker.rollback()
        blocker.connection.close()
        for _ in range(3):
            try:
                assert store.append("a-1", [event], expected_version=1).last_version == 2
                break
            except (TransientStorageError, OutcomeUnknownError):
                continue
        assert store.append("a-1", [event], expected_version=1).last_version == 2
