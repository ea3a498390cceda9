"""`python -m mink_benchmarks.failover`."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mink_benchmarks.failover.cluster import NODES, Cluster
from mink_benchmarks.failover.drill import WRITERS, Drill, asynchronous, synchronous
from mink_benchmarks.faults.lab import CannotInflictError
from mink_core import MinkError

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

CANNOT_RUN = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the drill, print what came of it.

    Returns:
        0 where all is well, 1 where something is wrong, 2 where this machine cannot run it.
    """
    parser = argparse.ArgumentParser(prog="python -m mink_benchmarks.failover", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="of load and failovers, at least one (60)")
    parser.add_argument(
        "--asynchronous",
        action="store_true",
        help="once, with standbys that no commit waits for: what readers are told",
    )
    parser.add_argument("--json", action="store_true", help="one line")
    given = parser.parse_args(arguments)
    try:
        with _quiet():
            drill = _run(given.seconds, is_asynchronous=given.asynchronous)
    except CannotInflictError as reason:
        sys.stderr.write(f"not run: {reason}\n")
        return CANNOT_RUN
    except MinkError as error:
        sys.stderr.write(f"ended by {type(error).__name__}: {error}\n")
        return 1
    if given.json:
        strikes = [strike._asdict() for strike in drill.strikes]
        found = drill.verdict._asdict() | {"strikes": strikes, "told": drill.told}
        sys.stdout.write(json.dumps(found) + "\n")
    else:
        _show(drill)
    return 1 if drill.verdict.problems or (not given.asynchronous and not drill.passed) else 0


def _run(seconds: float, *, is_asynchronous: bool) -> Drill:
    def say(what: str) -> None:
        sys.stderr.write(f"{what}\n")

    say(f"starting {NODES} nodes …")
    with Cluster(synchronous=not is_asynchronous) as cluster:
        say(f"{2 * WRITERS} writers and 3 readers, through one URL …")
        return asynchronous(cluster, say) if is_asynchronous else synchronous(cluster, seconds, say)


@contextmanager
def _quiet() -> Generator[None]:
    """Pools warn of every connection they have lost, and here they are lost on purpose."""
    logs = [logging.getLogger(name) for name in ("psycopg.pool", "asyncpg", "asyncio", "mink.subscriptions")]
    levels = [log.level for log in logs]
    for log in logs:
        log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for log, level in zip(logs, levels, strict=True):
            log.setLevel(level)


def _show(drill: Drill) -> None:
    console = Console()
    if not console.is_terminal:
        console = Console(width=130)
    if drill.strikes:
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("Failover")
        for header in ("Writes stood for", "Reads stood for", "Promoted"):
            table.add_column(header, justify="right")
        for it in drill.strikes:
            table.add_row(it.kind, f"{it.gap:.1f} s", f"{it.read_gap:.1f} s", it.promoted)
        console.print(table)
    verdict = drill.verdict
    counts = f"{verdict.acknowledged:,} acknowledged, {verdict.stored:,} stored, {verdict.lost:,} lost, "
    console.print(counts + f"{verdict.duplicated:,} duplicated; answered and repeated: {verdict.refusals or 'nothing'}")
    if drill.told:
        console.print(drill.told)
    for problem in verdict.problems:
        console.print(Text(problem, style="red"))
    if not verdict.problems:
        console.print(Text("3 readers: none skipped anything" if drill.strikes else "passed", style="green"))


if __name__ == "__main__":
    sys.exit(main())
