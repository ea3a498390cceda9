"""Looks for a program whose history breaks a rule, and makes it small.

A real run is not repeatable: the same program may fail once in three. So the failing history itself
is kept, and each smaller program is run several times before it counts as a good one.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import hypothesis
import msgspec
from hypothesis import HealthCheck, Phase, Verbosity
from hypothesis.errors import Flaky

from conformance_tests.failure import CheckFailedError
from conformance_tests.histories.arena import Arena
from conformance_tests.histories.counting import OVERLAPS, count
from conformance_tests.histories.history import History, from_builtins, to_builtins
from conformance_tests.histories.judge import judge
from conformance_tests.histories.program import Program
from conformance_tests.histories.timeline import steps
from conformance_tests.level import Level

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from conformance_tests.histories.facts import Violation
    from conformance_tests.lab import Lab

_LEAST = 15
"""Histories that are played whatever the time: on a busy machine a second is soon over."""
_TRIES = 4
"""Runs of each smaller program."""
_RERUNS = 20
"""Runs of a program that is replayed."""
_SHRINKING = {Level.SMOKE: 4.0, Level.STANDARD: 8.0, Level.DEEP: 60.0}
"""Seconds to spend on making a failing program smaller."""
_PAUSES = (0.02, 0.05, 0.005, 0.02, 0.1, 0.0)
"""How likely a thread pauses at a line; histories take turns, as windows differ in length."""


class _FoundError(Exception):
    """A history broke a rule."""


@dataclass
class _Failure:
    program: Program
    history: History
    violations: list[Violation]
    seed: int
    pausing: float

    @property
    def size(self) -> tuple[int, int]:
        """What is to become small."""
        return len(msgspec.json.encode(self.program)), len(self.history.calls)


class Search:
    """One check's search."""

    def __init__(self, lab: Lab) -> None:
        """Search with a lab's seed and budget."""
        self._lab = lab
        self._arena = Arena(lab)
        self._best: _Failure | None = None
        self._until = time.monotonic() + lab.budget.seconds
        self._runs = 0

    def run(self, strategy: SearchStrategy[Program], histories: int) -> None:
        """Play drawn programs until the budget ends.

        Raises:
            CheckFailedError: A history broke a rule; with the smallest one found.
        """
        if self._lab.replay is not None:
            self._replay(self._lab.replay)
            return

        @hypothesis.seed(self._lab.seed)
        @hypothesis.settings(
            max_examples=histories,
            database=None,
            deadline=None,
            phases=(Phase.generate, Phase.shrink) if self._lab.budget.shrink else (Phase.generate,),
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
            report_multiple_bugs=False,
            verbosity=Verbosity.quiet,
        )
        @hypothesis.given(strategy)
        def one(program: Program) -> None:
            self._one(program)

        with suppress(_FoundError, Flaky):
            one()
        if self._best is not None:
            _fail(self._best, [f"found in run {self._runs} of this check"])

    def _one(self, program: Program) -> None:
        if self._best is not None and not self._lab.budget.shrink:
            return
        for _ in range(1 if self._best is None else _TRIES):
            if time.monotonic() > self._until and (self._best is not None or self._runs >= _LEAST):
                return
            failure = self._play(program, self._lab.seed * 1_000_003 + self._runs, _PAUSES[self._runs % len(_PAUSES)])
            if failure is not None:
                self._keep(failure)
                raise _FoundError

    def _keep(self, failure: _Failure) -> None:
        if self._best is None:
            shrinking = 0.0 if failure.history.stuck else _SHRINKING[self._lab.level]
            self._until = time.monotonic() + shrinking
        if self._best is None or failure.size < self._best.size:
            self._best = failure

    def _play(self, program: Program, seed: int, pausing: float) -> _Failure | None:
        self._runs += 1
        history = self._arena.play(program, seed, pausing)
        counted = count(history)
        for name, number in counted.items():
            self._lab.count(name, number)
        self._lab.count("histories")
        self._lab.count("histories with overlap", int(counted[OVERLAPS] > 0))
        violations = judge(history)
        if not violations:
            return None
        self._arena.renew()
        return _Failure(program, history, violations, seed, pausing)

    def _replay(self, kept: dict[str, Any]) -> None:
        """Judge the recorded history again, then run its program again."""
        program = msgspec.convert(kept["program"], Program)
        history = from_builtins(kept["history"])
        seed, pausing = int(kept["seed"]), float(kept["pausing"])
        again = sum(self._play(program, seed + number, pausing) is not None for number in range(_RERUNS))
        note = f"the program was run again {_RERUNS} times: it broke a rule in {again} of them"
        if violations := judge(history):
            _fail(_Failure(program, history, violations, seed, pausing), ["the recorded history, judged again", note])
        if again:
            raise CheckFailedError(note, "no history that breaks a rule", f"{again} of {_RERUNS}")


def _fail(failure: _Failure, notes: list[str]) -> NoReturn:
    first = failure.violations[0]
    others = sorted({violation.rule for violation in failure.violations} - {first.rule})
    msg = f"{first.rule}: {first.what}"
    raise CheckFailedError(
        msg,
        first.expected,
        first.seen,
        timeline=steps(failure.history, first.calls),
        replay={
            "program": msgspec.to_builtins(failure.program),
            "history": to_builtins(failure.history),
            "seed": failure.seed,
            "pausing": failure.pausing,
        },
        notes=[*notes, *([f"the same history also breaks {', '.join(others)}"] if others else [])],
    )
