"""Wake-ups: a hint to subscribers that there are new events, beside the appends and never in them.

NOTIFY inside the append's transaction takes a lock of the whole database until its commit, so that
commits wait for each other. Here an append sets a flag, and in a quiet store wakes the subscribers of its own
process itself. A thread with a connection of its own sends one NOTIFY for all appends since the last one, and another
listens. A hint carries nothing and may be lost, which costs a poll interval; so nothing here ever fails an append or a read.

Threads with psycopg serve every driver: a hint is taken up by whatever thread or event loop waits.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import psycopg
from psycopg import sql

from mink_core.backoff import Backoff
from mink_core.runtime.apart import apart
from mink_core.runtime.bell import Bell
from mink_postgres.reaching import libpq_options

if TYPE_CHECKING:
    from collections.abc import Callable

    from mink_core.runtime.pace import Sleeper

log = logging.getLogger("mink.wakeups")

SHORTEST_GAP, LONGEST_GAP = 0.002, 0.02
"""Seconds between two hints: the busier the store, the longer, as busy subscribers need none."""
_GAP_PER_APPEND = 0.001
_LISTENING = 0.2
_MAX_CHANNEL = 63
_BACKOFF = Backoff(0.05, most=5.0)


class Wakeups:
    """Sends and takes hints for one store. Both threads start when they are first needed."""

    def __init__(self, schema: str, conninfo: Callable[[], str | None]) -> None:
        """Start nothing yet.

        Args:
            schema: The store's; stores on one schema and database wake each other.
            conninfo: Where to connect, once the store is open.
        """
        # A channel's name is cut at 63 bytes: two schemas that share it only wake each other for nothing.
        self._channel = f"mink:{schema}"[:_MAX_CHANNEL]
        self._me = secrets.token_hex(8)
        self._conninfo = conninfo
        self._sleepers: WeakSet[Sleeper] = WeakSet()
        self._lock = threading.Lock()
        self._sender: threading.Thread | None = None
        self._listener: threading.Thread | None = None
        self._dirty = Bell()
        self._owed = False
        """An append came that nobody of this store was woken for; the sender does it."""
        self._quiet = True
        """So few append that each may wake this store's subscribers itself."""
        self._count = 0
        self._closed = Bell()

    def appended(self) -> None:
        """An append has committed. Sends nothing itself: the callers are the busiest of all."""
        if self._sender is None:  # before the flag is set, which says that it will come: Ctrl-C may be anywhere
            apart(self._start_sending)
        self._count += 1  # about right is enough: it only says how busy the store is
        quiet = self._quiet
        if self._dirty.is_set() or not quiet:
            self._owed = True  # before the second look: the sender clears the one, then reads the other
            if self._dirty.is_set():
                return
        self._dirty.set()
        if quiet:
            self._nudge()  # those in this process need no detour by a thread

    def add(self, sleeper: Sleeper) -> None:
        """Somebody of this store waits for events."""
        with self._lock:
            self._sleepers.add(sleeper)
        if self._listener is None:
            apart(self._start_listening)  # as is a sender: Ctrl-C would leave a thread that nobody knows of

    def _start_listening(self) -> None:
        with self._lock:
            if self._listener is None and not self._closed.is_set():
                self._listener = self._start(self._take, "mink wake-ups in")

    def _start_sending(self) -> None:
        with self._lock:
            if self._sender is None and not self._closed.is_set():
                self._sender = self._start(self._send, "mink wake-ups out")

    def _start(self, steps: Callable[[psycopg.Connection[Any]], None], name: str) -> threading.Thread | None:
        thread = threading.Thread(target=self._work, args=(steps,), name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            log.warning("wake-ups are off until a thread is to be had; polling goes on: %s", error)
            return None
        return thread

    def _nudge(self) -> None:
        if not self._sleepers:
            return
        with self._lock:
            sleepers = list(self._sleepers)
        for sleeper in sleepers:
            sleeper.nudge()

    def _work(self, steps: Callable[[psycopg.Connection[Any]], None]) -> None:
        """Keep a connection for it, and make a new one when that is lost."""
        attempt = 0
        while not self._closed.is_set():
            conninfo = self._conninfo()
            try:
                if conninfo is not None:
                    with psycopg.connect(
                        conninfo, autocommit=True, application_name="mink wake-ups", **libpq_options(conninfo)
                    ) as connection:
                        attempt = 0
                        steps(connection)
                        continue
            except psycopg.Error as error:
                log.warning("wake-ups are off until a connection is had again; polling goes on: %s", error)
            attempt += 1
            self._closed.wait(_BACKOFF.delay(attempt))

    def _send(self, connection: psycopg.Connection[Any]) -> None:
        # Nothing is lost with a hint, so its commit need not be durable.
        connection.execute("SET synchronous_commit = off")
        while not self._closed.is_set():
            if not self._dirty.wait(_LISTENING):
                continue
            began = time.monotonic()
            # First cleared, then counted and sent: an append in between sets it again.
            self._dirty.clear()
            count, self._count = self._count, 0
            if self._owed:
                self._owed = False
                self._nudge()  # nor one by the server
            try:
                connection.execute("SELECT pg_notify(%s, %s)", (self._channel, self._me))
            except psycopg.Error:
                self._dirty.set()  # the next connection sends it: nobody else knows of these appends
                raise
            gap = min(max(SHORTEST_GAP, count * _GAP_PER_APPEND), LONGEST_GAP)
            self._quiet = gap == SHORTEST_GAP
            time.sleep(max(began + gap - time.monotonic(), 0))

    def _take(self, connection: psycopg.Connection[Any]) -> None:
        connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(self._channel)))
        self._nudge()  # for what came while nobody listened
        while not self._closed.is_set():
            for notice in connection.notifies(timeout=_LISTENING):
                if notice.payload != self._me:
                    self._nudge()
                if self._closed.is_set():
                    return

    def close(self) -> None:
        """End both threads soon; what they wait for is cut short."""
        self._closed.set()
        self._dirty.set()
        with self._lock:
            threads = [thread for thread in (self._sender, self._listener) if thread is not None]
        for thread in threads:
            thread.join(2 * _LISTENING)
