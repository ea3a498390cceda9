"""What came of a run: results of checks, and what they say of each rule."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from conformance_tests.check import Check, Layer
from conformance_tests.level import Level
from conformance_tests.rules import RULES, Rule
from mink_core import Capability

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from conformance_tests.failure import Step


class Status(Enum):
    """What came of a check, or of all checks of a rule."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_EXERCISED = "not exercised"
    """It passed, but what it is about never occurred."""
    NOT_DECLARED = "not declared"
    """It is about a capability that the store does not declare; that it refuses it, CAP-01 checks."""
    UNTESTED = "untested"
    """Of a rule: no check proves it."""


@dataclass(frozen=True)
class Result:
    """What came of one check."""

    check: Check
    status: Status
    seconds: float
    seed: int
    """The check's own: with it and the check's name, it is run again just so."""
    counters: Mapping[str, int] = field(default_factory=dict)
    what: str = ""
    """In a sentence: what was wrong, or why it says nothing."""
    expected: str = ""
    seen: str = ""
    notes: Sequence[str] = ()
    timeline: Sequence[Step] = ()
    replay: Any = None
    rule: str = ""
    """Which rule is broken; the check's first where it does not say."""
    command: str = ""
    """Runs just this again."""

    @property
    def broken(self) -> Rule:
        """The rule that a failure breaks."""
        return RULES[self.rule or self.check.rules[0]]


@dataclass(frozen=True)
class RuleVerdict:
    """What the checks say of one rule."""

    rule: Rule
    status: Status
    results: Sequence[Result]


_FORCED = (Layer.INTERLEAVING, Layer.HISTORY)


@dataclass(frozen=True)
class Report:
    """What came of a run."""

    target: str
    level: Level
    seed: int
    capabilities: frozenset[Capability]
    results: Sequence[Result]
    seconds: float
    has_gate: bool = False
    """Whether the adapter lets the kit hold commits open."""
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def failures(self) -> list[Result]:
        """The checks that failed."""
        return [result for result in self.results if result.status is Status.FAILED]

    @property
    def must_occur(self) -> list[Result]:
        """What never occurred though the adapter lets the kit force it; from `standard` on that fails the run."""
        if not self.has_gate or self.level < Level.STANDARD:
            return []
        return [it for it in self.results if it.status is Status.NOT_EXERCISED and it.check.layer in _FORCED]

    @property
    def passed(self) -> bool:
        """Whether no check failed, and what can be forced to occur did."""
        return not self.failures and not self.must_occur

    def count(self, status: Status) -> int:
        """How many checks came out so."""
        return sum(result.status is status for result in self.results)

    def verdicts(self) -> list[RuleVerdict]:
        """Every rule of the contract, in its order."""
        return [self._verdict(rule) for rule in RULES.values()]

    def _verdict(self, rule: Rule) -> RuleVerdict:
        about = [result for result in self.results if rule.number in result.check.rules]
        found = {it.status for it in about if it.status is not Status.FAILED or it.broken is rule}
        # A check that fails for another of its rules says nothing of this one.
        for status in (Status.FAILED, Status.PASSED, Status.NOT_EXERCISED, Status.NOT_DECLARED):
            if status in found:
                return RuleVerdict(rule, status, about)
        if rule.capability and Capability[rule.capability] not in self.capabilities:
            return RuleVerdict(rule, Status.NOT_DECLARED, about)
        return RuleVerdict(rule, Status.UNTESTED, about)
