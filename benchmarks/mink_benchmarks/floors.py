"""The floors: pgbench with one PL/pgSQL call a commit, and the bare drivers."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import time
from functools import partial
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Any

import asyncpg
import msgspec
import psycopg

from mink_benchmarks import loops
from mink_benchmarks.appends import Tally, work, work_async
from mink_benchmarks.reads import Function
from mink_benchmarks.samples import BenchmarkError, Sample
from mink_benchmarks.workload import EVENT_TYPE, STREAMS, Workload, share

if TYPE_CHECKING:
    from collections.abc import Callable

    from mink_benchmarks.appends import Calls
    from mink_benchmarks.server import Server

CALL = "SELECT floor.append_one($1::text, $2::text, $3::text::jsonb, $4::text::jsonb)"
PAGE = 1000


def pgbench_found() -> bool:
    """Whether the floor can be measured at all."""
    return shutil.which("pgbench") is not None


_MADE_HERE = "made by mink bench"


def load_floor(server: Server) -> None:
    """Make the floor's schema anew, for as long as the server is used.

    Raises:
        BenchmarkError: Somebody else's schema has its name.
    """
    made = server.run("SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = 'floor'")
    if made and made[0][0] != _MADE_HERE:
        msg = "the database has a schema named floor that mink bench has not made: give the URL of another database"
        raise BenchmarkError(msg)
    server.run("DROP SCHEMA IF EXISTS floor CASCADE")
    server.drop_later("floor")
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(files("mink_benchmarks").joinpath("sql", "floor.sql").read_bytes())
        connection.execute(f"COMMENT ON SCHEMA floor IS '{_MADE_HERE}'")


class PgbenchFloor:
    """Appends of one or ten events by so many clients of pgbench."""

    def __init__(self, name: str, server: Server, clients: int, events: int = 1) -> None:
        """Take how many."""
        self.name = name
        self._server = server
        self._clients = clients
        self._events = events

    def open(self) -> None:
        """The floor's schema is loaded once a run."""

    def close(self) -> None:
        """Nothing is kept open."""

    def measure(self, seconds: float) -> Sample:
        """Run pgbench for so long, in whole seconds, two at least."""
        # A short run may be over before all clients are connected.
        length = max(2, round(seconds))
        script = "append_ten.pgbench" if self._events > 1 else "append_one.pgbench"
        with as_file(files("mink_benchmarks").joinpath("sql", script)) as path:
            command = ["pgbench", self._server.url, "-n", "-M", "prepared", "-f", str(path)]
            command += ["-c", str(self._clients), "-j", "2", "-T", str(length)]
            command += ["-D", f"clients={self._clients}", "-D", f"per={STREAMS // self._clients}"]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
        for line in done.stdout.splitlines():
            if line.startswith("tps"):
                return Sample(round(float(line.split()[2]) * length * self._events), length)
        # Also when not one transaction was done before the time was over: the machine is far too busy.
        msg = f"pgbench measured nothing: {done.stderr.strip()[-300:]}"
        raise BenchmarkError(msg)


def _calls(call: Callable[..., Any], workload: Workload, tally: Tally) -> Calls:
    """Calls of the floor's function, chosen and noted as our stores' writers do it."""
    data, metadata, mine = json.dumps(workload.data), json.dumps(workload.metadata), share(0, 1)
    pick, now, add = random.Random(0).choice, time.perf_counter, tally.add
    while True:
        stream = pick(mine)
        began = now()
        yield partial(call, stream, EVENT_TYPE, data, metadata)
        add(1, began)


def psycopg_call(server: Server, workload: Workload) -> Function:
    """One psycopg connection that calls the floor's function, with one cursor."""

    def measure(seconds: float) -> Sample:
        with psycopg.connect(server.url, autocommit=True) as connection, psycopg.RawCursor(connection) as cursor:

            def call(*args: str) -> Any:
                return cursor.execute(CALL, args).fetchone()

            tally, began = Tally(), time.perf_counter()
            work(_calls(call, workload, tally), began + seconds)
            return Sample(tally.count, time.perf_counter() - began, tally.latencies)

    return Function("psycopg, bare function, 1", measure)


def asyncpg_call(server: Server, workload: Workload, runner: Callable[[Any], Any] = loops.run) -> Function:
    """One asyncpg connection that calls the floor's function."""

    async def measure(seconds: float) -> Sample:
        connection = await asyncpg.connect(server.url)
        tally, began = Tally(), time.perf_counter()
        await work_async(_calls(partial(connection.fetchrow, CALL), workload, tally), began + seconds)
        took = time.perf_counter() - began
        await connection.close()
        return Sample(tally.count, took, tally.latencies)

    return Function("asyncpg, bare function, 1", lambda seconds: runner(measure(seconds)))


def _pages(schema: str) -> str:
    return (
        "SELECT global_position, stream_id, version, event_id, event_type, data::text, metadata::text, timestamp "  # noqa: S608 -- our own name
        f'FROM "{schema}".events WHERE global_position > $1 ORDER BY global_position LIMIT {PAGE}'
    )


def asyncpg_pages(name: str, server: Server, schema: str, *, decode: bool) -> Function:
    """Page by page by asyncpg; JSON left as text, or decoded."""
    decoder = msgspec.json.Decoder().decode

    async def work(seconds: float) -> Sample:
        connection = await asyncpg.connect(server.url)
        count, position, began = 0, 0, time.perf_counter()
        while not count or time.perf_counter() - began < seconds:
            rows = await connection.fetch(_pages(schema), position)
            position = rows[-1][0] if rows else 0
            count += len(rows)
            if decode:
                for row in rows:
                    decoder(row[5])
                    decoder(row[6])
        took = time.perf_counter() - began
        await connection.close()
        return Sample(count, took)

    return Function(name, lambda seconds: loops.run(work(seconds)))


def psycopg_pages(name: str, server: Server, schema: str, *, decode: bool) -> Function:
    """Page by page by psycopg; JSON left as text, or decoded."""
    decoder = msgspec.json.Decoder().decode
    statement: Any = _pages(schema)

    def work(seconds: float) -> Sample:
        with psycopg.connect(server.url, autocommit=True) as connection, psycopg.RawCursor(connection) as cursor:
            count, position, began = 0, 0, time.perf_counter()
            while not count or time.perf_counter() - began < seconds:
                rows = cursor.execute(statement, (position,)).fetchall()
                position = rows[-1][0] if rows else 0
                count += len(rows)
                if decode:
                    for row in rows:
                        decoder(row[5])
                        decoder(row[6])
            return Sample(count, time.perf_counter() - began)

    return Function(name, work)


def json_loads(workload: Workload) -> Function:
    """The bare decoder on one event's data and metadata, the same text over and over."""
    decoder = msgspec.json.Decoder().decode
    data, metadata = json.dumps(workload.data), json.dumps(workload.metadata)

    def work(seconds: float) -> Sample:
        count, began = 0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            for _ in range(1000):
                decoder(data)
                decoder(metadata)
            count += 1000
        return Sample(count, time.perf_counter() - began)

    return Function("decoder alone", work)
