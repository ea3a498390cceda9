"""Scenarios on stores, peers and floors side by side: `mink bench run`."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

from mink_benchmarks import loops, report
from mink_benchmarks.compare import compare
from mink_benchmarks.peers import PEERS, peer_case
from mink_benchmarks.samples import BenchmarkError, run_rounds
from mink_benchmarks.scenarios import APPENDING, DESCRIPTIONS, FLOORS, WRITING, cases_of, yardstick
from mink_benchmarks.server import NoServer, benchmark_server
from mink_benchmarks.targets import check_is_ours, target_of
from mink_benchmarks.workload import workload_of

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Sequence

    from mink_benchmarks.samples import Case
    from mink_benchmarks.server import Server
    from mink_benchmarks.targets import Target
    from mink_benchmarks.workload import Workload


def measure_run(options: Namespace, progress: Callable[[str], None], say: Callable[[str], None]) -> int:
    """Measure the scenarios one after the other.

    Returns:
        The exit code: 1 where a comparison with an older run found something slower.
    """
    loops.choose(uvloop=options.uvloop)
    workload = workload_of(options.payload)
    # Before minutes are spent.
    older = report.read_run(options.compare, "groups") if options.compare else None
    for target in _given_targets(options):
        check_is_ours(target)
    plan = partial(_plan, options, workload=workload, say=say)
    groups: dict[str, Any] = {}
    # Stores that are given bring their own servers.
    given = (options.store or options.async_store) and not options.peer
    with nullcontext(NoServer()) if given else benchmark_server(options.server) as server:
        for scenario in options.scenario:
            cases, floors = plan(scenario=scenario, server=server)
            baseline = options.baseline or (floors or cases)[0].name
            _check_baseline(baseline, [*cases, *floors])
            machine = yardstick(workload)
            found = run_rounds(
                # Floors of reads read what the stores have filled.
                [*cases, *floors, machine],
                rounds=options.rounds,
                seconds=options.seconds,
                progress=progress,
                settle=server.settle,
            )
            yard = found.pop(machine.name)
            groups[scenario] = {
                "cases": [series.as_json() for series in found.values()],
                "baseline": baseline,
                "floors": [floor.name for floor in floors],
                "machine": {"name": yard.name, "rates": yard.rates},
            }
            say(f"\n{scenario}: {DESCRIPTIONS[scenario]}; ratios to {baseline}")
            say(report.series_table(found, baseline))
        result = {"environment": report.environment(server.describe()), "groups": groups}
    if options.json:
        report.write_json(options.json, result)
    if older is None:
        return 0
    text, slower = compare(older, result)
    say(f"\ncompared with {options.compare}")
    say(text)
    return 1 if slower else 0


def _check_baseline(baseline: str, cases: Sequence[Case]) -> None:
    names = [case.name for case in cases]
    if baseline not in names:
        msg = f"no case is named {baseline!r}; there are: {', '.join(map(repr, names))}"
        raise BenchmarkError(msg)
    if len({*names}) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        msg = f"two cases are named {twice[0]!r}: tell stores of one scheme apart by LABEL=URL"
        raise BenchmarkError(msg)


def _plan(
    options: Namespace,
    *,
    scenario: str,
    server: Server,
    workload: Workload,
    say: Callable[[str], None],
) -> tuple[list[Case], list[Case]]:
    """The stores' and the peers' cases of a scenario, and the floors beside them."""
    cases: list[Case] = []
    default = [1, 16, 64] if scenario in APPENDING else [1]
    writers = (options.writers or default) if scenario in WRITING else [1]
    own = not options.store and not options.async_store
    schema = server.new_schema("mink") if own else ""
    targets = _own_targets(server, schema, scenario) if own else _given_targets(options)
    for target in targets:
        cases.extend(
            cases_of(
                scenario,
                target,
                workload,
                writers=count,
                events=options.events,
            )
            for count in writers
        )
    for peer in options.peer:
        if scenario in PEERS[peer]:
            try:
                cases += [peer_case(peer, scenario, server, workload, count, options.events) for count in writers]
            except BenchmarkError as error:  # one that is not installed is told, not missed
                say(f"not measured: {error}")
    floors = FLOORS[scenario](server, schema, writers) if own and scenario in FLOORS else []
    return cases, floors


def _own_targets(server: Server, schema: str, scenario: str) -> list[Target]:
    url = f"{server.url}?schema={schema}"
    asyncpg = url.replace("postgresql://", "postgresql+asyncpg://")
    doors = [(url, False), (asyncpg, True), (url, True)]
    targets = [target_of(text, is_async=is_async) for text, is_async in doors]
    if scenario == "append-conflict":  # where grouping matters most
        for text, is_async in doors:
            target = target_of(text, is_async=is_async, group_commits=False)
            target.name += ", not grouped"
            targets.append(target)
    return targets


def _given_targets(options: Namespace) -> list[Target]:
    # asyncpg has no other door.
    given = [(store, "+asyncpg" in store) for store in options.store] + [(it, True) for it in options.async_store]
    return [target_of(text, is_async=is_async) for text, is_async in given]
