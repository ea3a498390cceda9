"""The demo's last step: the conformance kit, where it is installed."""

from __future__ import annotations

import importlib
import importlib.util
import logging
from typing import TYPE_CHECKING, Any

from mink_core.cli.demo.outcome import Check

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from mink_core.cli.demo.outcome import Outcome

NOT_INSTALLED = "the rules of the contract were not run: pip install 'mink-eventstore[conformance]'"


def is_installed() -> bool:
    """Whether the kit is there, with what it needs."""
    return all(importlib.util.find_spec(name) is not None for name in ("conformance_tests", "hypothesis"))


def prove(
    url: str, seconds: Callable[[], float], outcome: Outcome, say: Callable[[str], None], console: Console
) -> None:
    """Run the kit at its lowest level on namespaces of its own, and add what came of it.

    Args:
        url: The store's.
        seconds: The time now.
        outcome: Gets a check for the kit, and one for each broken rule.
        say: Called with a line.
        console: Shows how far it is, where that is a terminal.

    Raises:
        MinkError: The store could not be opened.
    """
    # By name: nothing of the core may import the kit.
    names = ("runner", "target", "check", "level", "report.terminal")
    runner, target, check, level, terminal = (importlib.import_module(f"conformance_tests.{name}") for name in names)
    # As on the kit's own command line: failures that a check makes on purpose are no news.
    logging.getLogger("mink").addHandler(logging.NullHandler())
    smoke = level.Level.SMOKE
    total = sum(it.level <= smoke for it in check.all_checks())
    say("the rules of the contract, each with its checks, at the level smoke")
    begun = seconds()
    with target.target_of(url) as entered, terminal.live(console, total) as progress:
        report: Any = runner.run(entered, level=smoke, seed=1, told=progress.told, begins=progress.begins)
    took = seconds() - begun
    proved = sum(verdict.status.value == "passed" for verdict in report.verdicts())
    passed = sum(result.status.value == "passed" for result in report.results)
    outcome.checks.append(
        Check("the rules of the contract", report.passed, f"{proved} rules proved by {passed} checks, in {took:.0f} s")
    )
    outcome.checks += [Check(f"rule {it.broken.number}", held=False, detail=it.what) for it in report.failures]
    outcome.seconds += took
