"""`python -m mink_benchmarks.faults`."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mink_benchmarks.faults.connections import LoseReply
from mink_benchmarks.faults.crashes import KillClient, KillServer, RollBackAndKill, TerminateBackends
from mink_benchmarks.faults.lab import Fault, inflict
from mink_benchmarks.faults.refusals import Batches, ClockAhead, ExhaustPool, FillDisk, Serialize, TimeOut

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mink_benchmarks.faults.judging import Verdict

FAULTS: tuple[Fault, ...] = (
    KillServer(),
    RollBackAndKill(),
    TerminateBackends(),
    LoseReply(),
    KillClient(),
    ExhaustPool(),
    TimeOut(),
    Serialize(),
    Batches(),
    ClockAhead(),
    FillDisk(),
)
"""All of them, in the order of the report."""

_EPILOG = """\
examples:
  python -m mink_benchmarks.faults --minutes 10
  python -m mink_benchmarks.faults --only 'server killed' --json

faults:
""" + "\n".join(f"  {fault.name}" for fault in FAULTS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Inflict the faults, print the ledger.

    Returns:
        0 where nothing was lost; 1 where something was, or a fault that was inflicted did not strike.
    """
    parser = argparse.ArgumentParser(
        prog="python -m mink_benchmarks.faults",
        description="Break a PostgreSQL under load in every way this machine allows, and count what was lost.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--minutes", type=float, default=2.0, help="for all of them together (2)")
    parser.add_argument("--only", action="append", metavar="NAME", help="only this fault; may be given several times")
    parser.add_argument("--json", action="store_true", help="a line a fault")
    given = parser.parse_args(arguments)
    if unknown := set(given.only or ()) - {fault.name for fault in FAULTS}:
        parser.error(f"no fault {min(unknown)!r}; there are: {', '.join(fault.name for fault in FAULTS)}")
    chosen = [fault for fault in FAULTS if not given.only or fault.name in given.only]
    verdicts: list[Verdict] = []
    for fault in chosen:
        if not given.json:
            sys.stderr.write(f"{fault.name} …\n")
        verdicts.append(inflict(fault, given.minutes * 60 / len(chosen)))
        if given.json:
            sys.stdout.write(json.dumps(verdicts[-1]._asdict() | {"passed": verdicts[-1].passed}) + "\n")
            sys.stdout.flush()
    if not given.json:
        _show(verdicts)
    return 0 if all(verdict.passed or verdict.not_run for verdict in verdicts) else 1


def _show(verdicts: list[Verdict]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Fault", overflow="fold")
    for header in ("Times", "Acknowledged", "Stored", "Lost", "Duplicated", "Longest outage"):
        table.add_column(header, justify="right")
    table.add_column("", overflow="fold")
    for it in verdicts:
        figures = [f"{it.times:,}", f"{it.acknowledged:,}", f"{it.stored:,}", f"{it.lost:,}", f"{it.duplicated:,}"]
        if it.not_run:
            table.add_row(it.fault, *[""] * 6, Text(f"not run: {it.not_run}", style="yellow"))
        else:
            end = Text("passed", style="green") if it.passed else Text("; ".join(it.problems) or "FAILED", style="red")
            table.add_row(it.fault, *figures, f"{it.longest_outage:.2f} s", end)
    console = Console()
    if not console.is_terminal:
        console = Console(width=130)
    console.print(table)
    for it in verdicts:
        if it.refusals:
            console.print(Text(f"{it.fault}: answered and repeated: {it.refusals}", style="dim"))


if __name__ == "__main__":
    sys.exit(main())
