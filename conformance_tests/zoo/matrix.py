"""Which check kills which member: the zoo put through the suite."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from conformance_tests.check import Layer, all_checks
from conformance_tests.lab import BUDGETS, Lab
from conformance_tests.level import Level
from conformance_tests.patience import patience
from conformance_tests.rules import RULES
from conformance_tests.runner import Status, run_check
from conformance_tests.zoo.cage import caged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from conformance_tests.check import Check
    from conformance_tests.runner import Result
    from conformance_tests.target import Target
    from conformance_tests.zoo.member import Member

BaseOf: TypeAlias = "Callable[[Member], Target]"
"""The sound target to put a member around."""


_SEARCHED = 3.0
"""Seconds that a search has at least: longer than a smoke run takes for a store that is probably sound."""
_SOON = 1.0
_HANGS = 45.0
"""Seconds after which a check is told to hang. Not few: it must not be taken for a kill on a busy machine."""

BASE = "memory://?lock_timeout=0.5&privacy=true"
"""The store inside, unless another is named."""


@dataclass(frozen=True)
class Trial:
    """What the checks said of one member."""

    member: Member
    results: Sequence[Result]
    """In the order they ran."""
    missing: frozenset[str] = frozenset()
    """What the store inside would have to declare for the member to make sense; then nothing ran."""

    @property
    def kills(self) -> list[Result]:
        """The checks that failed."""
        return [result for result in self.results if result.status is Status.FAILED]

    @property
    def survived(self) -> bool:
        """Whether no check of a rule it breaks has failed. A failure elsewhere does not count: it may be luck."""
        return not any(set(self.member.rules) & set(result.check.rules) for result in self.kills)

    @property
    def is_out_of_reach(self) -> bool:
        """Whether the store inside never meets what the rule is about: connections that break, for example."""
        own = [result.status for result in self.results if set(self.member.rules) & set(result.check.rules)]
        return bool(self.missing) or not any(status in {Status.PASSED, Status.FAILED} for status in own)

    @property
    def seconds(self) -> float:
        """Time until the first check of a rule it breaks failed, or of all of it where none did."""
        total = 0.0
        for result in self.results:
            total += result.seconds
            if result.status is Status.FAILED and set(self.member.rules) & set(result.check.rules):
                break
        return total


def order_of(checks: Iterable[Check], member: Member, seed: int) -> list[Check]:
    """The checks of the rule it stands for, then of the others it breaks, then the rest in a drawn order."""
    found = list(checks)
    random.Random(f"{seed}:{member.name}").shuffle(found)  # noqa: S311 -- repeatable, not secret

    def rank(check: Check) -> tuple[int, bool, int]:
        own = [member.rules.index(rule) for rule in check.rules if rule in member.rules]
        cheap = list(type(check.layer)).index(check.layer)
        return (min(own), check.rules[0] not in member.rules, cheap) if own else (len(member.rules), True, 0)

    return sorted(found, key=rank)


def put_through(  # noqa: PLR0913 -- each says one thing about the trial, by keyword
    member: Member,
    base: Target,
    *,
    level: Level = Level.SMOKE,
    seed: int = 0,
    others: int | None = None,
    stop_at_failure: bool = True,
    until: float | None = None,
) -> Trial:
    """Run checks against a member.

    Args:
        member: The broken store.
        base: The sound one inside; not entered yet.
        level: How much of each check, and which checks.
        seed: Of what is drawn.
        others: How many checks of rules that it does not break; None for all.
        stop_at_failure: Stop at the first failure of a rule that it breaks. Without it, all examples
            run, and of what takes longer as much as is needed to kill it.
        until: Begin no further check after this time of `time.monotonic`.

    Raises:
        Exception: The member cannot be opened: that is no way to be broken.
    """
    results: list[Result] = []
    with caged(member, base) as target, patience(_SOON):
        if missing := _missing(member, base):
            return Trial(member, results, missing)
        with Lab(target) as lab:
            capabilities = lab.capabilities
            lab.open()  # a member that does not even open would be killed by anything
        foreign, killed = 0, False
        # No need to shrink what fails on purpose.
        budget = replace(BUDGETS[level], shrink=False, seconds=max(BUDGETS[level].seconds, _SEARCHED))
        for check in order_of(all_checks(), member, seed):
            is_own = bool(set(member.rules) & set(check.rules))
            # What a rule needs is run even at a lower level, though with less of it.
            if not is_own and (check.level > level or (others is not None and foreign >= others)):
                continue
            if until is not None and time.monotonic() > until:
                break
            if killed and check.layer is not Layer.EXAMPLE:
                continue
            foreign += not is_own
            at = max(level, check.level)
            result = run_check(
                check, target, level=at, seed=seed, capabilities=capabilities, budget=budget, limit=_HANGS
            )
            results.append(result)
            killed = killed or (is_own and result.status is Status.FAILED)
            if killed and stop_at_failure:
                break
    return Trial(member, results)


def _missing(member: Member, base: Target) -> frozenset[str]:
    with Lab(base) as lab:
        lacks = {it.name for it in member.needs - lab.capabilities}
        hooks = lab.hooks() if member.hooks else None
        return frozenset(lacks | {name for name in member.hooks if getattr(hooks, name) is None})


def rules_without_member(members: Iterable[Member]) -> list[str]:
    """The rules that have a check and that no member breaks."""
    broken = {rule for member in members for rule in member.rules}
    checked = {rule for check in all_checks() for rule in check.rules}
    return [number for number in RULES if number in checked and number not in broken]
