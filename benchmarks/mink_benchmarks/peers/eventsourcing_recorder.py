"""The PostgreSQL recorders of the `eventsourcing` library."""

from __future__ import annotations

import json
import random
import threading
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore
from psycopg.conninfo import conninfo_to_dict

from mink_benchmarks.peers.by_threads import append_by_threads
from mink_benchmarks.samples import Sample
from mink_benchmarks.workload import EVENT_TYPE, STREAMS

if TYPE_CHECKING:
    from collections.abc import Callable

    from mink_benchmarks.samples import Case
    from mink_benchmarks.server import Server
    from mink_benchmarks.workload import Workload

_SPACE = UUID(int=7)


class _OnRecorder(ABC):
    """A recorder in a schema of its own."""

    def __init__(self, name: str, server: Server, workload: Workload, pool_size: int) -> None:
        """Take where to work."""
        self.name = name
        self._server = server
        self._pool_size = pool_size
        # What their mapper would store: the payload as bytes of JSON.
        self._state = json.dumps({"data": workload.data, "metadata": workload.metadata}).encode()

    def open(self) -> None:
        """Make the schema and the recorder."""
        schema = self._server.new_schema("eventsourcing")
        self._server.run(f'CREATE SCHEMA "{schema}"')
        parts: dict[str, Any] = conninfo_to_dict(self._server.url)
        self._datastore = PostgresDatastore(
            parts.get("dbname", "postgres"),
            parts["host"],
            parts["port"],
            parts["user"],
            parts.get("password", ""),
            pool_size=self._pool_size,
            max_overflow=0,
            schema=schema,
        )
        self._recorder = PostgresApplicationRecorder(self._datastore, events_table_name="stored_events")
        self._recorder.create_table()
        self._fill()

    @abstractmethod
    def _fill(self) -> None:
        """Store what the case needs to find."""

    def close(self) -> None:
        """Close its pool."""
        self._datastore.close()

    def _event(self, stream: UUID, version: int) -> StoredEvent:
        return StoredEvent(stream, version, EVENT_TYPE, self._state)


class Appends(_OnRecorder):
    """Appends by threads, each to streams of its own, in its default mode: a table lock keeps the log in order."""

    def __init__(self, server: Server, workload: Workload, writers: int, events: int = 1) -> None:
        """Take how many threads, and how many events an append."""
        super().__init__(f"eventsourcing, default, {writers}", server, workload, min(writers, 25))
        self._writers = writers
        self._events = events

    def _fill(self) -> None:
        self._versions = dict.fromkeys(range(STREAMS), 0)
        self._ids = [uuid5(_SPACE, str(number)) for number in range(STREAMS)]

    def measure(self, seconds: float) -> Sample:
        """Append until the time is over."""

        def begin(writer: int) -> Callable[[], object]:
            mine, pick = range(writer, STREAMS, self._writers), random.Random(writer).choice

            def append() -> None:
                number = pick(mine)
                version = self._versions[number]
                events = [self._event(self._ids[number], version + n) for n in range(1, self._events + 1)]
                self._recorder.insert_events(events)
                self._versions[number] = version + self._events

            return append

        return append_by_threads(self._writers, self._events, seconds, begin)


class StreamReads(_OnRecorder):
    """One stream of 100 events, with `json.loads` on each state."""

    def __init__(self, server: Server, workload: Workload) -> None:
        """Take where to work."""
        super().__init__("eventsourcing, stream, json.loads", server, workload, 1)

    def _fill(self) -> None:
        self._stream = uuid5(_SPACE, "read")
        self._recorder.insert_events([self._event(self._stream, n) for n in range(1, 101)])

    def measure(self, seconds: float) -> Sample:
        """Read until the time is over."""
        count, began = 0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            for event in self._recorder.select_events(self._stream):
                json.loads(event.state)
                count += 1
        return Sample(count, time.perf_counter() - began)


class Delivery(_OnRecorder):
    """From the insert to its own subscription, which listens."""

    def __init__(self, server: Server, workload: Workload) -> None:
        """Take where to work."""
        super().__init__("eventsourcing, delivery", server, workload, 5)

    def _fill(self) -> None:
        self._number = 0

    def measure(self, seconds: float) -> Sample:
        """Append at the usual pace, and wait for the last one."""
        from mink_benchmarks.live_delivery import RATE  # noqa: PLC0415 -- the one thing in common

        sent: dict[int, float] = {}
        got: dict[int, float] = {}
        count = int(seconds * RATE)
        stream = uuid5(_SPACE, f"live {self._number}")
        self._number += 1
        subscription = self._recorder.subscribe(gt=self._recorder.max_notification_id())
        began = time.perf_counter()

        def follow() -> None:
            with subscription:
                for notification in subscription:
                    got[notification.originator_version] = time.perf_counter()
                    if len(got) >= count:
                        return

        follower = threading.Thread(target=follow)
        follower.start()
        start = time.perf_counter() + 0.05
        for number in range(1, count + 1):
            time.sleep(max(0.0, start + number / RATE - time.perf_counter()))
            sent[number] = time.perf_counter()
            self._recorder.insert_events([self._event(stream, number)])
        follower.join()
        return Sample(count, time.perf_counter() - began, [got[key] - sent[key] for key in sent])


def case(scenario: str, server: Server, workload: Workload, writers: int, events: int) -> Case:
    """A scenario on the recorders."""
    del events
    if scenario == "read-stream":
        return StreamReads(server, workload)
    if scenario == "subscribe-latency":
        return Delivery(server, workload)
    return Appends(server, workload, writers, 10 if scenario == "append-10" else 1)
