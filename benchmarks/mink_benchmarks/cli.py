"""The command line: scenarios on any stores, the numbers to beat, growth, plots."""

from __future__ import annotations

import argparse
import sys
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mink_benchmarks import report
from mink_benchmarks.compare import compare
from mink_benchmarks.peers import PEERS, peer_case
from mink_benchmarks.progress import Progress
from mink_benchmarks.samples import BenchmarkError, run_rounds
from mink_benchmarks.scenarios import APPENDING, DESCRIPTIONS, SCENARIOS, WRITING, cases_of
from mink_benchmarks.server import NoServer, benchmark_server
from mink_benchmarks.targets import target_of
from mink_benchmarks.workload import Workload, workload_of
from mink_core import MinkError
from mink_core.cli.failures import INTERRUPTED, WRONG_USAGE, exit_code_of

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from mink_benchmarks.samples import Case
    from mink_benchmarks.server import Server

_EPILOG = """\
examples:
  mink bench goals --rounds 5
  mink bench goals --runs 3
  mink bench run append-1 --writers 1 --writers 64
  mink bench run append-1 append-10 --peer naive --peer message-db
  mink bench run replay --store memory:// --store postgresql://localhost/app
  mink bench run append-1 --json new.json --compare old.json
  mink bench plots new.json pictures

exit codes:
  0  measured, and every goal reached
  1  a goal missed, or with --compare something slower
  2  wrong usage: an argument, a file, what is not installed
  3  storage trouble
  130  ended by Ctrl-C

scenarios:
""" + "\n".join(f"  {name:18} {DESCRIPTIONS[name]}" for name in SCENARIOS)


def main(arguments: Sequence[str]) -> int:
    """Run one command.

    Returns:
        The exit code, as the help says.
    """
    options = _parser().parse_args(arguments)
    try:
        result: int = options.work(options)
    except MinkError as error:
        sys.stderr.write(f"mink bench: {error}\n")
        return WRONG_USAGE if isinstance(error, BenchmarkError) else exit_code_of(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    return result


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mink bench",
        description="Measure event stores side by side, in interleaved rounds on one server.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="measure scenarios on one or several stores")
    run.add_argument("scenario", nargs="+", choices=SCENARIOS, metavar="SCENARIO")
    run.add_argument(
        "--store", action="append", default=[], help="a URL, LABEL=URL or module:callable; repeat to compare"
    )
    run.add_argument(
        "--async-store", action="append", default=[], help="the same by the async door, with tasks for threads"
    )
    run.add_argument(
        "--peer",
        action="append",
        default=[],
        choices=PEERS,
        help="another event store beside, where it has the scenario",
    )
    run.add_argument("--payload", type=Path, help="a file of JSON to append instead of the usual order")
    run.add_argument("--uvloop", action="store_true", help="run async stores on uvloop")
    run.add_argument("--baseline", help="the case that ratios are taken to; the first one else")
    run.set_defaults(work=_run)
    goals = commands.add_parser("goals", help="the numbers to beat: each ratio, and whether it is reached")
    goals.add_argument("--only", action="append", default=[], help="a group of goals by name; repeat")
    goals.add_argument("--runs", type=int, default=1, help="measure all of it so often; a row passes in two thirds")
    goals.set_defaults(work=_goals)
    verdict = commands.add_parser("verdict", help="what several runs' JSON of goals come to: 2 of 3")
    verdict.add_argument("json", type=Path, nargs="+")
    verdict.set_defaults(work=_verdict)
    plots = commands.add_parser("plots", help="draw the plots of a run's JSON")
    plots.add_argument("json", type=Path)
    plots.add_argument("folder", type=Path)
    plots.set_defaults(work=_plots)
    growth = commands.add_parser("growth", help="appends, reads, sizes and vacuum while the log grows")
    growth.add_argument("--to", type=int, default=3_000_000, help="events at the end")
    growth.add_argument("--only", choices=["fill", "measure"], help="fill up to `--to`, or measure what is filled")
    growth.add_argument("--fill-seconds", type=float, default=1e9, help="end the filling after so long")
    growth.set_defaults(work=_growth)
    cost = commands.add_parser("cost", help="processor time of an append and of a read, client and server")
    cost.set_defaults(work=_cost)
    out = commands.add_parser("scale-out", help="PostgreSQL beside JetStream on one node and on three, in one run")
    out.set_defaults(work=_scale_out)
    for command in (run, out):
        command.add_argument("--writers", action="append", type=int, default=[], help="threads or tasks that append")
        command.add_argument("--events", type=int, default=100_000, help="events in the log that is read")
    for command in (goals, growth):
        command.add_argument("--folder", type=Path, help="where the log that grew is kept, and its server started")
    for command in (run, goals, growth, cost, out):
        command.add_argument("--server", help="a PostgreSQL URL; one is started for the run else")
        command.add_argument("--rounds", type=int, default=5)
        seconds = 2.0 if command is goals else 3.0  # so that all goals take ten minutes
        command.add_argument(
            "--seconds", type=float, default=seconds, help="how long each case is measured, each round"
        )
        command.add_argument("--json", type=Path, help="write the result here")
        command.add_argument("--quiet", action="store_true", help="say nothing about progress")
    run.add_argument("--compare", type=Path, help="an older run's JSON: tell what got slower beyond noise")
    return parser


def _progress(options: argparse.Namespace) -> Callable[[str], None]:
    return (lambda _: None) if options.quiet else Progress()


def _loop_factory(options: argparse.Namespace) -> Callable[[], asyncio.AbstractEventLoop] | None:
    if not options.uvloop:
        return None
    import uvloop  # noqa: PLC0415  # pyright: ignore[reportMissingImports] -- an extra

    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def _stores(options: argparse.Namespace, server: Server) -> list[tuple[str, bool]]:
    """What to measure, and whether it is async."""
    if not options.store and not options.async_store:
        tail = f"?schema={server.new_schema('mink')}"
        asyncpg = server.url.replace("postgresql://", "postgresql+asyncpg://")
        return [(server.url + tail, False), (asyncpg + tail, True), (server.url + tail, True)]
    # asyncpg has no other door.
    given = [(store, "+asyncpg" in store) for store in options.store]
    return given + [(store, True) for store in options.async_store]


def _peers(
    options: argparse.Namespace, scenario: str, server: Server, workload: Workload, writers: Sequence[int]
) -> list[Case]:
    """The peers' cases; one that is not installed is told, not missed."""
    cases: list[Case] = []
    for peer in options.peer:
        if scenario in PEERS[peer]:
            try:
                cases += [peer_case(peer, scenario, server, workload, count, options.events) for count in writers]
            except BenchmarkError as error:
                _say(f"not measured: {error}")
    return cases


def _run(options: argparse.Namespace) -> int:
    workload, loop_factory = workload_of(options.payload), _loop_factory(options)
    older = report.read_json(options.compare) if options.compare else None  # before minutes are spent
    groups: dict[str, Any] = {}
    # Stores that are given bring their own servers.
    given = (options.store or options.async_store) and not options.peer
    with nullcontext(NoServer()) if given else benchmark_server(options.server) as server:
        for scenario in options.scenario:
            cases: list[Case] = []
            default = [1, 16, 64] if scenario in APPENDING else [1]
            writers = (options.writers or default) if scenario in WRITING else [1]
            for text, is_async in _stores(options, server):
                cases.extend(
                    cases_of(
                        scenario,
                        target_of(text, is_async=is_async),
                        workload,
                        writers=count,
                        events=options.events,
                        loop_factory=loop_factory,
                    )
                    for count in writers
                )
            cases += _peers(options, scenario, server, workload, writers)
            found = run_rounds(
                cases,
                rounds=options.rounds,
                seconds=options.seconds,
                progress=_progress(options),
                settle=server.settle,
            )
            baseline = options.baseline or cases[0].name
            groups[scenario] = {"cases": [series.as_json() for series in found.values()], "baseline": baseline}
            _say(f"\n{scenario}: {DESCRIPTIONS[scenario]}; ratios to {baseline}")
            _say(report.series_table(found, baseline))
        result = {"environment": report.environment(server.describe()), "groups": groups}
    if options.json:
        report.write_json(options.json, result)
    if older is not None:
        text, slower = compare(older, result)
        _say(f"\ncompared with {options.compare}")
        _say(text)
        return 1 if slower else 0
    return 0


def _goals(options: argparse.Namespace) -> int:
    from mink_benchmarks.goal_runs import measure_runs  # noqa: PLC0415 -- needs the drivers

    return measure_runs(options, _progress(options), _say)


def _verdict(options: argparse.Namespace) -> int:
    from mink_benchmarks.goal_runs import judge_files  # noqa: PLC0415 -- needs the drivers

    return judge_files(options.json, _say)


def _growth(options: argparse.Namespace) -> int:
    from mink_benchmarks import growth  # noqa: PLC0415 -- needs the drivers

    with benchmark_server(options.server, options.folder) as server:
        logs = growth.Growth(server, Workload(), _progress(options), min(growth.MILLION, options.to))
        wanted = growth.steps_to(options.to)
        if options.only == "fill":
            have = logs.fill(wanted[-1], options.fill_seconds)
            _say(f"{have:,} of {wanted[-1]:,} events")
            return 0 if have >= wanted[-1] else 1
        steps: list[dict[str, Any]] = []
        for events in [wanted[-1]] if options.only == "measure" else wanted:
            logs.fill(events)
            steps.append(logs.measure(events, options.rounds, options.seconds))
            if options.folder:
                steps = growth.keep(options.folder / "growth.json", steps[-1])
        result = {"environment": report.environment(server.describe()), "growth": steps}
        result["extrapolated"] = growth.extrapolate(steps)
    _say(growth.as_table(steps))
    if options.json:
        report.write_json(options.json, result)
    return 0


def _cost(options: argparse.Namespace) -> int:
    from mink_benchmarks.cost import as_table, measure_costs  # noqa: PLC0415 -- needs the drivers

    with benchmark_server(options.server) as server:
        costs = measure_costs(server, Workload(), options.seconds, _progress(options))
        result = {
            "environment": report.environment(server.describe()),
            "costs": {name: [asdict(cost) for cost in found] for name, found in costs.items()},
        }
    for name, found in costs.items():
        _say(f"\n{as_table(name, found)}")
    if options.json:
        report.write_json(options.json, result)
    return 0


def _scale_out(options: argparse.Namespace) -> int:
    from mink_benchmarks.scale_out import measure_scale_out  # noqa: PLC0415 -- needs the drivers

    with benchmark_server(options.server) as server:
        text, result = measure_scale_out(server, options, _progress(options))
    _say(text)
    if options.json:
        report.write_json(options.json, result)
    return 0


def _plots(options: argparse.Namespace) -> int:
    run = report.read_json(options.json)
    try:
        from mink_benchmarks.plots import draw  # noqa: PLC0415 -- matplotlib is an extra
    except ModuleNotFoundError as error:
        msg = f"plots need {error.name!r}, which is not installed: pip install 'mink-eventstore[bench]'"
        raise BenchmarkError(msg) from None
    for path in draw(run, options.folder):
        _say(str(path))
    return 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
