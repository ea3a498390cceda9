"""A reader's memory does not grow with the stream (READ-04)."""

from __future__ import annotations

import subprocess
import sys

import psycopg
import pytest

from mink_postgres import PostgresEventStore

BIG = 1_000_000
READ = """
import asyncio, pathlib, resource, sys
from mink_postgres import AsyncPostgresEventStore, PostgresEventStore
door, url, schema, stream = sys.argv[1:]

def sync():
    with PostgresEventStore(url, schema=schema, min_size=1) as store:
        return sum(1 for _ in store.read_stream(stream))

async def awaited():
    async with AsyncPostgresEventStore(url, schema=schema, driver=door, min_size=1) as store:
        count = 0
        async for _ in store.read_stream(stream):
            count += 1
        return count

count = sync() if door == "sync" else asyncio.run(awaited())
status = pathlib.Path("/proc/self/status")
if status.exists():
    # On Linux ru_maxrss begins at what the forking parent had, which hides any growth below that.
    peak = next(line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(count, peak)
"""


@pytest.fixture(scope="module")
def big_schema(postgres_url: str):
    name = "big_streams"
    with PostgresEventStore(postgres_url, schema=name, min_size=1) as store:
        store.initialize()
    with psycopg.connect(postgres_url, autocommit=True) as owner:
        for stream, count in (("small-1", 1000), ("big-1", BIG)):
            owner.execute(
                f"INSERT INTO {name}.events (stream_id, version, event_type, data, metadata) SELECT %s, n, 'Made', "
                """jsonb_build_object('order_id', n, 'note', repeat('x', 150)), '{"user_id": "u-7"}' """
                "FROM generate_series(1, %s) AS n",
                (stream, count),
            )
            owner.execute(
                f"INSERT INTO {name}.streams (stream_id, category, version) VALUES (%s, split_part(%s, '-', 1), %s)",
                (stream, stream, count),
            )
        owner.execute(f"ANALYZE {name}.events")
    yield name
    with psycopg.connect(postgres_url, autocommit=True) as owner:
        owner.execute(f"DROP SCHEMA {name} CASCADE")


@pytest.mark.parametrize("door", ["sync", "psycopg", "asyncpg"])
def test_a_million_events_take_no_more_than_a_thousand(postgres_url: str, big_schema: str, door: str) -> None:
    def read(stream: str) -> tuple[int, int]:
        printed = subprocess.run(
            [sys.executable, "-c", READ, door, postgres_url, big_schema, stream],
            check=True,
            capture_output=True,
            text=True,
            timeout=200,
        ).stdout
        count, kilobytes = printed.split()
        return int(count), int(kilobytes)

    small, small_memory = read("small-1")
    big, big_memory = read("big-1")
    assert (small, big) == (1000, BIG)
    assert small_memory < 150 * 1024, "not the reader's own memory"
    print(f"\n{door}: {small_memory / 1024:.1f} MB for 1,000 events, {big_memory / 1024:.1f} MB for {BIG:,}")
    assert (big_memory - small_memory) / 1024 < 60
