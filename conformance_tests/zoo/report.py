"""The kill matrix for people and for programs."""

from __future__ import annotations

from collections import Counter
from html import escape
from typing import TYPE_CHECKING, Any

from conformance_tests.check import all_checks
from conformance_tests.rules import RULES
from conformance_tests.runner import Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance_tests.zoo.matrix import Trial


def areas() -> list[str]:
    """The rules' areas, in their order: the matrix's columns."""
    return list(dict.fromkeys(rule.area for rule in RULES.values()))


def kills_by_area(trial: Trial) -> Counter[str]:
    """How many checks of each area killed a member."""
    return Counter(RULES[result.check.rules[0]].area for result in trial.kills)


def first_kill(trial: Trial) -> str:
    """The check that killed it, of a rule that it breaks; empty where none did."""
    own = set(trial.member.rules)
    return next((result.check.id for result in trial.kills if own & set(result.check.rules)), "")


def verdict(trial: Trial) -> str:
    """Killed, survived, or why it was left out."""
    if trial.missing:
        return f"left out: the store inside has no {', '.join(sorted(trial.missing))}"
    if trial.is_out_of_reach:
        return "left out: the store inside never meets what the rule is about"
    return "SURVIVED" if trial.survived else "killed"


def as_record(trial: Trial) -> dict[str, Any]:
    """One trial as JSON: what each check said of the member."""
    return {
        "member": trial.member.name,
        "rules": list(trial.member.rules),
        "story": trial.member.story,
        "verdict": verdict(trial),
        "first_kill": first_kill(trial),
        "seconds_to_first_kill": round(trial.seconds, 3),
        "checks": {result.check.id: result.status.value for result in trial.results},
    }


def as_markdown(trials: Sequence[Trial]) -> str:
    """The matrix, member by area, and what each check has killed."""
    columns = [area for area in areas() if any(kills_by_area(trial)[area] for trial in trials)]
    lines = [
        f"| member | breaks | first kill | seconds | {' | '.join(columns)} |",
        f"|---|---|---|--:|{'--:|' * len(columns)}",
    ]
    for trial in trials:
        counts = kills_by_area(trial)
        cells = " | ".join(str(counts[area] or "") for area in columns)
        told = first_kill(trial) or verdict(trial)
        lines.append(
            f"| `{trial.member.name}`: {trial.member.story} | {', '.join(trial.member.rules)} "
            f"| {told} | {trial.seconds:.2f} | {cells} |"
        )
    return "\n".join(lines)


def idle_checks(trials: Sequence[Trial]) -> list[str]:
    """The checks that ran and killed nobody: what no member breaks, or what is weak."""
    ran = {result.check.id for trial in trials for result in trial.results if result.status is not Status.NOT_DECLARED}
    killers = {result.check.id for trial in trials for result in trial.kills}
    return [check.id for check in all_checks() if check.id in ran - killers]


def as_html_table(trials: Sequence[Trial]) -> str:
    """The matrix as a section of the page for people."""
    columns = [area for area in areas() if any(kills_by_area(trial)[area] for trial in trials)]
    head = "".join(f"<th>{name}</th>" for name in ("member", "breaks", "first kill", "seconds", *columns))
    rows = []
    for trial in trials:
        counts = kills_by_area(trial)
        cells = "".join(f"<td>{counts[area] or ''}</td>" for area in columns)
        told = escape(first_kill(trial) or verdict(trial))
        rows.append(
            f"<tr><td><b>{escape(trial.member.name)}</b>: {escape(trial.member.story)}</td>"
            f"<td>{', '.join(trial.member.rules)}</td><td>{told}</td><td>{trial.seconds:.2f}</td>{cells}</tr>"
        )
    return (
        "<h2>Kill matrix</h2><p>Stores that are broken on purpose, and how many checks of each area failed on them.</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )
