"""Partitions whose handlers write to the same rows, each in a transaction of many events."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import psycopg

from mink_core import NewEvent, Partition, SubscriptionFailure

if TYPE_CHECKING:
    from mink_core import StoredEvent
    from mink_postgres import PostgresEventStore

TIMES = 10


def test_partitions_that_lock_the_same_rows_deadlock_once(
    store: PostgresEventStore, postgres_url: str, schema: str
) -> None:
    """Each event writes to one row, by turns, in the other order in the other partition.

    Many in a transaction deadlock, and would each time again; so the rest is taken one by one, which cannot.
    """
    streams = [next(f"a-{n}" for n in range(99) if Partition(index, 2).has(f"a-{n}")) for index in range(2)]
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f'CREATE TABLE "{schema}".totals (place integer PRIMARY KEY, n integer)')
        connection.execute(f'INSERT INTO "{schema}".totals VALUES (0, 0), (1, 0)')
    for index, stream in enumerate(streams):
        events = [NewEvent("Sold", {"place": (index + n) % 2}) for n in range(2 * TIMES)]
        store.append(stream, events, expected_version=0)
    both = threading.Barrier(2)
    met = set[str]()
    transactions: dict[int, int] = {}
    failures: list[SubscriptionFailure] = []

    def handle(event: StoredEvent, tx: Any) -> None:
        tx.connection.execute(f'UPDATE "{schema}".totals SET n = n + 1 WHERE place = %s', (event.data["place"],))
        transactions[event.global_position] = tx.connection.execute("SELECT txid_current()").fetchone()[0]
        if event.version == 1 and event.stream_id not in met:
            met.add(event.stream_id)
            both.wait(60)

    with store.subscription(
        "totals", handle, transactional=True, partitions=2, on_error=failures.append, poll_interval=0.02
    ) as worker:
        end = time.monotonic() + 60
        while len(transactions) < 4 * TIMES or any(it.lag_events for it in store.subscriptions.list()):
            assert not worker.wait(0.02)
            assert time.monotonic() < end
    with psycopg.connect(postgres_url) as connection:
        found = connection.execute(f'SELECT n FROM "{schema}".totals').fetchall()
    assert found == [(2 * TIMES,), (2 * TIMES,)]
    (failure,) = failures
    assert isinstance(failure.error, psycopg.errors.DeadlockDetected)
    assert failure.event is not None
    ended = failure.event.stream_id
    (other,) = set(streams) - {ended}
    by_stream = {it.global_position: it.stream_id for it in store.read_all()}
    taken = {name: {transactions[at] for at, its in by_stream.items() if its == name} for name in (ended, other)}
    assert (len(taken[ended]), len(taken[other])) == (2 * TIMES, 1)
