"""Runs checks against a target, and keeps what came of each."""

from __future__ import annotations

import time
import traceback
import zlib
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from conformance_tests.check import Check, Level, all_checks
from conformance_tests.failure import CheckFailedError
from conformance_tests.lab import Budget, Lab

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from conformance_tests.failure import Step
    from conformance_tests.target import Target
    from mink_core import Capability


class Status(Enum):
    """What came of a check."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_EXERCISED = "not exercised"
    """It passed, but what it is about never occurred."""
    NOT_DECLARED = "not declared"
    """It is about a capability that the store does not declare; that it refuses it, CAP-01 checks."""


@dataclass(frozen=True)
class Result:
    """What came of one check."""

    check: Check
    status: Status
    seconds: float
    seed: int
    counters: Mapping[str, int] = field(default_factory=dict)
    what: str = ""
    """In a sentence: what was wrong, or why it says nothing."""
    expected: str = ""
    seen: str = ""
    notes: Sequence[str] = ()
    timeline: Sequence[Step] = ()
    replay: Any = None


def run_check(  # noqa: PLR0913 -- what makes a run repeatable, by keyword
    check: Check,
    target: Target,
    *,
    level: Level,
    seed: int,
    capabilities: frozenset[Capability],
    budget: Budget | None = None,
    replay: Any = None,
) -> Result:
    """Run one check, whose own seed is made of `seed` and its name unless `replay` is given."""
    own = seed if replay is not None else zlib.crc32(f"{seed}:{check.name}".encode())
    if missing := check.needs - capabilities:
        names = ", ".join(sorted(it.name for it in missing))
        return Result(check, Status.NOT_DECLARED, 0.0, own, what=f"{names} is not declared")
    begun = time.perf_counter()
    lab = Lab(target, level=level, seed=own, budget=budget, replay=replay)
    try:
        with lab:
            check.body(lab)
    except CheckFailedError as error:
        return _failed(check, lab, begun, error)
    except Exception as error:  # noqa: BLE001 -- whatever an adapter raises is a failure of its rule
        text = "".join(traceback.format_exception(error)).rstrip()
        return _failed(check, lab, begun, CheckFailedError(f"{type(error).__name__}: {error}", "no such error", text))
    silent = [name for name in check.requires if not lab.counters[name]]
    return Result(
        check,
        Status.NOT_EXERCISED if silent else Status.PASSED,
        time.perf_counter() - begun,
        own,
        dict(lab.counters),
        what=f"it never met: {', '.join(silent)}" if silent else "",
    )


def _failed(check: Check, lab: Lab, begun: float, error: CheckFailedError) -> Result:
    return Result(
        check,
        Status.FAILED,
        time.perf_counter() - begun,
        lab.seed,
        dict(lab.counters),
        error.what,
        _text(error.expected),
        _text(error.seen),
        tuple(error.notes),
        tuple(error.timeline),
        error.replay,
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else repr(value)


@dataclass(frozen=True)
class Report:
    """What came of a run."""

    target: str
    level: Level
    seed: int
    capabilities: frozenset[Capability]
    results: Sequence[Result]
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return all(result.status is not Status.FAILED for result in self.results)


def run(  # noqa: PLR0913 -- as above
    target: Target,
    *,
    level: Level = Level.STANDARD,
    seed: int = 0,
    select: Callable[[Check], bool] = lambda _: True,
    told: Callable[[Result], None] = lambda _: None,
    stop_at_failure: bool = False,
    budget: Budget | None = None,
) -> Report:
    """Run the checks of a level against an entered target.

    Args:
        target: What is tested.
        level: How much.
        seed: Of everything that is drawn.
        select: Which checks.
        told: Called with each result at once.
        stop_at_failure: Run no further check after one failed.
        budget: In place of the level's.
    """
    begun = time.perf_counter()
    with Lab(target) as lab:
        capabilities = lab.capabilities
    results: list[Result] = []
    for check in all_checks():
        if check.level > level or not select(check):
            continue
        result = run_check(check, target, level=level, seed=seed, capabilities=capabilities, budget=budget)
        results.append(result)
        told(result)
        if stop_at_failure and result.status is Status.FAILED:
            break
    return Report(target.name, level, seed, capabilities, results, time.perf_counter() - begun)
