"""`python -m conformance_tests --zoo`: the kill matrix on the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rich.table import Table

from conformance_tests.lab import Lab
from conformance_tests.target import target_of
from conformance_tests.zoo.matrix import BASE, Trial, put_through, rules_without_member
from conformance_tests.zoo.member import all_members
from conformance_tests.zoo.report import areas, as_markdown, as_record, first_kill, idle_checks, kills_by_area, verdict

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rich.console import Console

    from conformance_tests.level import Level
    from conformance_tests.zoo.member import Member


def run_zoo(console: Console, spec: str, *, level: Level, seed: int, select: Callable[[Member], bool]) -> list[Trial]:
    """Put the members through the checks, and print the matrix.

    Args:
        console: Where to print.
        spec: The store inside, as a URL or `package.module:callable`; empty for one in memory.
        level: How much of each check.
        seed: Of what is drawn.
        select: Which members.
    """
    inside = spec or BASE
    console.print(f"the zoo on {target_of(inside).name}: level {level.name.lower()}, seed {seed}", markup=False)
    members = [member for member in all_members() if select(member) and _fits(inside, member)]
    trials = []
    for number, member in enumerate(members, 1):
        base = target_of(inside, door="async" if member.is_async else None)
        trial = put_through(member, base, level=level, seed=seed, stop_at_failure=False)
        trials.append(trial)
        told = first_kill(trial) or verdict(trial)
        console.print(f"{number:4}/{len(members)} {member.name:28} {trial.seconds:7.2f} s  {told}", markup=False)
    _show(console, trials)
    return trials


def _fits(spec: str, member: Member) -> bool:
    """Whether the door that a member is made for is the one that a callable opens; a URL may have both."""
    if "://" in spec:
        return True
    with target_of(spec) as target, Lab(target) as lab:
        return lab.is_async == member.is_async


def _show(console: Console, trials: list[Trial]) -> None:
    columns = [area for area in areas() if any(kills_by_area(trial)[area] for trial in trials)]
    table = Table(box=None, header_style="bold")
    for name in ("member", "breaks", "first kill", *columns):
        table.add_column(name, overflow="fold")
    for trial in trials:
        counts = kills_by_area(trial)
        style = "red" if trial.survived and not trial.is_out_of_reach else None
        cells = (str(counts[area] or "") for area in columns)
        table.add_row(
            trial.member.name, trial.member.rules[0], first_kill(trial) or verdict(trial), *cells, style=style
        )
    console.print(table)
    survivors = [trial.member.name for trial in trials if trial.survived and not trial.is_out_of_reach]
    console.print(
        f"{len(trials)} members: {len(trials) - len(survivors)} killed or left out, {len(survivors)} survived"
        f"{': ' + ', '.join(survivors) if survivors else ''}",
        markup=False,
    )


def passed(trials: list[Trial]) -> bool:
    """Whether nobody survived."""
    return not any(trial.survived and not trial.is_out_of_reach for trial in trials)


def write_zoo(trials: list[Trial], *, as_json: Path | None, markdown: Path | None) -> None:
    """Write the matrix as files."""
    if as_json is not None:
        whole = {
            "members": [as_record(trial) for trial in trials],
            "rules_without_member": rules_without_member(trial.member for trial in trials),
            "checks_that_killed_nobody": idle_checks(trials),
        }
        as_json.write_text(json.dumps(whole, indent=1) + "\n", "utf-8")
    if markdown is not None:
        markdown.write_text(as_markdown(trials) + "\n", "utf-8")
