"""A run as one HTML file for people: no script, nothing to fetch."""

from __future__ import annotations

from html import escape
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING

from conformance_tests.report.timeline import as_svg
from conformance_tests.results import Status
from mink_core import Capability

if TYPE_CHECKING:
    from collections.abc import Iterable

    from conformance_tests.results import Report, Result, RuleVerdict

_CLASSES = {
    Status.PASSED: "passed",
    Status.FAILED: "failed",
    Status.NOT_EXERCISED: "exercised",
    Status.NOT_DECLARED: "declared",
    Status.UNTESTED: "untested",
}
_WORDS = {Status.PASSED: "proved", Status.FAILED: "broken"}
_LONGEST = 6000
"""Characters of a value; the JSON has all of it."""


def as_html(report: Report, zoo: str = "") -> str:
    """A run as a page.

    Args:
        report: The run.
        zoo: HTML of the kill matrix, where there is one.
    """
    page = Template((files("conformance_tests.report") / "page.html").read_text("utf-8"))
    verdicts = report.verdicts()
    return page.substitute(
        target=escape(report.target),
        verdict=_verdict(report, verdicts),
        verdict_class="passed" if report.passed else "failed",
        numbers=_numbers(report, verdicts),
        failures=_failures(report),
        matrix=_matrix(verdicts),
        capabilities="".join(
            f'<span class="{"passed" if it in report.capabilities else "declared"}">{it.name}</span>'
            for it in Capability
        ),
        zoo=zoo,
        evidence="".join(map(_evidence, verdicts)),
        environment=_environment(report),
    )


def _verdict(report: Report, verdicts: Iterable[RuleVerdict]) -> str:
    if report.passed:
        return "Every check passed"
    broken = sum(verdict.status is Status.FAILED for verdict in verdicts)
    if broken:
        return f"{broken} {'rule is' if broken == 1 else 'rules are'} broken"
    return f"{len(report.must_occur)} checks never met what they are about"


def _numbers(report: Report, verdicts: list[RuleVerdict]) -> str:
    proved = sum(verdict.status is Status.PASSED for verdict in verdicts)
    numbers = (
        (f"{proved} of {len(verdicts)}", "rules proved"),
        (str(report.count(Status.PASSED)), "checks passed"),
        (str(report.count(Status.FAILED)), "checks failed"),
        (str(report.count(Status.NOT_EXERCISED)), "not exercised"),
        (str(report.count(Status.NOT_DECLARED)), "not declared"),
        (f"{report.seconds:.1f} s", f"at level {report.level.name.lower()}"),
    )
    return "".join(f"<li><b>{number}</b>{escape(name)}</li>" for number, name in numbers)


def _failures(report: Report) -> str:
    if not report.failures:
        return ""
    return "<h2>What is wrong</h2>" + "".join(map(_failure, report.failures))


def _failure(result: Result) -> str:
    rule = result.broken
    parts = [
        f'<section class="failure" id="{result.check.name}"><h3>{rule.number} <span class="soft">{escape(rule.text)}</span></h3>',
        f"<p>{escape(result.what)}</p>",
        f'<p class="soft">Expected</p><pre>{_value(result.expected)}</pre>',
        f'<p class="soft">Seen</p><pre>{_value(result.seen)}</pre>',
        *(f"<p>{escape(note)}</p>" for note in result.notes),
    ]
    if result.timeline:
        parts.append(
            '<p class="soft">The calls that led to it, time going down; what contradicts the rule is marked.</p>'
            f'<div class="scroll" tabindex="0">{as_svg(result.timeline)}</div>'
        )
    if result.command:
        parts.append(f'<p class="soft">Runs just this again</p><pre>{escape(result.command)}</pre>')
    parts.append(
        f'<p class="soft">Check <code>{escape(result.check.id)}</code>, seed {result.seed}: {escape(result.check.claim)}</p></section>'
    )
    return "".join(parts)


def _value(text: str) -> str:
    return escape(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}\n… {len(text)} characters")


def _matrix(verdicts: Iterable[RuleVerdict]) -> str:
    areas: dict[str, list[str]] = {}
    for verdict in verdicts:
        rule = verdict.rule
        tile = (
            f'<a class="tile {_CLASSES[verdict.status]}" href="#{rule.number}" '
            f'title="{escape(f"{rule.number}: {_word(verdict.status)}. {rule.text}")}">{rule.number.partition("-")[2]}</a>'
        )
        areas.setdefault(rule.area, []).append(tile)
    return "".join(f'<b>{area}</b><div class="tiles">{"".join(tiles)}</div>' for area, tiles in areas.items())


def _word(status: Status) -> str:
    return _WORDS.get(status, status.value)


def _evidence(verdict: RuleVerdict) -> str:
    rule = verdict.rule
    untested = f'<p class="soft">Not tested: {escape(rule.untested)}.</p>' if rule.untested else ""
    items = "".join(map(_item, verdict.results)) or "<li>No check of this level proves it.</li>"
    return (
        f'<details class="rule" id="{rule.number}"><summary><b>{rule.number}</b>'
        f'<span class="pill {_CLASSES[verdict.status]}">{_word(verdict.status)}</span>'
        f'<span class="text">{escape(rule.text)}</span></summary>{untested}<ul class="evidence">{items}</ul></details>'
    )


def _item(result: Result) -> str:
    met = ", ".join(f"{number:,} {name}" for name, number in result.counters.items())
    facts = [
        result.check.layer.value,
        f"{result.seconds:.2f} s",
        met,
        result.what if result.status is not Status.FAILED else "",
    ]
    link = f' <a href="#{result.check.name}">what is wrong</a>' if result.status is Status.FAILED else ""
    return (
        f'<li><span class="pill {_CLASSES[result.status]}">{result.status.value}</span> {escape(result.check.claim)}'
        f' <span class="soft">{escape(" · ".join(fact for fact in facts if fact))}</span>{link}</li>'
    )


def _environment(report: Report) -> str:
    facts = {
        "target": report.target,
        "level": report.level.name.lower(),
        "seed": str(report.seed),
        "holds commits open": "yes, by the adapter's commit gate"
        if report.has_gate
        else "no: the adapter offers no commit gate",
        **report.environment,
    }
    return "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in facts.items())
