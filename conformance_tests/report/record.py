"""A run as JSON, and as JUnit's XML."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from conformance_tests.results import Status

if TYPE_CHECKING:
    from conformance_tests.results import Report, Result

FORMAT = 1
"""Raised when a field of the JSON changes its meaning."""


def as_record(report: Report) -> dict[str, Any]:
    """A run as JSON values."""
    return {
        "format": FORMAT,
        "target": report.target,
        "passed": report.passed,
        "level": report.level.name.lower(),
        "seed": report.seed,
        "seconds": round(report.seconds, 3),
        "environment": dict(report.environment),
        "capabilities": sorted(it.name for it in report.capabilities),
        "holds_commits": report.has_gate,
        "checks": {status.value: report.count(status) for status in Status if status is not Status.UNTESTED},
        "rules": [
            {
                "number": verdict.rule.number,
                "text": verdict.rule.text,
                "status": verdict.status.value,
                "untested": verdict.rule.untested,
                "checks": [result.check.id for result in verdict.results],
            }
            for verdict in report.verdicts()
        ],
        "results": [_result(result) for result in report.results],
    }


def _result(result: Result) -> dict[str, Any]:
    check = result.check
    record: dict[str, Any] = {
        "check": check.id,
        "rules": list(check.rules),
        "layer": check.layer.value,
        "claim": check.claim,
        "status": result.status.value,
        "seconds": round(result.seconds, 4),
        "seed": result.seed,
        "counters": dict(result.counters),
        "what": result.what,
    }
    if result.status is Status.FAILED:
        record |= {
            "broken_rule": result.broken.number,
            "expected": result.expected,
            "seen": result.seen,
            "notes": list(result.notes),
            "timeline": [asdict(step) for step in result.timeline],
            "replay": result.replay,
            "command": result.command,
        }
    return record


def as_json(report: Report) -> str:
    """A run as JSON text."""
    return json.dumps(as_record(report), indent=1, ensure_ascii=True, default=repr) + "\n"


def as_junit(report: Report) -> str:
    """A run as JUnit's XML: a suite a rule area, a case a check. What says nothing is skipped, with its reason."""
    root = ET.Element("testsuites", name=f"conformance of {report.target}", time=f"{report.seconds:.3f}")
    areas: dict[str, list[Result]] = {}
    for result in report.results:
        areas.setdefault(result.check.rules[0].partition("-")[0], []).append(result)
    for area, results in areas.items():
        failed = sum(it.status is Status.FAILED for it in results)
        skipped = sum(it.status in {Status.NOT_DECLARED, Status.NOT_EXERCISED} for it in results)
        suite = ET.SubElement(
            root,
            "testsuite",
            name=area,
            tests=str(len(results)),
            failures=str(failed),
            errors="0",
            skipped=str(skipped),
            time=f"{sum(it.seconds for it in results):.3f}",
        )
        for result in results:
            _case(suite, result)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _case(suite: ET.Element, result: Result) -> None:
    check = result.check
    case = ET.SubElement(suite, "testcase", classname=check.rules[0], name=check.name, time=f"{result.seconds:.3f}")
    if result.status is Status.FAILED:
        text = "\n".join(
            [result.broken.text, f"expected: {result.expected}", f"seen: {result.seen}", *result.notes, result.command]
        )
        ET.SubElement(case, "failure", message=_legal(f"{result.broken.number}: {result.what}")).text = _legal(text)
    elif result.status is not Status.PASSED:
        ET.SubElement(case, "skipped", message=_legal(f"{result.status.value}: {result.what}"))


def _legal(text: str) -> str:
    """XML has no control characters, surrogates or noncharacters, not even escaped: each becomes its Python escape."""
    return "".join(it if it in "\n\t" or it.isprintable() else it.encode("unicode-escape").decode() for it in text)
