"""A run on a terminal: progress while it goes on, then what came of it."""

from __future__ import annotations

from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from conformance_tests.report.timeline import as_text
from conformance_tests.results import Status
from conformance_tests.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from rich.console import Console

    from conformance_tests.check import Check
    from conformance_tests.results import Report, Result

_STYLES = {
    Status.PASSED: "green",
    Status.FAILED: "bold red",
    Status.NOT_EXERCISED: "yellow",
    Status.NOT_DECLARED: "dim",
    Status.UNTESTED: "dim",
}
_WORDS = {Status.PASSED: "proved", Status.FAILED: "BROKEN"}
_LONGEST = 1200
_WIDE = 160


class Live:
    """Shows which check runs, and each failure at once."""

    def __init__(self, console: Console, progress: Progress, total: int) -> None:
        """Begin with nothing done."""
        self._console = console
        self._progress = progress
        self._task = progress.add_task("", total=total)

    def begins(self, check: Check) -> None:
        """A check is run."""
        self._progress.update(self._task, description=check.id)

    def told(self, result: Result) -> None:
        """A check has ended."""
        self._progress.advance(self._task)
        if result.status is Status.FAILED:
            self._console.print(
                f"[bold red]FAILED[/] {escape(result.check.id)}: {escape(result.what)}", highlight=False
            )


@contextmanager
def live(console: Console, total: int) -> Generator[Live]:
    """Progress, where there is a terminal; failures only, where there is none."""
    columns = (BarColumn(24), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield Live(console, progress, total)


def show(console: Console, report: Report) -> None:
    """Print what came of a run."""
    for result in report.failures:
        _show_failure(console, result)
    console.print(_matrix(report))
    for status in (Status.NOT_EXERCISED, Status.NOT_DECLARED):
        _note(console, status, [it for it in report.results if it.status is status])
    untested = [rule.number for rule in RULES.values() if rule.untested]
    console.print(f"[dim]Rules that no check can prove: {', '.join(untested)} (--list says why)[/]", highlight=False)
    for result in report.must_occur:
        console.print(
            f"[bold red]never occurred[/] {escape(result.check.id)}: {escape(result.what)}, though commits can be held"
        )
    verdict = "[bold green]passed[/]" if report.passed else "[bold red]FAILED[/]"
    console.print(
        f"{escape(report.target)} {verdict}: {report.count(Status.PASSED)} checks passed, "
        f"{report.count(Status.FAILED)} failed, level {report.level.name.lower()}, seed {report.seed}, {report.seconds:.1f} s",
        highlight=False,
    )


def _show_failure(console: Console, result: Result) -> None:
    rule = result.broken
    facts = [
        ("check", f"{result.check.id} (seed {result.seed})"),
        ("what", result.what),
        ("expected", _cut(result.expected)),
        ("seen", _cut(result.seen)),
        *(("note", note) for note in result.notes),
    ]
    console.print()
    console.print(Text.assemble((rule.number, "bold red"), " ", rule.text))
    for name, value in facts:
        console.print(Text.assemble((f"  {name:<9} ", "dim"), value))
    if result.timeline:
        console.print("[dim]  the calls that led to it[/]")
        # A terminal cuts what is too wide for it; a file keeps all of it.
        width = console.width - 2 if console.is_terminal else _WIDE
        for line in as_text(result.timeline, width).splitlines():
            console.print(Text(f"  {line}"), no_wrap=True, crop=console.is_terminal)
    if result.command:
        console.print(Text.assemble(("  replay    ", "dim"), result.command))
    console.print()


def _cut(text: str) -> str:
    """The beginning and the end: what went wrong stands at the end of a traceback."""
    half = _LONGEST // 2
    return text if len(text) <= _LONGEST else f"{text[:half]} … {text[-half:]} ({len(text)} characters)"


def _matrix(report: Report) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Rules")
    for header in ("proved", "BROKEN", "not exercised", "not declared", "untested"):
        table.add_column(header, justify="right")
    table.add_column("checks", justify="right")
    areas: dict[str, list[tuple[str, Status]]] = {}
    for verdict in report.verdicts():
        areas.setdefault(verdict.rule.area, []).append((verdict.rule.number, verdict.status))
    for area, rules in areas.items():
        cells = [sum(status is it for _, status in rules) for it in Status]
        checks = sum(any(number.startswith(f"{area}-") for number in it.check.rules) for it in report.results)
        shown = [f"[{_STYLES[it]}]{cell}[/]" if cell else "[dim]·[/]" for it, cell in zip(Status, cells, strict=True)]
        table.add_row(area, *shown, str(checks))
    return table


def _note(console: Console, status: Status, results: Sequence[Result]) -> None:
    reasons: dict[str, list[str]] = {}
    for result in results:
        reasons.setdefault(result.what, []).append(result.check.name)
    for what, names in reasons.items():
        console.print(
            f"[{_STYLES[status]}]{status.value}[/] {escape(what)}: {escape(', '.join(names))}", highlight=False
        )


def show_rules(console: Console, checks: Sequence[Check], patterns: Sequence[str]) -> None:
    """Print rules with their checks, and why there are none where there are none."""
    for rule in RULES.values():
        about = [check for check in checks if rule.number in check.rules]
        if not any(
            fnmatchcase(rule.number, pattern) or any(it.matches(pattern) for it in about) for pattern in patterns
        ):
            continue
        console.print(Text.assemble((rule.number, "bold"), " ", rule.text))
        for check in about:
            needs = f" needs {', '.join(sorted(it.name for it in check.needs))}" if check.needs else ""
            facts = f"[{check.layer.value}, {check.level.name.lower()}{needs}]"
            console.print(Text.assemble("    ", (check.name, "cyan"), " ", (facts, "dim"), " ", check.claim))
        if rule.untested:
            console.print(Text.assemble("    ", ("not tested: ", "yellow"), rule.untested))
        elif not about:
            console.print(Text.assemble("    ", ("no check yet", "yellow")))
