"""`store.checkpoints`: named positions, saved by compare-and-set (SUB-08)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mink_core import Checkpoint, CheckpointConflictError, LeaseLostError, StoreIdentity
from mink_core.adapter import check_checkpoint_name, check_reset, check_save
from mink_sqlite.reading import read_identity
from mink_sqlite.rows import from_time, to_time

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from mink_core import Lease
    from mink_sqlite.database import Database


class SqliteCheckpoints:
    """See `mink_core.CheckpointStore`."""

    def __init__(self, database: Database) -> None:
        """Made by the store's property."""
        self._database = database

    def load(self, name: str) -> Checkpoint | None:
        """See `CheckpointStore.load`."""
        check_checkpoint_name(name)
        with self._database.reading() as connection:
            return _load(connection, name)

    def save(
        self,
        name: str,
        position: int,
        *,
        expected: int | None,
        identity: StoreIdentity | None = None,
        lease: Lease | None = None,
    ) -> None:
        """See `CheckpointStore.save`."""
        check_save(name, position, expected, identity, lease)
        if lease is not None:  # this adapter gives none out, so none can be the newest
            raise LeaseLostError(name, lease.token)
        # A lost reply to this commit can be looked up: load tells whether it was saved.
        with self._database.writing(retry_is_safe=False) as connection:
            found = _load(connection, name)
            actual = None if found is None else found.position
            if actual != expected:
                raise CheckpointConflictError(name, expected, actual)
            kept = None if found is None else found.identity
            _put(connection, name, position, identity or kept or read_identity(connection))

    def reset(self, name: str, position: int | None = None) -> None:
        """See `CheckpointStore.reset`."""
        check_reset(name, position)
        with self._database.writing(retry_is_safe=True) as connection:
            if position is None:
                connection.execute("DELETE FROM checkpoints WHERE name = ?", (name,))
            else:
                _put(connection, name, position, read_identity(connection))

    def list(self) -> Sequence[Checkpoint]:
        """See `CheckpointStore.list`."""
        with self._database.reading() as connection:
            rows = connection.execute("SELECT * FROM checkpoints ORDER BY name").fetchall()
        return [_checkpoint(row) for row in rows]


def _load(connection: sqlite3.Connection, name: str) -> Checkpoint | None:
    row = connection.execute("SELECT * FROM checkpoints WHERE name = ?", (name,)).fetchone()
    return None if row is None else _checkpoint(row)


def _put(connection: sqlite3.Connection, name: str, position: int, identity: StoreIdentity) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?, ?, ?)",
        (name, position, str(identity.store), identity.epoch, from_time(datetime.now(UTC))),
    )


def _checkpoint(row: Sequence[Any]) -> Checkpoint:
    name, position, store, epoch, updated_at = row
    return Checkpoint(name, position, StoreIdentity(UUID(store), epoch), to_time(updated_at))
