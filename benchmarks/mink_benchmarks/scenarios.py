"""What can be measured on any store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mink_benchmarks.appends import Appends, Batches, HotStreams, TenEvents
from mink_benchmarks.live_delivery import Delivery
from mink_benchmarks.mixed import Mixed
from mink_benchmarks.reads import Reads

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from mink_benchmarks.samples import Case
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

DESCRIPTIONS = {
    "append-1": "one event an append, exact versions, streams of each writer's own",
    "append-10": "ten events an append",
    "append-conflict": "all writers on ten streams, retried after a conflict: what was stored counts",
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
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> Case:
    """The case of a scenario on one store.

    Args:
        scenario: One of `SCENARIOS`.
        target: The store.
        workload: The payload.
        writers: How many threads or tasks append.
        events: How many events the log has that is read.
        loop_factory: Makes the event loop; None for asyncio's own.
    """
    if scenario in WRITING:
        return WRITING[scenario](f"{target.name}, {writers}", target, workload, writers, loop_factory)
    if scenario in READING:
        return Reads(target.name, target, workload, events=events, how=READING[scenario])
    return Delivery(target.name, target, workload)
