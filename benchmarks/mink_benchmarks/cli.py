"""The command line: scenarios on any stores, the numbers to beat, growth, plots."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mink_benchmarks import report
from mink_benchmarks.peers import PEERS
from mink_benchmarks.progress import Progress
from mink_benchmarks.samples import BenchmarkError
from mink_benchmarks.scenarios import DESCRIPTIONS, SCENARIOS
from mink_benchmarks.server import benchmark_server
from mink_benchmarks.tuning.knobs import NAMES
from mink_benchmarks.workload import Workload, workload_of
from mink_core import MinkError
from mink_core.cli.failures import INTERRUPTED, WRONG_USAGE, exit_code_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_EPILOG = """\
examples:
  mink bench goals --rounds 5
  mink bench goals --runs 3
  mink bench run append-1 --writers 1 --writers 64
  mink bench run append-1 append-10 --peer naive --peer message-db
  mink bench run replay --store memory:// --store 'postgresql://localhost/app?schema=bench'
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
        if isinstance(getattr(options, "json", None), Path) and hasattr(options, "quiet"):
            report.check_place(options.json)
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
        "--store",
        action="append",
        default=[],
        help="a URL, LABEL=URL or module:callable, of an empty store; repeat to compare",
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
    run.add_argument("--baseline", help="the case that ratios are taken to; the first floor or store else")
    run.set_defaults(work=_run)
    goals = commands.add_parser("goals", help="the numbers to beat: each ratio, and whether it is reached")
    goals.add_argument("--only", action="append", default=[], help="a group of goals by name; repeat")
    goals.add_argument(
        "--runs", type=_at_least(1), default=1, help="measure all of it so often; a row passes in two thirds"
    )
    goals.set_defaults(work=_goals)
    verdict = commands.add_parser("verdict", help="what several runs' JSON of goals come to: 2 of 3")
    verdict.add_argument("json", type=Path, nargs="+", help="a file that goals wrote with --json")
    verdict.set_defaults(work=_verdict)
    plots = commands.add_parser("plots", help="draw the plots of a run's JSON")
    plots.add_argument(
        "json", type=Path, help="a file that run, goals, growth, cost, tuning or scale-out wrote with --json"
    )
    plots.add_argument("folder", type=Path, help="where PNG and SVG files are put")
    plots.set_defaults(work=_plots)
    growth = commands.add_parser("growth", help="appends, reads, sizes and vacuum while the log grows")
    growth.add_argument("--to", type=_at_least(1_000_000), default=3_000_000, help="events at the end, whole millions")
    growth.add_argument("--only", choices=["fill", "measure"], help="fill up to `--to`, or measure what is filled")
    growth.add_argument("--fill-seconds", type=float, default=1e9, help="end the filling after so long")
    growth.set_defaults(work=_growth)
    cost = commands.add_parser("cost", help="processor time of an append and of a read, client and server")
    cost.set_defaults(work=_cost)
    tuning = commands.add_parser("tuning", help="what settings of the store and of the server do to appends and reads")
    tuning.add_argument("--only", action="append", default=[], choices=NAMES, help="one of them by name; repeat")
    tuning.set_defaults(work=_tuning)
    out = commands.add_parser("scale-out", help="PostgreSQL beside JetStream on one node and on three, in one run")
    out.set_defaults(work=_scale_out)
    for command in (run, goals):
        command.add_argument("--uvloop", action="store_true", help="run the event loops of stores and floors on uvloop")
    for command in (run, tuning):
        command.add_argument("--payload", type=Path, help="a file of JSON to append instead of the usual order")
    for command in (run, out):
        command.add_argument(
            "--writers",
            action="append",
            type=_at_least(1, 1000),
            default=[],
            help="threads or tasks that append; repeat",
        )
        command.add_argument("--events", type=_at_least(100), default=100_000, help="events in the log that is read")
    for command in (goals, growth):
        command.add_argument("--folder", type=Path, help="where the log that grew is kept, and its server started")
    for command in (run, goals, growth, cost, tuning, out):
        command.add_argument(
            "--server",
            help="a PostgreSQL URL, where schemas are made and dropped; a server is started for the run else",
        )
        if command is not cost:
            command.add_argument("--rounds", type=_at_least(1), default=5, help="how often each case is measured")
        seconds = 2.0 if command is goals else 3.0  # so that all goals take ten minutes
        command.add_argument(
            "--seconds", type=_seconds, default=seconds, help="how long each case is measured, each round"
        )
        command.add_argument("--json", type=Path, help="write the result here")
        command.add_argument("--quiet", action="store_true", help="say nothing about progress")
    run.add_argument("--compare", type=Path, help="an older run's JSON: tell what got slower beyond noise")
    return parser


def _at_least(least: int, most: int | None = None) -> Callable[[str], int]:
    def number(text: str) -> int:
        value = int(text.replace("_", ""))
        if value < least or (most is not None and value > most):
            msg = f"{text} is not {f'from {least} to {most}' if most else f'{least} or more'}"
            raise argparse.ArgumentTypeError(msg)
        return value

    return number


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        msg = f"{text} seconds cannot be measured"
        raise argparse.ArgumentTypeError(msg)
    return value


def _progress(options: argparse.Namespace) -> Callable[[str], None]:
    return (lambda _: None) if options.quiet else Progress()


def _run(options: argparse.Namespace) -> int:
    from mink_benchmarks.runs import measure_run  # noqa: PLC0415 -- needs the drivers

    return measure_run(options, _progress(options), _say)


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
        wanted = logs.steps_left(options.to)
        if options.only == "fill":
            have = logs.fill(wanted[-1], options.fill_seconds)
            _say(f"{have:,} of {wanted[-1]:,} events")
            return 0 if have >= wanted[-1] else 1
        steps: list[dict[str, Any]] = []
        for events in wanted[-1:] if options.only == "measure" else wanted:
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


def _tuning(options: argparse.Namespace) -> int:
    from mink_benchmarks.tuning.measure import measure_tuning  # noqa: PLC0415 -- needs the drivers

    workload = workload_of(options.payload)
    with benchmark_server(options.server) as server:
        measured = measure_tuning(server, workload, options, _progress(options), _say)
        result = {"environment": report.environment(server.describe()), "tuning": measured}
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
    run = report.read_run(options.json, "groups", "costs", "growth", "tuning")
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
