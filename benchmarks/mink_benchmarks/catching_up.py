"""Catching up: replay through a subscription, a sparse filter, and what a metadata index would do.

    python -m mink_benchmarks.catching_up --events 2000000

The filter matches one event in 100,000. Each page is one call of `poll`, so one bounded scan.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import statistics
import threading
import time
from typing import TYPE_CHECKING, Any

import psycopg

from mink_core import EventFilter, StoredEvent
from mink_postgres import AsyncPostgresEventStore, PostgresEventStore
from mink_postgres.server import EmbeddedServer

if TYPE_CHECKING:
    from collections.abc import Callable

RARE = 100_000
FILL = """
    INSERT INTO mink.events (stream_id, version, event_type, data, metadata, timestamp)
    SELECT 'order-' || (g %% 20000), g / 20000 + 1, CASE WHEN g %% 100000 = 0 THEN 'Rare' ELSE 'Placed' END,
        jsonb_build_object('n', g, 'customer', 'c-' || (g %% 997), 'note', repeat('x', 180)),
        jsonb_build_object('tenant_id', CASE WHEN g %% 100000 = 0 THEN 'rare' ELSE 't-' || (g %% 50) END,
            'correlation_id', md5(g::text)),
        now()
    FROM generate_series(%s::bigint, %s::bigint) AS g
"""
INDEX = "CREATE INDEX idx_bench_metadata ON mink.events USING gin (metadata jsonb_path_ops)"


def fill(url: str, first: int, last: int) -> float:
    """Events a second of a plain INSERT by the server itself."""
    begin = time.perf_counter()
    with psycopg.connect(url, autocommit=True) as admin:
        for start in range(first, last + 1, 100_000):
            admin.execute(FILL, (start, min(start + 99_999, last)))
        admin.execute("VACUUM ANALYZE mink.events")
    return (last - first + 1) / (time.perf_counter() - begin)


def sparse(store: PostgresEventStore, where: EventFilter) -> None:
    """Follow a rare event to the head; every page must move on."""
    head, position, found = store.head_position(), 0, 0
    times: list[float] = []
    begin = time.perf_counter()
    while position < head:
        start = time.perf_counter()
        page = store.poll(position, where=where, limit=500)
        times.append((time.perf_counter() - start) * 1e3)
        if page.next_position <= position:
            msg = f"a page did not move on from {position}"
            raise AssertionError(msg)
        position = page.next_position
        found += len(page.events)
    whole = time.perf_counter() - begin
    print(
        f"  {found} events in {len(times)} pages, {whole:.2f} s, {head / whole:,.0f} positions/s; a page's ms: "
        f"min {min(times):.1f}, median {statistics.median(times):.1f}, max {max(times):.1f}",
        flush=True,
    )


def ignore(_event: StoredEvent) -> None:
    """A handler that does nothing."""


def durable(store: PostgresEventStore, where: EventFilter) -> None:
    """The same by a durable subscription: how often, and how evenly, its checkpoint moves."""
    head, seen = store.head_position(), [0]
    begin = time.perf_counter()
    with store.subscription("sparse", ignore, where=where):
        while seen[-1] < head:
            checkpoint = store.checkpoints.load("sparse")
            if checkpoint is not None and checkpoint.position > seen[-1]:
                seen.append(checkpoint.position)
            time.sleep(0.001)
    steps = [after - before for before, after in itertools.pairwise(seen)]
    store.subscriptions.reset("sparse")
    print(
        f"  durable: {time.perf_counter() - begin:.2f} s, {len(steps)} positions of the checkpoint seen; a step's "
        f"positions: min {min(steps):,}, median {statistics.median(steps):,.0f}, max {max(steps):,}",
        flush=True,
    )


def replay(url: str, rounds: int) -> None:
    """Events a second: read_all beside a durable subscription with a handler that does nothing, in turn."""
    rates: dict[str, list[float]] = {}
    for number in range(rounds):
        for name, run in _replays(url).items():
            count, seconds = run(f"replay-{number}")
            rates.setdefault(name, []).append(count / seconds)
    for name, values in rates.items():
        print(f"  {name:44} {min(values):10,.0f} {statistics.median(values):10,.0f} {max(values):10,.0f}", flush=True)


def _replays(url: str) -> dict[str, Callable[[str], tuple[int, float]]]:
    def read_sync(_: str) -> tuple[int, float]:
        with PostgresEventStore(url, min_size=1) as store:
            begin = time.perf_counter()
            return sum(1 for _ in store.read_all()), time.perf_counter() - begin

    def subscription_sync(name: str, **options: Any) -> tuple[int, float]:
        with PostgresEventStore(url, min_size=1) as store:
            return _until_head(store, f"{name}-{len(options)}", **options)

    def read_async(_: str) -> tuple[int, float]:
        async def work() -> tuple[int, float]:
            async with AsyncPostgresEventStore(url, driver="asyncpg", min_size=1) as store:
                begin = time.perf_counter()
                count = 0
                async for _ in store.read_all():
                    count += 1
                return count, time.perf_counter() - begin

        return asyncio.run(work())

    def subscription_async(name: str) -> tuple[int, float]:
        async def work() -> tuple[int, float]:
            async with AsyncPostgresEventStore(url, driver="asyncpg", min_size=1) as store:
                head, done, count = await store.head_position(), asyncio.Event(), 0

                async def handle(event: StoredEvent) -> None:
                    nonlocal count
                    count += 1
                    if event.global_position == head:
                        done.set()

                begin = time.perf_counter()
                async with store.subscription(f"{name}-async", handle, batch_size=1000):
                    await done.wait()
                    return count, time.perf_counter() - begin

        return asyncio.run(work())

    return {
        "psycopg: read_all": read_sync,
        "psycopg: subscription, at least once": lambda name: subscription_sync(name, batch_size=1000),
        "psycopg: subscription, transactional": lambda name: subscription_sync(
            name, batch_size=1000, transactional=True
        ),
        "asyncpg: read_all": read_async,
        "asyncpg: subscription, at least once": subscription_async,
    }


def _until_head(store: PostgresEventStore, name: str, **options: Any) -> tuple[int, float]:
    head, done, counts = store.head_position(), threading.Event(), [0]

    def handle(event: StoredEvent, *_: Any) -> None:
        counts[0] += 1
        if event.global_position == head:
            done.set()

    begin = time.perf_counter()
    with store.subscription(name, handle, **options):
        done.wait()
        return counts[0], time.perf_counter() - begin


def main() -> None:
    """Measure on a server of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--replayed", type=int, default=1_000_000, help="events of the replay, in a store of their own")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    if given.replayed:
        with EmbeddedServer.start() as server:
            with PostgresEventStore(server.url(), min_size=1) as store:
                store.initialize()
            fill(server.url(), 1, given.replayed)
            print(f"Replay of {given.replayed:,} events, events/s, {given.rounds} rounds: min, median, max")
            replay(server.url(), given.rounds)
    if given.events:
        with EmbeddedServer.start() as server, PostgresEventStore(server.url(), min_size=1) as store:
            store.initialize()
            plain = fill(server.url(), 1, given.events)
            filters = {
                "type, 1 in 100,000": EventFilter(event_types=("Rare",)),
                "metadata, 1 in 100,000": EventFilter(metadata={"tenant_id": "rare"}),
            }
            for name, where in filters.items():
                print(f"{given.events:,} events, filter by {name}:")
                sparse(store, where)
                durable(store, where)
            with psycopg.connect(server.url(), autocommit=True) as admin:
                begin = time.perf_counter()
                admin.execute(INDEX)
                size = admin.execute("SELECT pg_size_pretty(pg_relation_size('mink.idx_bench_metadata'))").fetchone()
                admin.execute("VACUUM ANALYZE mink.events")
            print(f"with a GIN index on metadata, built in {time.perf_counter() - begin:.1f} s, {size and size[0]}:")
            sparse(store, filters["metadata, 1 in 100,000"])
            more = given.events // 10
            indexed = fill(server.url(), given.events + 1, given.events + more)
            print(f"INSERT of {more:,} events: {plain:,.0f} events/s without that index, {indexed:,.0f} with it")


if __name__ == "__main__":
    main()
