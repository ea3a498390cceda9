"""The event store that a team writes in an afternoon: one table, a SELECT and an INSERT an event, offsets as it comes.

It has no fence, so a reader behind its log loses events; it is here for its speed only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg.types.json import Jsonb
from psycopg_pool import ConnectionPool

from mink_benchmarks.appends import Appends, TenEvents
from mink_benchmarks.reads import Reads
from mink_benchmarks.targets import Target
from mink_core import AppendResult, ConcurrencyError, ExpectedVersion, StoredEvent, StreamInfo

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mink_benchmarks.samples import Case
    from mink_benchmarks.server import Server
    from mink_benchmarks.workload import Workload
    from mink_core import NewEvent, StreamAppend

_TABLE = """
CREATE SCHEMA "{schema}";
CREATE TABLE "{schema}".events (
    id BIGSERIAL PRIMARY KEY, stream TEXT NOT NULL, version BIGINT NOT NULL, event_id UUID NOT NULL, type TEXT NOT NULL,
    data JSONB NOT NULL, metadata JSONB NOT NULL, at TIMESTAMPTZ NOT NULL DEFAULT now(), UNIQUE (stream, version)
)
"""
_PAGE = 1000


class NaiveStore:
    """As much of an event store as the scenarios call."""

    def __init__(self, url: str, schema: str) -> None:
        """Connect, at most 16 times."""
        self._schema = schema
        self._pool = ConnectionPool(url, min_size=1, max_size=16, kwargs={"autocommit": True}, open=True)
        self._table = f'"{schema}".events'

    def initialize(self) -> None:
        """Make the table."""
        with self._pool.connection() as connection:
            if connection.execute("SELECT to_regclass(%s)", (self._table,)).fetchone() == (None,):
                statement: Any = _TABLE.replace("{schema}", self._schema)
                connection.execute(statement)

    def append(self, stream: str, events: Sequence[NewEvent], *, expected_version: Any) -> AppendResult:
        """Look at the version, then store: two round trips and one an event, in a transaction."""
        look: Any = f"SELECT coalesce(max(version), 0) FROM {self._table} WHERE stream = %s"  # noqa: S608 -- our own name
        store: Any = (
            f"INSERT INTO {self._table} (stream, version, event_id, type, data, metadata) "  # noqa: S608 -- our own name
            "VALUES (%s, %s, %s, %s, %s, %s) RETURNING id"
        )
        with self._pool.connection() as connection, connection.transaction():
            row = connection.execute(look, (stream,)).fetchone()
            version: int = row[0] if row else 0
            if type(expected_version) is int and version != expected_version:
                raise ConcurrencyError(stream, expected_version, version)
            positions: list[int] = []
            for number, event in enumerate(events, version + 1):
                values = (stream, number, event.event_id, event.event_type, Jsonb(event.data), Jsonb(event.metadata))
                found = connection.execute(store, values).fetchone()
                positions.append(found[0] if found else 0)
        ids = tuple(event.event_id for event in events)
        return AppendResult(stream, version + 1, version + len(ids), positions[0], positions[-1], ids)

    def append_batch(self, items: Sequence[StreamAppend]) -> list[AppendResult]:
        """One after the other."""
        return [self.append(item.stream_id, item.events, expected_version=ExpectedVersion.ANY) for item in items]

    def read_stream(self, stream: str) -> Iterator[StoredEvent]:
        """All of it at once."""
        yield from self._read("stream = %s ORDER BY version", (stream,))

    def read_all(self) -> Iterator[StoredEvent]:
        """In pages."""
        position = 0
        while page := self._read(f"id > %s ORDER BY id LIMIT {_PAGE}", (position,)):
            yield from page
            position = page[-1].global_position

    def _read(self, condition: str, values: tuple[Any, ...]) -> list[StoredEvent]:
        statement: Any = (
            f"SELECT stream, version, id, event_id, type, data, metadata, at FROM {self._table} WHERE {condition}"  # noqa: S608 -- constants
        )
        with self._pool.connection() as connection:
            return [StoredEvent(*row) for row in connection.execute(statement, values).fetchall()]

    def streams(self, *, category: str, after: str, limit: int) -> Iterator[StreamInfo]:
        """Each with its version."""
        statement: Any = (
            f"SELECT stream, max(version), min(at), max(at) FROM {self._table} WHERE stream > %s AND stream LIKE %s "  # noqa: S608 -- our own name
            "GROUP BY stream ORDER BY stream LIMIT %s"
        )
        with self._pool.connection() as connection:
            found = connection.execute(statement, (after, f"{category}-%", limit)).fetchall()
        for name, version, first, last in found:
            yield StreamInfo(name, category, version, first, last)

    def head_position(self) -> int:
        """The highest position."""
        statement: Any = f"SELECT coalesce(max(id), 0) FROM {self._table}"  # noqa: S608 -- our own name
        with self._pool.connection() as connection:
            row = connection.execute(statement).fetchone()
            return row[0] if row else 0

    def close(self) -> None:
        """Let go of its connections."""
        self._pool.close()


def case(scenario: str, server: Server, workload: Workload, writers: int, events: int) -> Case:
    """A scenario on the naive store."""
    schema = server.new_schema("naive")
    target = Target("naive", lambda: NaiveStore(server.url, schema), is_async=False)
    if scenario in ("read-stream", "replay"):
        how = "stream" if scenario == "read-stream" else "replay"
        return Reads("naive", target, workload, events=events, how=how)
    kind = TenEvents if scenario == "append-10" else Appends
    return kind(f"naive, {writers}", target, workload, writers)
