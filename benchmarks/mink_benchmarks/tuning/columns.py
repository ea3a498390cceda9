"""What JSON costs the server as `jsonb`, `json` and `text`: by the bare driver, as a store's columns are decided."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import asyncpg

from mink_benchmarks import loops
from mink_benchmarks.reads import Function
from mink_benchmarks.samples import Sample

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mink_benchmarks.samples import Case
    from mink_benchmarks.server import Server
    from mink_benchmarks.workload import Workload

TYPES = ("jsonb", "json", "text")
_TOGETHER = 32
"""Events of one INSERT, as of a full group."""
_PAGE = 1000
_LOG = 50_000


def cases(server: Server, workload: Workload) -> dict[str, list[Case]]:
    """By what is done: the same table with columns of each type."""
    schema = server.new_schema("columns")
    server.run(f'CREATE SCHEMA "{schema}"')
    tables = {kind: f'"{schema}".as_{kind}' for kind in TYPES}
    texts = [json.dumps(value, separators=(",", ":")) for value in (workload.data, workload.metadata)]
    for kind, table in tables.items():
        server.run(
            f"CREATE TABLE {table} (global_position bigserial PRIMARY KEY, event_type text NOT NULL, "
            f"data {kind} NOT NULL, metadata {kind})"
        )
        server.run(
            f"INSERT INTO {table} (event_type, data, metadata) "  # noqa: S608 -- our own names
            f"SELECT 'OrderPlaced', %s::{kind}, %s::{kind} FROM generate_series(1, {_LOG})",
            *texts,
        )
    return {
        "32 events an INSERT": [_written(server, kind, table, texts) for kind, table in tables.items()],
        "pages of 1,000 as text": [_read(server, kind, table) for kind, table in tables.items()],
    }


def _written(server: Server, kind: str, table: str, texts: list[str]) -> Function:
    statement = (
        f"INSERT INTO {table} (event_type, data, metadata) SELECT 'OrderPlaced', "  # noqa: S608 -- our own names
        f"d::{kind}, m::{kind} FROM unnest($1::text[], $2::text[]) AS e (d, m)"
    )
    arguments = [[text] * _TOGETHER for text in texts]

    async def once(connection: Any, _: int) -> tuple[int, int]:
        await connection.execute(statement, *arguments)
        return _TOGETHER, 0

    return _case(server, kind, once)


def _read(server: Server, kind: str, table: str) -> Function:
    statement = (
        "SELECT global_position, event_type, data::text, metadata::text "  # noqa: S608 -- our own names
        f"FROM {table} WHERE global_position > $1 ORDER BY global_position LIMIT {_PAGE}"
    )

    async def once(connection: Any, position: int) -> tuple[int, int]:
        rows = await connection.fetch(statement, position)
        return len(rows), rows[-1][0] if len(rows) == _PAGE else 0

    return _case(server, kind, once)


def _case(server: Server, kind: str, once: Callable[[Any, int], Awaitable[tuple[int, int]]]) -> Function:
    async def work(seconds: float) -> Sample:
        connection = await asyncpg.connect(server.url)
        _, position = await once(connection, 0)
        count, began = 0, time.perf_counter()
        while not count or time.perf_counter() - began < seconds:
            done, position = await once(connection, position)
            count += done
        took = time.perf_counter() - began
        await connection.close()
        return Sample(count, took)

    return Function(kind, lambda seconds: loops.run(work(seconds)))
