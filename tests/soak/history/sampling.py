"""Memory, threads, files and connections of all processes, looked at once a second or less often (Linux)."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

if TYPE_CHECKING:
    from collections.abc import Mapping

Sample = dict[str, float]
"""By series, a value; `seconds` since the beginning is one of them."""


def memory_of(process: int) -> float | None:
    """MiB that belong to a process alone (`RssAnon`: shared buffers and mapped files do not count); None if it is gone."""
    try:
        text = Path(f"/proc/{process}/status").read_text("ascii")
    except OSError:
        return None
    found = [line.split()[1] for line in text.splitlines() if line.startswith("RssAnon:")]
    return int(found[0]) / 1024 if found else None


def _entries(folder: str) -> int:
    return sum(1 for _ in Path(folder).iterdir())


class Sampler(threading.Thread):
    """Takes a sample every `interval` seconds until stopped."""

    def __init__(self, url: str, processes: Mapping[str, int], interval: float) -> None:
        super().__init__(daemon=True, name="sampler")
        self.samples: list[Sample] = []
        self._begun = time.monotonic()
        self._processes = {**processes, "checker": os.getpid()}
        self._interval = interval
        self._stopping = threading.Event()
        self._connection = psycopg.connect(url, autocommit=True, application_name="mink soak sampler")

    def run(self) -> None:
        while not self._stopping.wait(self._interval):
            self.samples.append(self._take())

    def stop(self) -> None:
        self._stopping.set()
        if self.ident is not None:
            self.join()
        self._connection.close()

    def _take(self) -> Sample:
        sample: Sample = {"seconds": time.monotonic() - self._begun}
        for name, process in self._processes.items():
            memory = memory_of(process)
            if memory is not None:
                sample[f"memory {name}"] = memory
                sample[f"threads {name}"] = _entries(f"/proc/{process}/task")
                sample[f"files {name}"] = _entries(f"/proc/{process}/fd")
        rows: list[Any] = self._connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        ).fetchall()
        sample["connections"] = len(rows)
        backends = [memory for (pid,) in rows if (memory := memory_of(pid)) is not None]
        if backends:
            sample["memory of all backends"] = sum(backends)
        return sample
