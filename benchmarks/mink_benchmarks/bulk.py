"""Importing many events at once, beside a raw COPY of the same rows into the same schema."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg

from mink_benchmarks.samples import Sample
from mink_benchmarks.workload import EVENT_TYPE
from mink_core import StoredEvent
from mink_core.registry import open_administration

if TYPE_CHECKING:
    from mink_benchmarks.server import Server
    from mink_benchmarks.workload import Workload

_STREAMS, _EVENTS = 200, 50
"""A batch: streams, and events of each."""


class _Import:
    def __init__(self, name: str, server: Server, workload: Workload, schema: str) -> None:
        self.name = name
        self.workload = workload
        self._server = server
        self._schema = schema
        self._number = 0

    def open(self) -> None:
        """Make the schema where it is not there."""
        with open_administration(f"{self._server.url}?schema={self._schema}") as administration:
            administration.migrate()

    def close(self) -> None:
        """Nothing is kept open."""

    def _batch(self) -> list[StoredEvent]:
        self._number += 1
        now = datetime.now(UTC)
        data, metadata = self.workload.data, self.workload.metadata
        return [
            StoredEvent(
                f"bulk-{self.name[:3]}-{self._number}-{stream}", version, 1, uuid4(), EVENT_TYPE, data, metadata, now
            )
            for stream in range(_STREAMS)
            for version in range(1, _EVENTS + 1)
        ]


class BulkImport(_Import):
    """The administration's `import_events`: checked, encoded, fenced, in batches of 10,000."""

    def measure(self, seconds: float) -> Sample:
        """Import until the time is over; making the events is not counted."""
        count, took = 0, 0.0
        with open_administration(f"{self._server.url}?schema={self._schema}") as administration:
            while took < seconds:
                batch = self._batch()
                began = time.perf_counter()
                count += administration.import_events(batch)
                took += time.perf_counter() - began
        return Sample(count, took)


class RawCopy(_Import):
    """COPY of lines that are put together already, and one INSERT of their streams."""

    def measure(self, seconds: float) -> Sample:
        """Copy until the time is over."""
        count, took = 0, 0.0
        copied: Any = f'COPY "{self._schema}".events (stream_id, version, event_id, event_type, data, metadata, timestamp) FROM STDIN'
        streams: Any = (
            f'INSERT INTO "{self._schema}".streams (stream_id, category, version) '  # noqa: S608 -- our own name
            f"SELECT name, 'bulk', {_EVENTS} FROM unnest(%s::text[]) AS name"
        )
        data, metadata = (
            json.dumps(value).replace("\\", "\\\\") for value in (self.workload.data, self.workload.metadata)
        )
        with psycopg.connect(self._server.url, autocommit=True) as connection, connection.cursor() as cursor:
            while took < seconds:
                batch = self._batch()
                lines = "".join(
                    f"{event.stream_id}\t{event.version}\t{event.event_id}\t{event.event_type}\t{data}\t{metadata}\t"
                    f"{event.timestamp.isoformat()}\n"
                    for event in batch
                ).encode()
                names = sorted({event.stream_id for event in batch})
                began = time.perf_counter()
                with connection.transaction():
                    cursor.execute(streams, (names,))
                    with cursor.copy(copied) as copy:
                        copy.write(lines)
                took += time.perf_counter() - began
                count += len(batch)
        return Sample(count, took)
