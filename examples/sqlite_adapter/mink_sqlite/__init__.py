"""A Mink adapter on SQLite: one file, any number of processes, no server."""

from mink_sqlite.store import SqliteEventStore

__all__ = ["SqliteEventStore"]
