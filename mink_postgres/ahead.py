"""Sync readers: the next page is asked for while the caller works on the one before.

The query is sent and left to the server and the sockets between, so that neither thread nor lock stands in the
way of a caller that reads on. One that does not would keep a connection, and the server's snapshot where the page
is larger than the sockets' buffers: a thread takes the page in for it (READ-04).
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from mink_core.errors import MinkError
from mink_postgres.drivers import psycopg_sent, psycopg_sync
from mink_postgres.rows import consumed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mink_postgres.backends.sync_psycopg import Connection, PsycopgBackend
    from mink_postgres.programs.reading import Reader
    from mink_postgres.query import Program, Query, Rows

T = TypeVar("T")

PATIENCE = 0.02
"""Seconds that a page waits for its reader, at least, before it is taken in for it; twice that at most."""
_AT_ONCE = 0.001
"""Seconds to wait for a connection: a page that comes ahead of its time must not wait for one."""


class _Page:
    """A page whose query is sent ahead of its time. Two threads may `finish` it; the first does."""

    def __init__(self, program: Program[Rows], backend: PsycopgBackend) -> None:
        """Begin without a connection: its keeper has to know of it first, who gives that back whatever comes."""
        self._program = program
        self._backend = backend
        self._lock = threading.Lock()
        self._held: list[Any] = [None]
        self._query: Query | None = None
        """What was sent."""
        self._done = False
        self._rows: Rows | None = None
        self._error: MinkError | None = None

    def send(self) -> None:
        """Send its first query.

        Raises:
            MinkError: There is no connection to be had at once, or it failed.
        """
        with self._lock:
            if self._done:  # its keeper lost patience with a reader that stood still
                return
            try:
                query = next(self._program)
                psycopg_sent.send(self._backend.acquire(self._held, _AT_ONCE), query)
                self._query = query
            finally:
                if self._query is None:
                    self._release()

    def finish(self) -> None:
        """Take the page in and give the connection back. Its keeper goes on with what was interrupted."""
        with self._lock:
            try:
                if self._query is not None and not self._done:
                    self._done = True
                    self._rows = self._take(self._held[0], self._query)
            except MinkError as error:
                self._error = error
            finally:
                self._done = True
                self._release()

    def _release(self) -> None:
        self._backend.release(self._held)
        self._program.close()

    def _take(self, connection: Connection, query: Query) -> Rows:
        rows = psycopg_sent.receive(connection, query)
        try:
            while True:  # a filtered page takes two queries
                rows = psycopg_sync.fetch(connection, self._program.send(rows))
        except StopIteration as stop:
            taken: Rows = stop.value
            return taken

    def result(self) -> Rows | None:
        """The page's rows, None where it was not sent; or raise what it failed of."""
        self.finish()
        if self._error is not None:
            raise self._error
        return self._rows


class _Keeper:
    """A thread that takes in a page whose reader stands still, or has gone. It sleeps while there is none."""

    def __init__(self) -> None:
        """Begin without it."""
        self._page: _Page | None = None
        self._started = self._ended = False
        # Released to ring. An Event is written in Python: it stays locked where Ctrl-C comes in the middle of its `set`.
        self._bell = threading.Lock()
        self._bell.acquire()

    def watch(self, page: _Page) -> None:
        """Look after this page now, no longer after the one before."""
        self._page = page
        self._ring()
        if not self._started:
            self._started = True
            # A daemon, as nothing is lost when the process ends.
            threading.Thread(target=self._work, name="mink-read-ahead", daemon=True).start()

    def end(self) -> None:
        """The reader has gone: take in what is left, and stop."""
        self._ended = True
        self._ring()

    def _ring(self) -> None:
        if self._bell.locked():
            self._bell.release()

    def _work(self) -> None:
        page: _Page | None = None
        # A page may come, and its reader go, while the one before is taken in: it is taken in as well.
        while not self._ended or page is not self._page:
            self._bell.acquire()  # before the page is looked at: one that comes from here on rings again
            while page is not self._page:
                page = self._page
                time.sleep(PATIENCE)
            if page is not None:
                page.finish()


def pages_ahead(
    reader: Reader[T],
    run: Callable[[Program[Rows]], Rows],
    run_whole: Callable[[Program[Rows]], Rows],
    backend: PsycopgBackend,
) -> Iterator[T]:
    """Everything a reader reads, with the next page asked for while one is taken.

    Args:
        reader: What to read.
        run: Runs a program in its turn.
        run_whole: Runs one whose statements rest on each other.
        backend: Where pages that come ahead get their connections.
    """
    program = reader.next_page()
    rows = None if program is None else (run_whole if reader.looks else run)(program)
    keeper: _Keeper | None = None
    try:
        # No `while` with a condition: CPython 3.13 would leave the `finally` out where Ctrl-C comes as it turns round.
        while True:
            if rows is None:
                return
            coming: _Page | None = None
            if (program := reader.next_page()) is not None:
                keeper = keeper or _Keeper()
                ahead = _Page(program, backend)
                keeper.watch(ahead)
                # What cannot be had ahead of its time is read in its time.
                with suppress(MinkError):
                    ahead.send()
                    coming = ahead
            page = reader.items(rows)
            rows = None
            yield from consumed(page, reader.readable)
            if coming is not None:
                with suppress(MinkError):
                    rows = coming.result()
            if rows is None and (program := reader.next_page()) is not None:
                rows = run(program)
    finally:
        if keeper is not None:
            try:
                keeper.end()
            except BaseException:
                keeper.end()
                raise
