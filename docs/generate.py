"""Writes what the documentation takes from the code: `python docs/generate.py`.

- `docs/rules.md`: every rule with the checks that prove it, from the kit's registry.
- the links from each rule of `docs/contract.md` to its place there.
- the table of capabilities in `docs/adapters.md`.
- `docs/decisions/README.md`: the list of decisions.
- `docs/benchmarks.md`: the figures of the runs that are kept in `docs/benchmarks/`.
- `docs/pictures/*.svg` that are made from text.

`tests/docs/test_generated.py` fails when one of them is not what this writes. The plots of the runs, in
`docs/pictures/benchmarks/`, are drawn too; they depend on the version of matplotlib, so the test only looks which there are.
"""

from __future__ import annotations

import inspect
import json
import re
import statistics
from pathlib import Path
from typing import Any

from pictures import sequence, timelines

from conformance_tests.check import Check, all_checks
from conformance_tests.rules import RULES
from mink_benchmarks.report import number
from mink_core import Capability, open_store

DOCS = Path(__file__).parent

_AREAS = {
    "APPEND": "Appending",
    "JSON": "JSON values",
    "READ": "Reading",
    "FEED": "The feed",
    "SUB": "Subscriptions",
    "TX": "Transactions",
    "SNAP": "Snapshots",
    "OUTBOX": "The outbox",
    "IDEM": "Idempotency keys",
    "SAGA": "Sagas",
    "PRIV": "Privacy",
    "CAP": "Capabilities",
    "LIFE": "Opening and closing",
}
_RULE = re.compile(r"^- \*\*(?:\[)?([A-Z]+-\d\d)(?:\]\(rules\.md#[a-z0-9-]+\))?\*\*", re.MULTILINE)


def rules_page() -> str:
    """Every rule, and what proves it."""
    checks = all_checks()
    proved = {number: [check for check in checks if number in check.rules] for number in RULES}
    lines = [
        "# Rules and their checks",
        "",
        "Written by `docs/generate.py` from the conformance kit's own list, so it is what the kit runs.",
        f"{len(RULES)} rules, {len(checks)} checks. [The contract](contract.md) explains the rules;",
        "[how the kit looks](conformance-layers.md) explains the layers.",
        "",
        "One rule alone, against a store of yours:",
        "",
        "```sh",
        "python -m conformance_tests memory:// --level smoke --rules APPEND-03",
        "```",
    ]
    area = ""
    for rule in RULES.values():
        if rule.area != area:
            area = rule.area
            lines += ["", f"## {_AREAS.get(area, area)}"]
        lines += ["", f"### {rule.number}", "", _text(rule.text)]
        if rule.capability:
            lines += ["", f"Asked only of stores that declare `{rule.capability}`."]
        if rule.untested:
            lines += ["", f"Not proved by a check: {_text(rule.untested)}"]
        if proved[rule.number]:
            lines += ["", *(_item(check) for check in proved[rule.number])]
    return "\n".join(lines) + "\n"


def _item(check: Check) -> str:
    where = Path(inspect.getfile(check.body)).name
    level = "" if check.level.name == "SMOKE" else f", from level {check.level.name.lower()} on"
    return f"- {_text(check.claim)}<br>`{check.name}` in `checks/{where}`, {check.layer.value}{level}"


def _text(text: str) -> str:
    return " ".join(text.split()).replace("<", "&lt;")


def contract_page(text: str) -> str:
    """The contract with each rule's number linked to its checks."""

    def linked(found: re.Match[str]) -> str:
        number = found[1]
        return f"- **[{number}](rules.md#{number.lower()})**" if number in RULES else f"- **{number}**"

    return _RULE.sub(linked, text)


_MARK = "<!-- capabilities -->"
_STORES = {
    "`memory://`": ("memory://", {"privacy": True, "unique_event_ids": True}),
    "`postgresql://`": ("postgresql://host/database", {"privacy": True, "unique_event_ids": True}),
    "`nats://`": ("nats://host/store", {}),
}
_OPTIONAL = {Capability.PRIVACY: "with `privacy=true`", Capability.UNIQUE_EVENT_IDS: "with `unique_event_ids=true`"}


def adapters_page(text: str) -> str:
    """The page with the table of what each adapter declares, asked of the stores themselves."""
    declared = {name: open_store(url, **options).capabilities for name, (url, options) in _STORES.items()}
    lines = [f"| capability | {' | '.join(declared)} |", "|---|---|---|---|"]
    for one in Capability:
        said = [_OPTIONAL.get(one, "yes") if one in has else "no" for has in declared.values()]
        lines.append(f"| {one.name} | {' | '.join(said)} |")
    before, _, after = text.partition(_MARK)
    after = re.sub(r"\A\n+(\|[^\n]*\n)*", "", after)
    return f"{before}{_MARK}\n\n" + "\n".join(lines) + f"\n\n{after.lstrip()}"


def decisions_page() -> str:
    """The list of decisions, by number."""
    lines = ["# Decisions", "", "What was chosen, and the figures it was chosen by.", ""]
    for path in sorted((DOCS / "decisions").glob("[0-9]*.md")):
        title = re.sub(r"^# *\d+[.·\s]*", "", path.read_text("utf-8").partition("\n")[0])
        lines.append(f"- [{path.name[:4]}]({path.name}): {title}")
    return "\n".join(lines) + "\n"


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
    "read-stream": "One stream of 100 events, read again and again, decoded.",
}
_REPEAT = {
    "appends": "mink bench run append-1 --writers 1 --writers 16 --writers 64{peers} \\\n    --rounds 5 --seconds 1 --json appends.json",
    "conflicts": "mink bench run append-conflict --writers 64 --rounds 5 --seconds 1 --json conflicts.json",
    "costs": "mink bench cost --seconds 2 --json costs.json",
    "mixed": "mink bench run mixed --writers 4 --writers 16 --writers 64 \\\n    --rounds 5 --seconds 1 --json mixed.json",
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
PLOTS = DOCS / "pictures" / "benchmarks"


def benchmarks_page() -> str:
    """The figures of the runs that are kept, with how to repeat them."""
    runs = {path: json.loads(path.read_text("utf-8")) for path in sorted((DOCS / "benchmarks").glob("*.json"))}
    cases = [case for run in runs.values() for group in run.get("groups", {}).values() for case in group["cases"]]
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


def plots() -> set[str]:
    """The names of the plots that the pages show."""
    runs = [json.loads(path.read_text("utf-8")) for path in sorted((DOCS / "benchmarks").glob("*.json"))]
    of_groups = {f"{name}-{kind}.svg" for run in runs for name in run.get("groups", {}) for kind in _PLOTS[name]}
    return of_groups | {_cost_plot(name) for run in runs for name in run.get("costs", {})}


def draw_plots() -> None:
    """Draw the plots of the runs that are kept."""
    from mink_benchmarks.plots import draw  # noqa: PLC0415 -- matplotlib, which no page needs

    for path in sorted((DOCS / "benchmarks").glob("*.json")):
        draw(json.loads(path.read_text("utf-8")), PLOTS, ["svg"])
    for path in PLOTS.iterdir():
        if path.name not in plots():
            path.unlink()


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


def _where(environment: dict[str, Any]) -> str:
    server = environment["server"]
    return (
        f"{environment['when'][:10]}, CPython {environment['python']}, {environment['machine']}, {environment['cpus']} cores, "
        f"PostgreSQL {server['server_version'].split()[0]}, fsync {server['fsync']}, "
        f"synchronous_commit {server['synchronous_commit']}"
    )


def written() -> dict[Path, str]:
    """Every file that is made, and its text."""
    pictures = DOCS / "pictures"
    return {
        DOCS / "rules.md": rules_page(),
        DOCS / "contract.md": contract_page((DOCS / "contract.md").read_text("utf-8")),
        DOCS / "adapters.md": adapters_page((DOCS / "adapters.md").read_text("utf-8")),
        DOCS / "decisions" / "README.md": decisions_page(),
        **({DOCS / "benchmarks.md": benchmarks_page()} if any((DOCS / "benchmarks").glob("*.json")) else {}),
        **{path.with_suffix(".svg"): sequence.draw(path.read_text("utf-8")) for path in sorted(pictures.glob("*.txt"))},
        **{pictures / f"{name}.svg": timelines.draw(text) for name, text in timelines.TIMELINES.items()},
    }


def main() -> None:
    """Write them all."""
    for path, text in written().items():
        path.write_text(text, "utf-8")
    draw_plots()


if __name__ == "__main__":
    main()
