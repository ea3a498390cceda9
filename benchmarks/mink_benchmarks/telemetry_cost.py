"""What an instrumented store costs where nobody listens: many short rounds in pairs, with a confidence interval.

    python -m mink_benchmarks.telemetry_cost --pairs 200
    python -m mink_benchmarks.telemetry_cost --clock processor      on a machine that has other work

Each pair is one short round on the bare store and one on `instrument(store)` without an SDK, in random order, on the
same connections. A store that is not instrumented runs no line of telemetry: the module is not even imported.
The processor's clock counts what this process computes, without the server and without waiting: a larger share than that of
the time that calls take, and one that other work changes less.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mink_benchmarks import report
from mink_benchmarks.server import benchmark_server
from mink_benchmarks.workload import STREAMS, Workload, stream_name
from mink_core import ExpectedVersion, open_async_store, open_store
from mink_core.telemetry import instrument

if TYPE_CHECKING:
    from collections.abc import Callable

_DRAWS = 4000
_RANDOM = random.Random(11)


def interval(values: list[float], share: float = 0.95) -> tuple[float, float]:
    """The bootstrap interval of the median."""
    medians = sorted(statistics.median(_RANDOM.choices(values, k=len(values))) for _ in range(_DRAWS))
    edge = (1 - share) / 2
    return medians[int(edge * _DRAWS)], medians[int((1 - edge) * _DRAWS) - 1]


CLOCKS: dict[str, Callable[[], float]] = {"wall": time.perf_counter, "processor": time.process_time}


def compare(
    bare: Callable[[], None],
    wrapped: Callable[[], None],
    pairs: int,
    clock: Callable[[], float] = time.perf_counter,
) -> list[float]:
    """The cost of a pair each: how much longer the wrapped round took, as a share."""
    costs: list[float] = []
    for _ in range(pairs):
        took: dict[str, float] = {}
        order = [("bare", bare), ("wrapped", wrapped)]
        _RANDOM.shuffle(order)
        for name, work in order:
            began = clock()
            work()
            took[name] = clock() - began
        costs.append(took["wrapped"] / took["bare"] - 1)
    return costs


def _rounds(store: Any, workload: Workload, calls: int) -> dict[str, Callable[[], None]]:
    """Appends, polls and reads of a stream by one caller, a round each."""
    names = [stream_name(number) for number in range(STREAMS)]

    def appends() -> None:
        for _ in range(calls):
            store.append(_RANDOM.choice(names), workload.events(1), expected_version=ExpectedVersion.ANY)

    def polls() -> None:
        for _ in range(calls):
            store.poll(0, limit=10)

    def streams() -> None:
        for _ in range(max(1, calls // 5)):
            for _event in store.read_stream("log-1"):
                pass

    return {
        "append, psycopg, 1 thread": appends,
        "poll of 10, psycopg, 1 thread": polls,
        "stream of 100, psycopg, 1 thread": streams,
    }


def async_round(runner: asyncio.Runner, store: Any, workload: Workload, tasks: int, calls: int) -> Callable[[], None]:
    """Appends by many tasks: where the client's processor is the bound."""
    names = [stream_name(number) for number in range(STREAMS)]

    async def write(number: int) -> None:
        for _ in range(calls):
            name = _RANDOM.choice(names[number::tasks])
            await store.append(name, workload.events(1), expected_version=ExpectedVersion.ANY)

    async def all_of_them() -> None:
        await asyncio.gather(*(write(number) for number in range(tasks)))

    return lambda: runner.run(all_of_them())


def main() -> int:
    """Measure, and print each cost with its interval; 1 where an interval reaches above 2 %."""
    parser = argparse.ArgumentParser(prog="python -m mink_benchmarks.telemetry_cost", description=__doc__)
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--calls", type=int, default=100, help="calls in a round")
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="what a round's time is taken by")
    parser.add_argument("--server", help="a PostgreSQL URL; one is started else")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    clock = CLOCKS[options.clock]
    workload = Workload()
    found: dict[str, list[float]] = {}
    with benchmark_server(options.server) as server, asyncio.Runner() as runner:
        url = f"{server.url}?schema={server.new_schema('telemetry')}"
        with open_store(url) as sync:
            sync.initialize()
            sync.append("log-1", workload.events(100), expected_version=ExpectedVersion.ANY)
            wrapped = _rounds(instrument(sync), workload, options.calls)
            for name, bare in _rounds(sync, workload, options.calls).items():
                compare(bare, wrapped[name], 5)
                found[name] = compare(bare, wrapped[name], options.pairs, clock)
        store: Any = open_async_store(url.replace("postgresql://", "postgresql+asyncpg://"))
        runner.run(store.initialize())
        pair = [
            async_round(runner, used, workload, 64, max(1, options.calls // 10)) for used in (store, instrument(store))
        ]
        compare(pair[0], pair[1], 5)
        found["append, asyncpg, 64 tasks"] = compare(pair[0], pair[1], options.pairs, clock)
        runner.run(store.close())
        environment = report.environment(server.describe())
    rows: list[list[str]] = []
    figures: dict[str, Any] = {}
    for name, costs in found.items():
        low, high = interval(costs)
        middle = statistics.median(costs)
        figures[name] = {"median": middle, "low": low, "high": high, "pairs": len(costs)}
        rows.append([name, f"{middle:+.2%}", f"{low:+.2%}", f"{high:+.2%}"])
    print(
        report.table([f"cost of instrument() without an SDK, {options.clock} clock", "median", "95 % from", "to"], rows)
    )
    if options.json:
        report.write_json(options.json, {"environment": environment, "telemetry": figures})
    return 1 if any(one["high"] > 0.02 for one in figures.values()) else 0  # noqa: PLR2004 -- the bound


if __name__ == "__main__":
    sys.exit(main())
