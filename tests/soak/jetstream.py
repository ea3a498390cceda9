"""Faults inflicted on a replicated store under load, with a ledger of what was acknowledged.

    python -m tests.soak.jetstream --seconds 60 --nodes 3
    python -m tests.soak.jetstream --seconds 60 --nodes 3 --partition
    python -m tests.soak.jetstream --seconds 5 --url memory://soak

64 callers append with exact expectations while nodes are killed (the leader too) and started again, or the
leader's routes are cut so that it is in the minority. Afterwards, by the copy of each node: every acknowledged event is
stored, none twice, versions without a gap, calls of unknown outcome whole or absent, refused ones absent, and
each of three readers that followed all the while was given exactly the feed. Prints a JSON line; ends with 1 where
something is wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import threading
import time
from collections import Counter
from contextlib import AsyncExitStack, ExitStack, suppress
from random import Random
from typing import TYPE_CHECKING, Any

import nats
import nats.errors

from mink_core import open_async_store
from mink_jetstream.server import nats_cluster
from tests.soak.jetstream_ledger import Ledger, Outcome, Seen, Verdict, Window, judge
from tests.soak.jetstream_load import Caller, Reader
from tests.soak.jetstream_strikes import Strikes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mink_core import AsyncStore
    from mink_jetstream.server import Cluster

STORE = "soak"
STREAM = f"MINK_{STORE}"
"""The stream that the store keeps its events in."""
CALLERS = 64
READERS = 3


async def soak(
    cluster: Cluster | None,
    url: str,
    *,
    seconds: float,
    seed: int,
    partition: bool = False,
    callers: int = CALLERS,
    first_leader: bool = False,
    at_least: int = 0,
    wrap: Callable[[Any], Any] = lambda store: store,
) -> dict[str, Any]:
    """Run the load, strike, judge.

    Args:
        cluster: What is struck; None for a store that is only loaded.
        url: The store; in a partition each caller comes by one node of the cluster alone.
        seconds: How long.
        seed: Of all chance.
        partition: Cut routes rather than kill nodes.
        callers: How many.
        first_leader: Strike the leader first.
        at_least: How many calls are acknowledged before it ends, however slow the machine.
        wrap: Breaks each store on purpose, to see that it is found.
    """
    ledger = Ledger()
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(open_async_store(url))
        await first.initialize()
        doors = {"any": url}
        if cluster is not None and partition:
            doors = {f"node-{n}": f"{cluster.url_of(n)}/{STORE}" for n in range(len(cluster.nodes))}
        names = list(doors)
        shared = {
            name: [wrap(await stack.enter_async_context(open_async_store(at))) for _ in range(2)]
            for name, at in doors.items()
        }
        readers = [
            Reader(wrap(await stack.enter_async_context(open_async_store(doors[names[n % len(names)]]))), ledger)
            for n in range(READERS)
        ]
        at_work = [
            Caller(n, shared[names[n % len(names)]][n // len(names) % 2], ledger, names[n % len(names)], seed)
            for n in range(callers)
        ]
        ended, over, done = asyncio.Event(), asyncio.Event(), threading.Event()
        reading = [asyncio.create_task(reader.run(over)) for reader in readers]
        calling = [asyncio.create_task(caller.run(ended)) for caller in at_work]
        began = time.monotonic()
        counts: dict[str, int] = {}
        minority: Counter[str] = Counter()
        windows: list[Window] = []
        if cluster is not None:
            strikes = Strikes(cluster, STREAM, ledger, Random(seed))
            striking = asyncio.create_task(
                asyncio.to_thread(strikes.run, done, partition=partition, first_leader=first_leader)
            )
            await asyncio.sleep(seconds)
            done.set()
            await striking
            counts = dict(strikes.counts)
        else:
            await asyncio.sleep(seconds)
        patience = time.monotonic() + 60
        while ledger.count(Outcome.ACKNOWLEDGED) < at_least and time.monotonic() < patience:  # noqa: ASYNC110 -- a count
            await asyncio.sleep(0.05)
        ended.set()
        await asyncio.gather(*calling)
        took = time.monotonic() - began
        head = await first.head_position()
        for reader in readers:
            await reader.catch_up(head)
        over.set()
        await asyncio.gather(*reading)
        feed = await _feed(first)
        if cluster is not None:
            await _compare_copies(cluster, first, feed, ledger)
            windows = strikes.minorities
        for window in windows:
            minority += ledger.within(window)
        stale = ledger.excuse(windows)
        if too_many := minority["acknowledged in time"]:
            ledger.problem(f"{too_many} calls were acknowledged by a node without a majority")
        verdict = judge(ledger, feed, [reader.given for reader in readers])
    return _report(verdict, ledger, took) | {
        "strikes": counts,
        "at_the_minority": dict(minority),
        "old_versions_told_at_the_minority": stale,
        "readers": [len(reader.given) for reader in readers],
        "seed": seed,
    }


async def _feed(store: AsyncStore) -> list[Seen]:
    return [Seen(it.global_position, it.event_id, it.stream_id, it.version) async for it in store.read_all()]


async def _compare_copies(cluster: Cluster, store: AsyncStore, feed: list[Seen], ledger: Ledger) -> None:
    """Let each node lead in turn, so that the feed is read from each copy: they must be the same."""
    client = await nats.connect(cluster.url.partition(",")[0])
    try:
        for number in range(len(cluster.nodes)):
            wanted = json.dumps({"placement": {"preferred": f"node-{number}"}}).encode()
            end = time.monotonic() + 60
            while await asyncio.to_thread(cluster.leader_of, STREAM) != number:
                if time.monotonic() > end:
                    ledger.problem(f"node-{number} could not be made the leader")
                    return
                with suppress(nats.errors.Error):  # asked again, as nobody leads for a moment
                    await client.request(f"$JS.API.STREAM.LEADER.STEPDOWN.{STREAM}", wanted, timeout=5)
                await asyncio.sleep(0.5)
            copy = await _feed(store)
            if copy != feed:
                ledger.problem(f"node-{number} has {len(copy)} events, and {len(set(copy) ^ set(feed))} differ")
    finally:
        await client.close()


def _report(verdict: Verdict, ledger: Ledger, took: float) -> dict[str, Any]:
    return {
        "passed": verdict.passed,
        "seconds": round(took, 1),
        "calls": {outcome.value: ledger.count(outcome) for outcome in Outcome},
        "acknowledged_events": verdict.events,
        "stored_events": verdict.stored,
        "lost": verdict.lost,
        "twice": verdict.twice,
        "unknown_stored": verdict.unknown_stored,
        "longest_gap": round(ledger.longest_gap, 2),
        "errors": dict(ledger.errors),
        "problems": list(verdict.problems),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak.jetstream", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--callers", type=int, default=CALLERS)
    parser.add_argument("--partition", action="store_true", help="cut the leader's routes instead of killing nodes")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--url", help="only load this store, which several handles share, and strike nothing")
    given = parser.parse_args(arguments)
    with ExitStack() as stack:
        cluster = None if given.url else stack.enter_context(nats_cluster(given.nodes))
        url = given.url if cluster is None else f"{cluster.url}/{STORE}"
        work = soak(
            cluster, url, seconds=given.seconds, seed=given.seed, partition=given.partition, callers=given.callers
        )
        report = asyncio.run(work)
    mode = "partition" if given.partition else "kill" if cluster else "load"
    print(json.dumps({"mode": mode, "nodes": given.nodes, **report}))
    return 0 if report["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
