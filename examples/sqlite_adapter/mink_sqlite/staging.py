"""The open transaction, as the core decides on appends."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mink_core.adapter import EncodedEvent, PreparedAppend, Staging, encode_events
from mink_sqlite.rows import COLUMNS, encoded_event, from_time, to_time

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence


class SqliteStaging(Staging):
    """Reads and writes in a transaction that is the file's only writer."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Use a connection on which BEGIN IMMEDIATE was sent."""
        self._connection = connection

    def version(self, stream_id: str) -> int:
        """See `Staging.version`."""
        found = self._connection.execute("SELECT version FROM streams WHERE stream_id = ?", (stream_id,)).fetchone()
        return found[0] if found else 0

    def span(self, stream_id: str, after_version: int, last_version: int) -> Sequence[EncodedEvent]:
        """See `Staging.span`."""
        rows = self._connection.execute(
            f"SELECT {COLUMNS} FROM events WHERE stream_id = ? AND version > ? AND version <= ? ORDER BY version",
            (stream_id, after_version, last_version),
        )
        return [encoded_event(row) for row in rows]

    def insert(self, item: PreparedAppend, version: int) -> Sequence[EncodedEvent]:
        """See `Staging.insert`."""
        timestamp = from_time(datetime.now(UTC))
        newest = self._connection.execute(
            "SELECT updated_at FROM streams WHERE stream_id = ?", (item.stream_id,)
        ).fetchone()
        if newest:
            timestamp = max(timestamp, newest[0] + 1)
        rows = encode_events(item, version, self.high_position(), to_time(timestamp))
        self._connection.executemany(
            f"INSERT INTO events ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    e.stream_id,
                    e.version,
                    e.global_position,
                    str(e.event_id),
                    e.event_type,
                    e.data,
                    e.metadata,
                    timestamp,
                )
                for e in rows
            ],
        )
        self._connection.execute(
            "INSERT INTO streams VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (stream_id) DO UPDATE SET version = excluded.version, updated_at = excluded.updated_at",
            (item.stream_id, item.category, rows[-1].version, timestamp, timestamp),
        )
        return rows

    def high_position(self) -> int:
        """The highest position that was ever allocated."""
        return high_position(self._connection)


def high_position(connection: sqlite3.Connection) -> int:
    """The highest position that was ever allocated."""
    found = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
    return found[0] if found else 0
