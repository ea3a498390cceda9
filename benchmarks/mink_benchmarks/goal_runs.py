"""Runs of the numbers to beat, and what several of them come to."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from mink_benchmarks import loops, report
from mink_benchmarks.goals import GROUPS, Plan
from mink_benchmarks.judging import judge
from mink_benchmarks.samples import run_rounds
from mink_benchmarks.server import benchmark_server
from mink_benchmarks.workload import Workload
from mink_core import UsageError

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from mink_benchmarks.judging import Goal, Verdict
    from mink_benchmarks.server import Server

SHARE = 2 / 3
"""Of the runs in which a row has to pass: one bad moment of a machine is no verdict."""


def measure_runs(options: Namespace, progress: Callable[[str], None], say: Callable[[str], None]) -> int:
    """Measure all goals, or those of the groups in `options.only`, as often as told.

    Returns:
        The exit code: 1 where a row was missed in more than a third of the runs, or a group failed.
    """
    for name in options.only:
        if name not in GROUPS:
            msg = f"no group of goals is named {name!r}; there are: {', '.join(GROUPS)}"
            raise UsageError(msg)
    loops.choose(uvloop=options.uvloop)
    runs: list[dict[str, Any]] = []
    for number in range(options.runs):
        if options.runs > 1:
            say(f"\nrun {number + 1} of {options.runs}")
        with benchmark_server(options.server, options.folder) as server:
            run = run_goals(server, Workload(), options.only, options.rounds, options.seconds, progress, say)
            runs.append({"environment": report.environment(server.describe()), **run})
        say("\nThe numbers to beat: the median of the rounds' ratios, with the lowest and the highest")
        say(summary([run])[0])
        if options.json:  # after each, as a run takes minutes
            report.write_json(options.json, {**runs[-1], "runs": runs})
    text, good = summary(runs)
    if options.runs > 1:
        say(f"\nAll {options.runs} runs: a row passes in two thirds of them")
        say(text)
    return 0 if good else 1


def run_goals(
    server: Server,
    workload: Workload,
    only: Sequence[str],
    rounds: int,
    seconds: float,
    progress: Callable[[str], None],
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Measure the groups of goals once.

    Returns:
        What is kept of it: `groups` with their cases and rows, `missing` with why, `failed` groups.
    """
    groups: dict[str, Any] = {}
    missing: set[str] = set()
    failed: list[str] = []
    plan = Plan(server, workload)
    for name, make in plan.groups().items():
        if only and name not in only:
            continue
        try:
            group = make()
            found = run_rounds(group.cases, rounds=rounds, seconds=seconds, progress=progress, settle=server.settle)
            rows = [_row(goal, judge(goal, found)) for goal in group.goals]
        except Exception as error:  # noqa: BLE001 -- a peer that breaks must not cost the other groups their figures
            failed.append(f"group {name}, which failed: {error!r:.300}")
            continue
        missing.update(group.missing)
        groups[name] = {
            "cases": [series.as_json() for series in found.values()],
            "goals": rows,
        }
        say(f"\n{name}")
        say(report.series_table(found, None))
    return {"groups": groups, "missing": sorted(missing), "failed": failed}


def _row(goal: Goal, verdict: Verdict) -> dict[str, Any]:
    return {
        "what": goal.what,
        "at_least": goal.at_least,
        "measure": goal.measure,
        "values": verdict.values,
        "median": verdict.median,
        "passed": verdict.passed,
    }


def judge_files(paths: Sequence[Path], say: Callable[[str], None]) -> int:
    """Say what the runs in files of results come to; the exit code is that of `measure_runs`."""
    results = [_read_goals(path) for path in paths]
    # A file holds one run, or several.
    text, good = summary([run for one in results for run in one.get("runs") or [{"missing": [], "failed": [], **one}]])
    say(text)
    return 0 if good else 1


def _read_goals(path: Path) -> dict[str, Any]:
    run = report.read_run(path, "groups")
    if not all("goals" in group for group in run["groups"].values()):
        msg = f"{path} is no result of mink bench goals, but of another command"
        raise UsageError(msg)
    return run


def summary(runs: Sequence[Mapping[str, Any]]) -> tuple[str, bool]:
    """Every row of the numbers to beat, over one or several runs.

    Returns:
        A table with the median of each run, the lowest and the highest round of all, and the verdict: a row
        passes in two thirds of the runs; and whether all rows passed, and every group was measured.
    """
    found: dict[str, list[Mapping[str, Any] | None]] = {}
    for number, run in enumerate(runs):
        for row in _rows(run):
            found.setdefault(row["what"], [None] * len(runs))[number] = row
    names = ["median"] if len(runs) == 1 else [f"run {number}" for number in range(1, len(runs) + 1)]
    lines: list[list[str]] = []
    good = True
    needed = math.ceil(SHARE * len(runs))
    for what, rows in found.items():
        there = [row for row in rows if row is not None]
        values = [value for row in there for value in row["values"]]
        passes = sum(row["passed"] for row in there)
        good = good and passes >= needed
        bound = "at most" if there[0]["measure"].startswith("p") else "at least"
        verdict = "pass" if passes >= needed else "MISSED"
        lines.append(
            [
                what,
                f"{bound} {report.number(there[0]['at_least'])}",
                *("-" if row is None else report.number(row["median"]) for row in rows),
                report.number(min(values)),
                report.number(max(values)),
                verdict if len(runs) == 1 else f"{verdict}, {passes} of {len(runs)}",
            ]
        )
    text = report.table(["goal", "wanted", *names, "min", "max", ""], lines)
    reasons = {reason for run in runs for reason in (*run["missing"], *run["failed"])}
    notes = "".join(f"\nnot measured: {reason}" for reason in sorted(reasons))
    return text + notes, good and not any(run["failed"] for run in runs)


def _rows(run: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    for group in run["groups"].values():
        yield from group["goals"]
