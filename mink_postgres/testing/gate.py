"""Holds commits open by a trigger that waits for an advisory lock."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

import psycopg

from mink_postgres.testing.place import place_of

if TYPE_CHECKING:
    from mink_postgres.testing.place import Place


class PostgresCommitGate:
    """See `mink_core.testing.CommitGate`."""

    def __init__(self, place: Place) -> None:
        """Install the trigger. The connection is the gate's own: its locks end with it."""
        self._schema = f'"{place.schema}"'
        self._connection: psycopg.Connection[Any] = psycopg.connect(place.session_url, autocommit=True)
        self._run(_script("gate_install"))

    def hold(self, stream_id: str) -> None:
        """See `CommitGate.hold`."""
        self._run("INSERT INTO {schema}.conformance_holds (stream_id) VALUES (%s) ON CONFLICT DO NOTHING", stream_id)
        self._run(f"SELECT pg_advisory_lock({_KEY})", stream_id)

    def held(self, stream_id: str) -> int:
        """See `CommitGate.held`."""
        waiting = """
            SELECT count(*) FROM pg_locks AS l
            JOIN {schema}.conformance_holds AS h ON l.objid = h.key
            WHERE l.locktype = 'advisory' AND NOT l.granted AND h.stream_id = %s
                AND l.classid = '{schema}.conformance_holds'::regclass
        """
        return int(self._run(waiting, stream_id)[0][0])

    def release(self, stream_id: str) -> None:
        """See `CommitGate.release`."""
        self._run(f"SELECT pg_advisory_unlock({_KEY})", stream_id)
        self._run("DELETE FROM {schema}.conformance_holds WHERE stream_id = %s", stream_id)

    def close(self) -> None:
        """See `CommitGate.close`."""
        if self._connection.closed:
            return
        try:
            self._run("SELECT pg_advisory_unlock_all()")
            self._run(_script("gate_remove"))
        finally:
            self._connection.close()

    def _run(self, statement: str, *args: Any) -> list[Any]:
        cursor = self._connection.execute(statement.replace("{schema}", self._schema).encode(), args or None)
        return cursor.fetchall() if cursor.description else []


# The class of the keys is the holds table's own oid: no other lock of the database has it, the fence's least of all.
_KEY = (
    "'{schema}.conformance_holds'::regclass::oid::int, "
    "(SELECT h.key FROM {schema}.conformance_holds AS h WHERE h.stream_id = %s)"
)


def _script(name: str) -> str:
    return (files("mink_postgres.testing") / "sql" / f"{name}.sql").read_text("utf-8")


def commit_gate(store: Any) -> PostgresCommitGate | None:
    """See `mink_core.testing.ConformanceHooks.commit_gate`."""
    place = place_of(store)
    return None if place is None else PostgresCommitGate(place)
