"""message-db: its SQL, fetched by npm when it is measured, in a database of its own.

It locks by category, so its streams lie in 16 categories; its threads share 16 connections.
"""

from __future__ import annotations

import json
import random
import secrets
import shutil
import subprocess
import tarfile
import tempfile
import time
from abc import ABC, abstractmethod
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg_pool import ConnectionPool

from mink_benchmarks.peers.by_threads import append_by_threads
from mink_benchmarks.samples import BenchmarkError, Sample
from mink_benchmarks.workload import EVENT_TYPE, STREAMS

if TYPE_CHECKING:
    from collections.abc import Callable

    from mink_benchmarks.samples import Case
    from mink_benchmarks.server import Server
    from mink_benchmarks.workload import Workload

PACKAGE = "@eventide/message-db@1.3.1"
_CATEGORIES = 16
_CONNECTIONS = 16
_SESSION: dict[str, Any] = {"autocommit": True, "prepare_threshold": 1}
# In the order of its own install scripts, without its roles and privileges: a superuser measures.
_FOLDERS = ("schema", "tables", "types", "functions", "indexes")
_WRITE = "SELECT message_store.write_message(%s, %s, %s, %s::jsonb, %s::jsonb, %s)"
_READ = "SELECT * FROM message_store.get_stream_messages(%s, 0, 1000)"


@cache
def sql_files() -> list[str]:
    """Its SQL, in the order to run it.

    Raises:
        BenchmarkError: npm is not there, or does not find the package.
    """
    npm = shutil.which("npm")
    if npm is None:
        msg = "message-db's SQL is fetched by npm, which is not installed"
        raise BenchmarkError(msg)
    with tempfile.TemporaryDirectory(prefix="mink-message-db-") as folder:
        fetched = subprocess.run(
            [npm, "pack", "--silent", PACKAGE], cwd=folder, capture_output=True, text=True, check=False
        )
        archives = list(Path(folder).glob("*.tgz"))
        if fetched.returncode or not archives:
            msg = f"npm did not fetch {PACKAGE}: {fetched.stderr.strip()[-200:]}"
            raise BenchmarkError(msg)
        with tarfile.open(archives[0]) as archive:
            archive.extractall(folder, filter="data")
        root = Path(folder) / "package" / "database"
        return [path.read_text("utf-8") for part in _FOLDERS for path in sorted((root / part).glob("*.sql"))]


def _name(number: int) -> str:
    return f"order{number % _CATEGORIES}-{number}"


class _OnMessageDb(ABC):
    """A case in a database of its own."""

    def __init__(self, name: str, server: Server, workload: Workload) -> None:
        """Take where to work."""
        self.name = name
        self._server = server
        self._database = f"bench_messagedb_{secrets.token_hex(3)}"
        options = "-c search_path=message_store,public"
        self.where = make_conninfo(server.url, dbname=self._database, options=options)
        self._data, self._metadata = json.dumps(workload.data), json.dumps(workload.metadata)

    def open(self) -> None:
        """Make the database."""
        texts = sql_files()
        self._server.run(f'CREATE DATABASE "{self._database}"')
        with self.connect() as connection:
            # Functions call one another whatever their order in the folder.
            connection.execute("SET check_function_bodies = off")
            for text in texts:
                statement: Any = text
                connection.execute(statement)
            self.fill(connection)

    @abstractmethod
    def fill(self, connection: psycopg.Connection[Any]) -> None:
        """Store what the case needs to find."""

    def connect(self) -> psycopg.Connection[Any]:
        """A connection that finds its functions."""
        return psycopg.connect(self.where, **_SESSION)

    def close(self) -> None:
        """Drop the database."""
        self._server.run(f'DROP DATABASE IF EXISTS "{self._database}" WITH (FORCE)')

    def write(self, cursor: psycopg.Cursor[Any], stream: str, expected: int) -> None:
        """One message."""
        cursor.execute(_WRITE, (str(uuid4()), stream, EVENT_TYPE, self._data, self._metadata, expected))


class Appends(_OnMessageDb):
    """Appends by threads, each to streams of its own, with exact versions; several in one transaction, pipelined."""

    def __init__(self, server: Server, workload: Workload, writers: int, events: int = 1) -> None:
        """Take how many threads, and how many events an append."""
        super().__init__(f"message-db, {writers}" + (f", {events} events" if events > 1 else ""), server, workload)
        self._writers = writers
        self._events = events

    def fill(self, connection: psycopg.Connection[Any]) -> None:
        """Nothing yet."""
        del connection
        self._versions = dict.fromkeys(range(STREAMS), -1)

    def measure(self, seconds: float) -> Sample:
        """Append until the time is over."""
        # Open while it is measured only: the server has connections for one case at a time.
        size = min(self._writers, _CONNECTIONS)
        with ConnectionPool(self.where, min_size=size, kwargs=_SESSION, open=True) as pool:
            pool.wait()

            def begin(writer: int) -> Callable[[], object]:
                mine, pick, known = range(writer, STREAMS, self._writers), random.Random(writer).choice, self._versions

                def append() -> None:
                    number = pick(mine)
                    with pool.connection() as connection, connection.cursor() as cursor:
                        self._append(connection, cursor, _name(number), known[number])
                    known[number] += self._events

                return append

            return append_by_threads(self._writers, self._events, seconds, begin)

    def _append(self, connection: psycopg.Connection[Any], cursor: psycopg.Cursor[Any], stream: str, at: int) -> None:
        if self._events == 1:
            self.write(cursor, stream, at)
            cursor.fetchone()
            return
        with connection.pipeline(), connection.transaction():
            for number in range(self._events):
                self.write(cursor, stream, at + number)


class StreamReads(_OnMessageDb):
    """One stream of 100 events, with `json.loads` on data and metadata."""

    def __init__(self, server: Server, workload: Workload) -> None:
        """Take where to work."""
        super().__init__("message-db, stream, json.loads", server, workload)

    def fill(self, connection: psycopg.Connection[Any]) -> None:
        """The stream."""
        with connection.cursor() as cursor:
            for number in range(100):
                self.write(cursor, _name(0), number - 1)

    def measure(self, seconds: float) -> Sample:
        """Read until the time is over."""
        with self.connect() as connection:
            count, began = 0, time.perf_counter()
            while time.perf_counter() - began < seconds:
                for row in connection.execute(_READ, (_name(0),)).fetchall():
                    json.loads(row[5])
                    json.loads(row[6])
                    count += 1
            return Sample(count, time.perf_counter() - began)


def case(scenario: str, server: Server, workload: Workload, writers: int, events: int) -> Case:
    """A scenario on message-db."""
    del events
    if scenario == "read-stream":
        return StreamReads(server, workload)
    return Appends(server, workload, writers, 10 if scenario == "append-10" else 1)
