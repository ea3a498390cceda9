"""Subscription workers in processes of their own, to be killed."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

import psycopg

from mink_core import MinkError, RetryPolicy
from mink_postgres import PostgresEventStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from mink_core import StoredEvent

PATIENT = RetryPolicy(retries=1000, first_wait=0.05, longest_wait=0.2)
TABLES = """
    CREATE TABLE balances (account text PRIMARY KEY, balance bigint NOT NULL, applied bigint NOT NULL);
    CREATE TABLE seen (n bigserial PRIMARY KEY, global_position bigint NOT NULL);
    CREATE TABLE handled (
        n bigserial PRIMARY KEY, stream_id text NOT NULL, version bigint NOT NULL, worker text NOT NULL, committed_in xid8
        NOT NULL DEFAULT pg_current_xact_id()
    );
    CREATE TABLE fenced (partition integer NOT NULL);
    CREATE TABLE deaths (global_position bigint PRIMARY KEY);
"""


class Processes:
    """Workers that can be started in milliseconds, as a server forks them; none outlives the block."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([__name__])
        self.running: list[Any] = []

    def start(self, target: Callable[..., None], *args: Any) -> Any:
        process = self._context.Process(target=target, args=args, daemon=True)
        process.start()
        self.running.append(process)
        return process

    def kill(self, process: Any) -> None:
        process.kill()
        process.join()
        self.running.remove(process)

    def pause(self, process: Any) -> None:
        os.kill(process.pid, signal.SIGSTOP)

    def go_on(self, process: Any) -> None:
        os.kill(process.pid, signal.SIGCONT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in list(self.running):
            self.kill(process)


def _follow(url: str, name: str, handler: Callable[..., None], **options: Any) -> None:
    """Work for ever; a worker that could not even start tries again, as a service manager would do."""
    while True:
        with suppress(MinkError), PostgresEventStore(url, min_size=2, max_size=20, pool_timeout=5) as store:
            store.subscription(name, handler, retry=PATIENT, lease_seconds=0.4, poll_interval=0.05, **options).run()


DEADLY = (25, 250)
"""Positions at which a worker dies once, after its effect and before its checkpoint, whatever the kills do."""


def _die_once(url: str, event: StoredEvent) -> None:
    if event.global_position in DEADLY:
        with psycopg.connect(url, autocommit=True) as connection:
            died = connection.execute(
                "INSERT INTO deaths VALUES (%s) ON CONFLICT DO NOTHING RETURNING 1", (event.global_position,)
            ).fetchone()
        if died:
            os.kill(os.getpid(), signal.SIGKILL)


def project_balances(url: str) -> None:
    """Exactly once: the effects go through the transaction's connection."""

    def apply(event: StoredEvent, tx: Any) -> None:
        tx.connection.execute(
            "INSERT INTO balances AS b VALUES (%s, %s, 1) "
            "ON CONFLICT (account) DO UPDATE SET balance = b.balance + excluded.balance, applied = b.applied + 1",
            (event.stream_id, event.data["amount"]),
        )
        _die_once(url, event)

    _follow(url, "balances", apply, transactional=True, batch_size=40)


def note_what_is_seen(url: str) -> None:
    """At least once: the effects go their own way."""
    connections: list[psycopg.Connection[Any]] = []

    def note(event: StoredEvent) -> None:
        if not connections or connections[-1].closed:
            connections.append(psycopg.connect(url, autocommit=True))
        connections[-1].execute("INSERT INTO seen (global_position) VALUES (%s)", (event.global_position,))
        _die_once(url, event)

    _follow(url, "seen", note, batch_size=40)


def handle_a_share(url: str, worker: str) -> None:
    """One of several workers of eight partitions; it tells of each time that it was fenced."""

    class Fenced(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if getattr(record, "next_step", "") == "lost":
                with psycopg.connect(url, autocommit=True) as connection:
                    connection.execute("INSERT INTO fenced VALUES (%s)", (record.partition,))

    logger = logging.getLogger("mink.subscriptions")
    logger.addHandler(Fenced())
    logger.setLevel(logging.INFO)

    def handle(event: StoredEvent, tx: Any) -> None:
        tx.connection.execute(
            "INSERT INTO handled (stream_id, version, worker) VALUES (%s, %s, %s)",
            (event.stream_id, event.version, worker),
        )

    _follow(url, "shared", handle, transactional=True, partitions=8, batch_size=20)
