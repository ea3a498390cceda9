"""Workers are killed and the server is restarted: exactly once stays once, at least once misses nothing.

The suite runs a short version. `MINK_SOAK_SECONDS=60` runs the long one: 30 kills and 2 restarts, and a
minute of workers that come, go and freeze.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from mink_core import ExpectedVersion, NewEvent, StreamAppend
from mink_postgres import PostgresEventStore
from mink_postgres.server import EmbeddedServer
from tests.postgres.worker_processes import (
    DEADLY,
    TABLES,
    Processes,
    handle_a_share,
    note_what_is_seen,
    project_balances,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ANY = ExpectedVersion.ANY
SOAK = float(os.environ.get("MINK_SOAK_SECONDS", "0"))
KILLS, RESTARTS, EVENTS = (30, 2, 20_000) if SOAK else (5, 1, 3_000)
SHARE_SECONDS = SOAK or 4.0


@pytest.fixture
def server() -> Iterator[EmbeddedServer]:
    """A server of the test's own, as it is restarted."""
    with EmbeddedServer.start() as started:
        with PostgresEventStore(started.url(), min_size=1) as store:
            store.initialize()
        with psycopg.connect(started.url(), autocommit=True) as admin:
            admin.execute(TABLES)
        yield started


def deposit(server: EmbeddedServer, count: int) -> None:
    """By a store of its own: a pool that lived through a restart has dead connections in it."""
    with PostgresEventStore(server.url(), min_size=1) as store:
        for start in range(0, count, 500):
            store.append_batch(
                StreamAppend(
                    f"account-{random.randrange(40)}", [NewEvent("Deposited", {"amount": random.randint(-9, 99)})], ANY
                )
                for _ in range(start, min(start + 500, count))
            )


def rows(server: EmbeddedServer, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(server.url()) as connection:
        return connection.execute(statement).fetchall()


def kill_while_it_works(server: EmbeddedServer, target: Callable[..., None], name: str) -> None:
    """Kill the worker at random moments, restart the server in between, then let it catch up."""
    with Processes() as processes:
        deposit(server, EVENTS // 2)
        worker = processes.start(target, server.url())
        restarts = random.sample(range(KILLS), RESTARTS)
        for number in range(KILLS):
            time.sleep(random.uniform(0.3, 0.6))
            if number in restarts:
                server.restart()
                time.sleep(1)
            processes.kill(worker)
            worker = processes.start(target, server.url())
            deposit(server, EVENTS // 2 // KILLS)
        with PostgresEventStore(server.url(), min_size=1) as store:
            newest = store.head_position()
            end = time.monotonic() + 150
            while (found := store.checkpoints.load(name)) is None or found.position < newest:
                assert time.monotonic() < end, f"not caught up: {found}, {newest}"
                if not worker.is_alive():
                    worker = processes.start(target, server.url())
                time.sleep(0.1)


def test_exactly_once_whoever_is_killed(server: EmbeddedServer) -> None:
    kill_while_it_works(server, project_balances, "balances")
    with PostgresEventStore(server.url(), min_size=1) as store:
        balances: Counter[str] = Counter()
        applied: Counter[str] = Counter()
        for event in store.read_all():
            balances[event.stream_id] += event.data["amount"]
            applied[event.stream_id] += 1
    found = {account: (balance, count) for account, balance, count in rows(server, "SELECT * FROM balances")}
    assert found == {account: (balances[account], applied[account]) for account in applied}


def test_at_least_once_misses_nothing(server: EmbeddedServer) -> None:
    """And as its twin shows what the test above would see, were effects and checkpoint two commits."""
    kill_while_it_works(server, note_what_is_seen, "seen")
    with PostgresEventStore(server.url(), min_size=1) as store:
        stored = {event.global_position for event in store.read_all()}
    times = Counter(position for (position,) in rows(server, "SELECT global_position FROM seen"))
    assert times.keys() == stored
    assert min(times[position] for position in DEADLY) > 1


def test_partitions_move_without_a_gap_or_a_double_commit(server: EmbeddedServer) -> None:
    """Workers are killed, frozen past their lease, and added, beside 300 appends a second."""
    stop = threading.Event()
    appended: Counter[str] = Counter()

    def write() -> None:
        with PostgresEventStore(server.url(), min_size=1) as store:
            start = time.monotonic()
            while not stop.is_set():
                stream = f"stream-{random.randrange(100)}"
                store.append(stream, [NewEvent("Made", {})], expected_version=ANY)
                appended[stream] += 1
                time.sleep(max(start + appended.total() / 300 - time.monotonic(), 0))

    writer = threading.Thread(target=write)
    with Processes() as processes:
        for number in range(4):
            processes.start(handle_a_share, server.url(), f"w{number}")
        writer.start()
        begun, number, worked = time.monotonic(), 4, 0
        # On a busy machine it takes longer until enough of them have had a share.
        while (passed := time.monotonic() - begun) < SHARE_SECONDS or (worked <= 3 and passed < SHARE_SECONDS + 60):
            time.sleep(random.uniform(0.2, 0.6))
            victim = random.choice(processes.running)
            if random.random() < 0.5:
                processes.pause(victim)
                time.sleep(0.6)  # longer than its lease: another worker takes over
                processes.go_on(victim)
            elif len(processes.running) > 2:
                processes.kill(victim)
            if len(processes.running) < 6:
                processes.start(handle_a_share, server.url(), f"w{number}")
                number += 1
            [(worked,)] = rows(server, "SELECT count(DISTINCT worker) FROM handled")
        stop.set()
        writer.join()
        end = time.monotonic() + 120
        while rows(server, "SELECT count(*) FROM handled")[0][0] < appended.total() and time.monotonic() < end:
            time.sleep(0.1)
    seen: dict[str, list[int]] = {}
    for stream, version in rows(server, "SELECT stream_id, version FROM handled ORDER BY n"):
        seen.setdefault(stream, []).append(version)
    assert seen == {stream: list(range(1, count + 1)) for stream, count in appended.items()}
    (fenced,) = rows(server, "SELECT count(*) FROM fenced")[0]
    workers = rows(server, "SELECT count(DISTINCT worker) FROM handled")[0][0]
    print(f"{appended.total()} events by {workers} workers; a stale owner was refused {fenced} times")
    assert workers > 3
