"""For an adapter's README: the matrix of rules in Markdown, and a badge."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from conformance_tests.results import Status
from conformance_tests.rules import RULES
from mink_core import Capability

if TYPE_CHECKING:
    from conformance_tests.results import Report

MARKS = {
    Status.PASSED: "✓",
    Status.FAILED: "✗",
    Status.NOT_EXERCISED: "○",
    Status.NOT_DECLARED: "-",
    Status.UNTESTED: "·",
}
"""One character a status, for matrices."""


def summary_of(report: Report) -> str:
    """The run in a few words."""
    verdicts = report.verdicts()
    proved = sum(verdict.status is Status.PASSED for verdict in verdicts)
    failed = sum(verdict.status is Status.FAILED for verdict in verdicts)
    if failed:
        return f"{failed} rules broken"
    return f"{proved} rules" if report.passed else f"{proved} rules, {len(report.must_occur)} checks not exercised"


def as_markdown(report: Report) -> str:
    """The matrix of rules by area, and the capabilities."""
    by_area: dict[str, list[str]] = {}
    for verdict in report.verdicts():
        by_area.setdefault(verdict.rule.area, []).append(f"{verdict.rule.number[-2:]}&nbsp;{MARKS[verdict.status]}")
    lines = [
        f"## Conformance of {report.target}",
        "",
        f"{'Passed' if report.passed else 'FAILED'}: {summary_of(report)}, {len(report.results)} checks, {_how(report)}.",
        "",
        "| Area | Rules |",
        "|---|---|",
        *(f"| {area} | {' &nbsp; '.join(cells)} |" for area, cells in by_area.items()),
        "",
        "✓ proved · ✗ broken · ○ not exercised · - capability not declared · `·` not tested",
        "",
        "| Capability | Declared |",
        "|---|---|",
        *(f"| {it.name} | {'yes' if it in report.capabilities else 'no, refused'} |" for it in Capability),
    ]
    for result in report.failures:
        lines += ["", f"- **{result.broken.number}** {RULES[result.broken.number].text}", f"  {result.what}"]
    return "\n".join(lines) + "\n"


def _how(report: Report) -> str:
    facts = (report.environment.get(name, "") for name in ("time", "kit"))
    return ", ".join([f"level `{report.level.name.lower()}`", f"seed {report.seed}", *filter(None, facts)])


_LETTER = 6.6
"""Points that a character of the badge takes, about."""


def as_badge(report: Report) -> str:
    """A badge as SVG."""
    left, right = "mink conformance", summary_of(report)
    colour = "#2e7d32" if report.passed else "#b3261e"
    wide, more = (round(len(text) * _LETTER + 12) for text in (left, right))
    text = 'fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide + more}" height="20" role="img" '
        f'aria-label="{escape(left)}: {escape(right)}"><title>{escape(left)}: {escape(right)}</title>'
        f'<clipPath id="r"><rect width="{wide + more}" height="20" rx="3"/></clipPath><g clip-path="url(#r)">'
        f'<rect width="{wide}" height="20" fill="#44474a"/>'
        f'<rect x="{wide}" width="{more}" height="20" fill="{colour}"/></g>'
        f'<g {text}><text x="{wide / 2}" y="14">{escape(left)}</text>'
        f'<text x="{wide + more / 2}" y="14">{escape(right)}</text></g></svg>\n'
    )
