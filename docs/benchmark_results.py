"""The page of the benchmark runs that are kept in `docs/benchmarks/`, and their plots."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

from mink_benchmarks.report import number

PLOTS = Path("pictures", "benchmarks")
"""In the folder of the documentation."""
_BENCHMARKS = """\
# Benchmark results

Runs on one machine of two cores, which the server shares and which had no other work: the rounds of one case differ by
up to {spread:.1f} times, so see how far the lowest and the highest are apart before you read a median. Rounds were
interleaved, and figures compare within a table only. Written by `docs/generate.py` from the runs' own files.
[Performance](performance.md) says where the time goes, what makes it faster, and what was tried and lost; what is said of
others stands in the [comparison](comparison.md).
"""
_ABOUT = {
    "append-1": "One event an append, with an exact expected version, on streams of each writer's own. `sync` is psycopg with a "
    "thread for each writer, `async` psycopg or asyncpg with a task for each.",
    "append-conflict": "All writers on the same ten streams with exact versions; who is refused takes the version that the error "
    "tells and tries again. What was stored counts; beside it, how often one was refused.",
    "mixed": "Appends, a reader of streams for every four writers, and one live subscriber, all at once. What was appended counts.",
    "replay": "The whole log of 50,000 events, every event's data decoded.",
    "tuning": "What settings of the store and of the server do, each beside what is usual; all by asyncpg, or by the bare driver "
    "where the line says so. What 64 tasks append is grouped unless it says otherwise. "
    "`json_type` and the groups of 256 callers are of a run of their own, three and a half hours later. "
    "[What to make of it](performance.md#tuning-with-measured-effect).",
    "read-stream": "One stream of 100 events, read again and again, decoded.",
}
_REPEAT = {
    "appends": "mink bench run append-1 --writers 1 --writers 16 --writers 64{peers} \\\n    --rounds 5 --seconds 1 --json appends.json",
    "conflicts": "mink bench run append-conflict --writers 64 --rounds 5 --seconds 1 --json conflicts.json",
    "costs": "mink bench cost --seconds 2 --json costs.json",
    "mixed": "mink bench run mixed --writers 4 --writers 16 --writers 64 \\\n    --rounds 5 --seconds 1 --json mixed.json",
    "tuning": "mink bench tuning --rounds 5 --seconds 1 --json tuning.json",
    "reads": "mink bench run replay read-stream --events 50000{peers} \\\n    --rounds 5 --seconds 1 --json reads.json",
}
_PLOTS = {
    "append-1": {
        "throughput": "events a second against writers",
        "latency": "median and 99th percentile of a call against writers",
        "latencies": "distribution of the latencies with most writers",
    },
    "append-conflict": {
        "conflicts": "appends stored, and conflicts, a second",
        "latencies": "distribution of the times until an append was stored",
    },
    "mixed": {
        "throughput": "events appended a second against writers",
        "delivery": "median and 99th percentile of the time to the subscriber against writers",
        "latencies": "distribution of the latencies of the appends with most writers",
    },
    "replay": {"rates": "events a second"},
    "read-stream": {"rates": "events a second"},
}


def page(docs: Path) -> str:
    """The page of the runs that are kept in a folder of documentation: their figures, and how to repeat them."""
    runs = _runs(docs)
    measured = [group for run in runs.values() for group in (*run.get("groups", {}).values(), *run.get("tuning", ()))]
    cases = [case for group in measured for case in group["cases"]]
    lines = [_BENCHMARKS.format(spread=max(case["max"] / case["min"] for case in cases))]
    for path, result in runs.items():
        for name, costs in result.get("costs", {}).items():
            lines += [
                f"## The cost of {name}",
                "",
                f"![processor time of {name}](pictures/benchmarks/{_cost_plot(name)})",
                "",
            ]
            lines += _costs(costs)
        for name, group in result.get("groups", {}).items():
            lines += [f"## {name}", "", _ABOUT[name], ""]
            for kind, shown in _PLOTS[name].items():
                lines += [f"![{name}: {shown}](pictures/benchmarks/{name}-{kind}.svg)", ""]
            lines += _figures(group)
        if "tuning" in result:
            lines += [
                "## tuning",
                "",
                _ABOUT["tuning"],
                "",
                "![tuning: rates of the usual ones](pictures/benchmarks/tuning.svg)",
                "",
            ]
            lines += _tuning(result["tuning"])
        lines += [
            f"Measured {_where(result['environment'])}. All figures: [{path.name}](benchmarks/{path.name}). To repeat:",
            "",
            "<!-- not run: it measures for minutes -->",
            "```sh",
            _REPEAT[path.stem].format(peers="".join(f" --peer {peer}" for peer in _peers(result))),
            f"mink bench plots {path.name} plots",
            "```",
            "",
        ]
    return "\n".join(lines)


def plots(docs: Path) -> set[str]:
    """The names of the plots that the page shows."""
    runs = _runs(docs).values()
    of_groups = {f"{name}-{kind}.svg" for run in runs for name in run.get("groups", {}) for kind in _PLOTS[name]}
    of_costs = {_cost_plot(name) for run in runs for name in run.get("costs", {})}
    return of_groups | of_costs | {"tuning.svg" for run in runs if "tuning" in run}


def draw_plots(docs: Path) -> None:
    """Draw them."""
    from mink_benchmarks.plots import draw  # noqa: PLC0415 -- matplotlib, which no page needs

    folder = docs / PLOTS
    for result in _runs(docs).values():
        draw(result, folder, ["svg"])
    for path in folder.iterdir():
        if path.name not in plots(docs):
            path.unlink()


def _runs(docs: Path) -> dict[Path, dict[str, Any]]:
    return {path: json.loads(path.read_text("utf-8")) for path in sorted((docs / "benchmarks").glob("*.json"))}


def _peers(result: dict[str, Any]) -> list[str]:
    groups = result.get("groups", {}).values()
    measured = {case["name"].partition(",")[0] for group in groups for case in group["cases"]}
    return [peer for peer in ("naive", "message-db", "eventsourcing", "umadb") if peer in measured]


def _figures(group: dict[str, Any]) -> list[str]:
    (base,) = (case["rates"] for case in group["cases"] if case["name"] == group["baseline"])
    beside = sorted({name for case in group["cases"] for name in case.get("beside", {}) if name != "delivered/s"})
    rows = [
        f"Ratios are to {group['baseline']}, round by round.",
        "",
        f"| {' | '.join(['store, writers', 'events/s: median', 'lowest', 'highest', 'p50 ms', 'p99 ms', 'ratio', *beside])} |",
        f"|---|{'--:|' * (6 + len(beside))}",
    ]
    for case in group["cases"]:
        ratio = statistics.median(rate / of for rate, of in zip(case["rates"], base, strict=True))
        times = [f"{case[key]:.2f}" if case[key] else "" for key in ("p50_ms", "p99_ms")]
        rates = [f"{case[key]:,.0f}" for key in ("median", "min", "max")]
        more = [number(case["beside"][name]["median"]) if name in case.get("beside", {}) else "" for name in beside]
        rows.append(f"| {' | '.join([case['name'], *rates, *times, f'{ratio:.2f}', *more])} |")
    return [*rows, ""]


def _cost_plot(name: str) -> str:
    return f"cost-of-{name.replace(' ', '-')}.svg"


def _costs(costs: list[dict[str, Any]]) -> list[str]:
    rows = ["| processor time | client µs | server µs |", "|---|--:|--:|"]
    for cost in costs:
        server = "not counted" if cost["server"] is None else f"{cost['server']:.1f}"
        rows.append(f"| {cost['name']} | {cost['client']:.1f} | {server} |")
    return [*rows, ""]


def _tuning(measured: list[dict[str, Any]]) -> list[str]:
    rows = [
        "Ratios are to the first line of each, round by round.",
        "",
        "| setting | work | events/s: median | ratio | lowest | highest |",
        "|---|---|--:|--:|--:|--:|",
    ]
    for one in measured:
        for case in one["cases"]:
            ratio = [f"{case['ratio'][key]:.2f}" for key in ("median", "min", "max")]
            rows.append(
                f"| {one['knob']}: {case['name']} | {one['work']} | {case['median']:,.0f} | {' | '.join(ratio)} |"
            )
    return [*rows, ""]


def _where(environment: dict[str, Any]) -> str:
    server = environment["server"]
    return (
        f"{environment['when'][:10]}, CPython {environment['python']}, {environment['machine']}, {environment['cpus']} cores, "
        f"PostgreSQL {server['server_version'].split()[0]}, fsync {server['fsync']}, "
        f"synchronous_commit {server['synchronous_commit']}"
    )
