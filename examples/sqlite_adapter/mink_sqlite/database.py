"""One connection to the file, used by one thread at a time; its errors told in Mink's words."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import contextmanager
from importlib.resources import files
from typing import TYPE_CHECKING
from uuid import uuid4

from mink_core import OutcomeUnknownError, SchemaError, StorageError, StoreClosedError, TransientStorageError

if TYPE_CHECKING:
    from collections.abc import Generator

SCHEMA_VERSION = 1
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_RIGHT_BYTE = 0xFF  # the extended codes keep the plain one in their lowest byte


class Database:
    """The file, opened when it is first needed."""

    def __init__(self, path: str, lock_timeout: float) -> None:
        """Note where the file is.

        Args:
            path: The file.
            lock_timeout: Seconds to wait while somebody else writes.
        """
        self._path = path
        self._lock_timeout = lock_timeout
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._checked = False
        self._closed = False

    def initialize(self) -> None:
        """Create the tables where they are missing; safe from several processes at once (LIFE-02).

        Raises:
            SchemaError: The file was made by a newer version of this adapter.
            StorageError: The file cannot be written.
        """
        with self._lock, _translated():
            connection = self._open()
            connection.execute("BEGIN IMMEDIATE")  # others wait here, and then find the tables
            try:
                if _schema_version(connection) == 0:
                    for statement in files("mink_sqlite").joinpath("schema.sql").read_text("utf-8").split(";\n"):
                        connection.execute(statement)
                    connection.execute("INSERT INTO store VALUES (?, 1)", (str(uuid4()),))
                    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
                _refuse_other(connection)
                connection.execute("COMMIT")
            except BaseException:
                connection.execute("ROLLBACK")
                raise

    @contextmanager
    def reading(self) -> Generator[sqlite3.Connection]:
        """The connection, for single statements. Fetch all rows inside: nothing stays open between pages.

        Raises:
            StoreClosedError: The store is closed.
            SchemaError: The file was not initialized.
            StorageError: SQLite failed.
        """
        with self._lock, _translated():
            connection = self._open()
            if not self._checked:
                _refuse_other(connection)
                self._checked = True
            yield connection

    @contextmanager
    def writing(self, *, retry_is_safe: bool) -> Generator[sqlite3.Connection]:
        """The connection inside a transaction that is committed at the end, or rolled back by an error.

        `BEGIN IMMEDIATE` makes this the only writer of the file. What is read inside is then still
        true at the commit (APPEND-06), and positions are committed in their order (FEED-01).

        Raises:
            TransientStorageError: Somebody else wrote for longer than the lock time-out.
            OutcomeUnknownError: The commit failed half way.
        """
        with self.reading() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                _commit(connection, retry_is_safe=retry_is_safe)
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def check_open(self) -> None:
        """Refuse the use of a closed store (LIFE-01).

        Raises:
            StoreClosedError: It is closed.
        """
        if self._closed:
            msg = "the SQLite store is closed; nothing was done: open another one"
            raise StoreClosedError(msg)

    def close(self) -> None:
        """Close the file once whoever uses it is done. Idempotent."""
        self._closed = True
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _use_wal(self, connection: sqlite3.Connection) -> None:
        """Let readers not wait for the writer. Where others do the same at once, SQLite refuses without waiting."""
        deadline = time.monotonic() + self._lock_timeout
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & _RIGHT_BYTE not in _BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.005)
            else:
                return

    def _open(self) -> sqlite3.Connection:
        self.check_open()
        if self._connection is None:
            # isolation_level=None: transactions begin where this file says so, and nowhere else.
            connection = sqlite3.connect(
                self._path, timeout=self._lock_timeout, isolation_level=None, check_same_thread=False
            )
            try:
                self._use_wal(connection)
                connection.execute("PRAGMA synchronous = FULL")  # a commit that was told survives a crash
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection


def _commit(connection: sqlite3.Connection, *, retry_is_safe: bool) -> None:
    try:
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        if error.sqlite_errorcode & _RIGHT_BYTE in _BUSY:
            raise  # refused as a whole: nothing was stored
        msg = f"SQLite failed at the commit ({error}); it may or may not be stored"
        raise OutcomeUnknownError(msg, retry_is_safe=retry_is_safe) from error


def _schema_version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _refuse_other(connection: sqlite3.Connection) -> None:
    version = _schema_version(connection)
    if version != SCHEMA_VERSION:
        what = "call store.initialize()" if version < SCHEMA_VERSION else "upgrade mink-sqlite"
        msg = f"the file's schema is at version {version}, this code needs {SCHEMA_VERSION}; nothing was done: {what}"
        raise SchemaError(msg)


@contextmanager
def _translated() -> Generator[None]:
    try:
        yield
    except sqlite3.Error as error:
        # Raised before or instead of a commit, so nothing was stored.
        if getattr(error, "sqlite_errorcode", 0) & _RIGHT_BYTE in _BUSY:
            msg = f"the file was locked by another writer ({error}); nothing was stored: repeat the call"
            raise TransientStorageError(msg) from error
        msg = f"SQLite failed ({error}); nothing was stored"
        raise StorageError(msg) from error
