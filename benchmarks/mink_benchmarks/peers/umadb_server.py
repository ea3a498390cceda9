"""UmaDB: a server of its own, and its sync client by threads."""

from __future__ import annotations

import json
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from umadb import AppendCondition, Client, Event, Query, QueryItem

from mink_benchmarks.peers.by_threads import append_by_threads
from mink_benchmarks.samples import BenchmarkError
from mink_benchmarks.workload import EVENT_TYPE, share

if TYPE_CHECKING:
    from collections.abc import Callable

    from mink_benchmarks.samples import Case, Sample
    from mink_benchmarks.server import Server
    from mink_benchmarks.workload import Workload

_START_SECONDS = 20.0


class Appends:
    """Appends by threads with a condition: nothing else on this stream since what the writer knows."""

    def __init__(self, workload: Workload, writers: int, events: int = 1) -> None:
        """Take how many threads, and how many events an append."""
        self.name = f"UmaDB, {writers}" + (f", {events} events" if events > 1 else "")
        self._writers = writers
        self._events = events
        self._data = json.dumps({"data": workload.data, "metadata": workload.metadata}).encode()

    def open(self) -> None:
        """Start its server."""
        self._folder = Path(tempfile.mkdtemp(prefix="mink-umadb-"))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        program = Path(sys.executable).with_name("umadb")
        self._server = subprocess.Popen(
            [str(program), "--listen", f"127.0.0.1:{port}", "--db-path", str(self._folder / "uma.db")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + _START_SECONDS
        while True:
            with suppress(Exception):
                Client(self._url).head()
                break
            if self._server.poll() is not None or time.monotonic() > deadline:
                self.close()
                msg = "UmaDB's server did not start"
                raise BenchmarkError(msg)
            time.sleep(0.05)
        self._clients = [Client(self._url) for _ in range(min(self._writers, 16))]
        self._known: dict[str, int] = {}

    def close(self) -> None:
        """Stop its server."""
        self._server.terminate()
        self._server.wait(10)
        shutil.rmtree(self._folder, ignore_errors=True)

    def measure(self, seconds: float) -> Sample:
        """Append until the time is over."""

        def begin(writer: int) -> Callable[[], object]:
            client, pick = self._clients[writer % len(self._clients)], random.Random(writer).choice
            mine = share(writer, self._writers)

            def append() -> None:
                stream = pick(mine)
                condition = AppendCondition(
                    fail_if_events_match=Query(items=[QueryItem(tags=[stream])]), after=self._known.get(stream)
                )
                events = [Event(event_type=EVENT_TYPE, data=self._data, tags=[stream]) for _ in range(self._events)]
                self._known[stream] = client.append(events, condition=condition)

            return append

        return append_by_threads(self._writers, self._events, seconds, begin)


def case(scenario: str, server: Server, workload: Workload, writers: int, events: int) -> Case:
    """A scenario on UmaDB, which brings its own server."""
    del server, events
    return Appends(workload, writers, 10 if scenario == "append-10" else 1)
