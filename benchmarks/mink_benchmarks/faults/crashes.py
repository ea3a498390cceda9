"""The server, its backends or a client are killed."""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import psycopg

from mink_benchmarks.faults.lab import Fault
from mink_core import MinkError, NewEvent
from mink_postgres import PostgresEventStore

if TYPE_CHECKING:
    from mink_benchmarks.faults.lab import Lab


class KillServer(Fault):
    """SIGKILL of the server and all of its backends under load, and a restart."""

    name = "server killed"
    pause = 1.5

    def strike(self, lab: Lab) -> int:
        """Kill, restart."""
        lab.server.kill()
        lab.server.restart()
        return 1


class TerminateBackends(Fault):
    """Some of the load's backends are terminated at random, in the middle of whatever they do."""

    name = "backends terminated"
    pause = 0.1
    query = "?application_name=mink-load"

    def strike(self, lab: Lab) -> int:
        """Terminate up to three."""
        with lab.admin() as admin:
            ended = admin.execute(
                "SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity "
                "WHERE application_name = 'mink-load' ORDER BY random() LIMIT 3) AS chosen"
            ).fetchall()
        return len(ended)


class RollBackAndKill(Fault):
    """Positions are rolled back, a reader polls past them, the server is killed within 50 ms, and events come.

    After the crash the sequence may come back lower, so that the positions are given out again.
    """

    name = "40 positions rolled back, then killed"
    pause = 0.5

    def strike(self, lab: Lab) -> int:
        """One such schedule, beside the load; its own reader must be given the event that comes after."""
        with PostgresEventStore(lab.server.url(), min_size=1, max_size=2) as store:
            with lab.admin() as admin:
                # So that the sequence's next change is logged anew and can be lost.
                admin.execute("CHECKPOINT")
            with psycopg.connect(lab.server.url()) as connection:
                for version in range(40):
                    connection.execute(
                        "INSERT INTO mink.events (stream_id, version, event_type, data) VALUES ('raw-1', %s, 'Raw', '{}')",
                        (version + 1,),
                    )
                connection.rollback()
                position = store.head_position()
                position = store.poll(max(position - 1, 0), limit=10_000).next_position
                began = time.monotonic()
                lab.server.kill()
                took = time.monotonic() - began
        lab.server.restart()
        with PostgresEventStore(lab.server.url(), min_size=1) as store:
            event = NewEvent("After", {})
            store.append(f"after-{event.event_id}", [event], expected_version=0)
            lab.ledger.acknowledge([event.event_id])
            end, given = time.monotonic() + 10, False
            # Not at once: the load's open appends may hold it back.
            while not given and time.monotonic() < end:
                page = store.poll(position, limit=10_000)
                given = event.event_id in [it.event_id for it in page.events]
                position = page.next_position
        if not given:
            lab.ledger.surprise(f"a reader at position {position} was not given an event that came after the crash")
        return int(took < 1)


_CLIENT = """
import sys
from mink_benchmarks.faults.ledger import call_of
from mink_postgres import PostgresEventStore
with PostgresEventStore(sys.argv[1], min_size=1, max_size=1) as store:
    version = 0
    while True:
        events = call_of(5)
        version = store.append(sys.argv[2], events, expected_version=version).last_version
        print(*(event.event_id for event in events), flush=True)
"""


class KillClient(Fault):
    """A client process is killed in the middle of an append of five events."""

    name = "client killed"
    pause = 0.1

    def strike(self, lab: Lab) -> int:
        """Start a client, let it append for a moment, and kill it. What it printed was acknowledged."""
        stream = f"client-{random.getrandbits(60)}"
        with tempfile.TemporaryFile() as out:
            with subprocess.Popen(
                [sys.executable, "-c", _CLIENT, lab.server.url(), stream],
                stdout=out,
                cwd=Path(__file__).parents[2],
            ) as client:
                while not out.seek(0, 2) and client.poll() is None:
                    time.sleep(0.005)
                time.sleep(random.uniform(0.0, 0.2))
                ended = client.poll()
                client.kill()
            out.seek(0)
            for line in out.read().decode().splitlines(keepends=True):
                if line.endswith("\n"):
                    lab.ledger.acknowledge(UUID(it) for it in line.split())
        if ended is not None:
            lab.ledger.surprise(f"a client ended by itself, with {ended}")
        self._check_goes_on(lab, stream)
        return 1

    @staticmethod
    def _check_goes_on(lab: Lab, stream: str) -> None:
        """The stream is not left locked."""
        with PostgresEventStore(lab.server.url(), min_size=1, max_size=1) as store:
            event = NewEvent("After", {})
            try:
                version = sum(1 for _ in store.read_stream(stream))
                store.append(stream, [event], expected_version=version)
            except MinkError:
                # The dead client's last call may still be on its way in the server.
                time.sleep(0.5)
                version = sum(1 for _ in store.read_stream(stream))
                store.append(stream, [event], expected_version=version)
            lab.ledger.acknowledge([event.event_id])
