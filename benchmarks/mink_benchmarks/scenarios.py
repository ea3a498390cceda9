"""What can be measured on any store."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from mink_benchmarks.appends import Appends, Batches, HotStreams, TenEvents
from mink_benchmarks.live_delivery import Delivery
from mink_benchmarks.mixed import Mixed
from mink_benchmarks.reads import Function, Reads
from mink_benchmarks.samples import Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mink_benchmarks.samples import Case
    from mink_benchmarks.server import Server
    from mink_benchmarks.targets import Target
    from mink_benchmarks.workload import Workload

APPENDING: dict[str, Callable[..., Case]] = {
    "append-1": Appends,
    "append-10": TenEvents,
    "append-conflict": HotStreams,
    "append-batch": Batches,
}
WRITING: dict[str, Callable[..., Case]] = {**APPENDING, "mixed": Mixed}
READING = {"read-stream": "stream", "replay": "replay", "filtered-replay": "filtered"}
SCENARIOS = (*APPENDING, *READING, "subscribe-latency", "mixed")
"""By name, as on the command line."""


def _pgbench(server: Server, events: int, writers: Sequence[int]) -> list[Case]:
    from mink_benchmarks import floors  # noqa: PLC0415 -- needs the drivers

    if not floors.pgbench_found():
        return []
    floors.load_floor(server)
    return [floors.PgbenchFloor(f"pgbench floor, {count}", server, count, events) for count in writers]


def _pages(server: Server, schema: str) -> list[Case]:
    from mink_benchmarks import floors  # noqa: PLC0415 -- needs the drivers

    return [
        floors.asyncpg_pages("bare asyncpg, pages decoded", server, schema, decode=True),
        floors.psycopg_pages("bare psycopg, pages decoded", server, schema, decode=True),
    ]


FLOORS: dict[str, Callable[[Server, str, Sequence[int]], list[Case]]] = {
    "append-1": lambda server, _, writers: _pgbench(server, 1, writers),
    "append-10": lambda server, _, writers: _pgbench(server, 10, writers),
    "replay": lambda server, schema, _: _pages(server, schema),
}
"""Bare PostgreSQL and the bare drivers, measured beside on the run's own server: by its schema and the writers."""
_YARD = 0.5
"""Seconds that the yardstick takes of a round, at most."""


def yardstick(workload: Workload) -> Case:
    """What the machine does by itself, for comparisons of a run with another where no floor stands beside."""
    text, loads = json.dumps(workload.data), json.loads

    def work(seconds: float) -> Sample:
        count, began = 0, time.perf_counter()
        while (took := time.perf_counter() - began) < min(seconds, _YARD):
            loads(text)
            count += 1
        return Sample(count, took)

    return Function("Python alone", work)


DESCRIPTIONS = {
    "append-1": "one event an append, exact versions, streams of each writer's own",
    "append-10": "ten events an append",
    "append-conflict": "all writers on ten streams, retried after a conflict: what was stored counts, conflicts beside",
    "append-batch": "append_batch of one event to each of ten streams",
    "read-stream": "one stream of 100 events, decoded",
    "replay": "the whole log, decoded",
    "filtered-replay": "one event type in twenty",
    "mixed": "appends, a reader of streams for every four writers, and a live subscriber: what was appended counts",
    "subscribe-latency": "from the append call to a live subscriber, 500 appends a second",
}


def cases_of(
    scenario: str,
    target: Target,
    workload: Workload,
    *,
    writers: int,
    events: int,
) -> Case:
    """The case of a scenario on one store.

    Args:
        scenario: One of `SCENARIOS`.
        target: The store.
        workload: The payload.
        writers: How many threads or tasks append.
        events: How many events the log has that is read.
    """
    if scenario in WRITING:
        return WRITING[scenario](f"{target.name}, {writers}", target, workload, writers)
    if scenario in READING:
        return Reads(target.name, target, workload, events=events, how=READING[scenario])
    return Delivery(target.name, target, workload)
