"""The summary for people."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from mink_core.cli.demo.outcome import Outcome


# Below it, rich would fold a title that is longer than its table.
_WIDTH = 64


def as_record(outcome: Outcome) -> dict[str, Any]:
    """An outcome as JSON."""
    latencies = [{**asdict(it), "per_second": it.per_second} for it in outcome.latencies]
    return {**asdict(outcome), "latencies": latencies, "held": outcome.held}


def show(console: Console, outcomes: Sequence[Outcome], seconds: float) -> None:
    """Print what was done, what was checked, and the look at latencies."""
    console.print()
    console.print(_done(outcomes))
    console.print()
    for outcome in outcomes:
        console.print(_checked(outcome))
        console.print()
    console.print(_looked(outcomes))
    for outcome in outcomes:
        for note in outcome.notes:
            console.print(f"Note: {note}", markup=False)
    checks = [check for outcome in outcomes for check in outcome.checks]
    failed = [check for check in checks if not check.held]
    console.print()
    if failed:
        console.print(f"{len(failed)} of {len(checks)} checks FAILED, in {seconds:.1f} s.", style="bold red")
    else:
        stores = " and ".join(outcome.adapter for outcome in outcomes)
        console.print(f"All {len(checks)} checks held, on {stores}, in {seconds:.1f} s.", style="bold green")


def _table(title: str) -> Table:
    return Table(
        title=title,
        title_justify="left",
        min_width=_WIDTH,
        box=None,
        pad_edge=False,
        header_style="bold",
        title_style="bold",
    )


def _done(outcomes: Sequence[Outcome]) -> Table:
    table = _table("What was done")
    table.add_column("")
    for outcome in outcomes:
        table.add_column(outcome.adapter, justify="right")
    for name in outcomes[0].counts:
        table.add_row(name, *(f"{outcome.counts[name]:,}" for outcome in outcomes))
    table.add_row("seconds, opening and checking included", *(f"{outcome.seconds:.1f}" for outcome in outcomes))
    return table


def _checked(outcome: Outcome) -> Table:
    table = _table(f"What was checked on {outcome.adapter}")
    for header in ("", "Check", "Found"):
        table.add_column(header)
    for check in outcome.checks:
        table.add_row("[green]ok[/]" if check.held else "[bold red]FAILED[/]", check.name, check.detail)
    return table


def _looked(outcomes: Sequence[Outcome]) -> Table:
    table = _table("How long an append of one event took: a look, not a benchmark")
    table.add_column("Store")
    table.add_column("Door")
    for header in ("Callers", "Events/s", "p50 ms", "p99 ms"):
        table.add_column(header, justify="right")
    for outcome in outcomes:
        for it in outcome.latencies:
            figures = (f"{it.callers}", f"{it.per_second:,.0f}", f"{it.p50_ms:.2f}", f"{it.p99_ms:.2f}")
            table.add_row(outcome.adapter, it.door, *figures)
    return table
