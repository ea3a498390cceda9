"""Runs checks against a target, and keeps what came of each."""

from __future__ import annotations

import sys
import threading
import time
import traceback
import zlib
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from conformance_tests.check import Check, Layer, all_checks
from conformance_tests.confusion import refuse_confusion
from conformance_tests.environment import environment
from conformance_tests.failure import CheckFailedError, origin, tell
from conformance_tests.lab import BUDGETS, Budget, Lab
from conformance_tests.level import Level
from conformance_tests.results import Report, Result, Status
from mink_core import MinkError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from conformance_tests.target import Target
    from mink_core import Capability


_LIMITS = {Level.SMOKE: 60.0, Level.STANDARD: 240.0, Level.DEEP: 3600.0}
"""Seconds after which a check is told to hang."""
_OPENING = 60.0
"""Seconds after which a target that is being opened is told to hang."""
_HANGING = 3
"""Checks that did not end, after which a run ends: on such a store each further one would cost as long."""
_ABANDONING = 2.0
"""Seconds that a hanging check is waited for once its stores were closed."""


def run_check(  # noqa: PLR0913 -- what makes a run repeatable, by keyword
    check: Check,
    target: Target,
    *,
    level: Level,
    seed: int,
    capabilities: frozenset[Capability],
    budget: Budget | None = None,
    exactly: bool = False,
    replay: Any = None,
    limit: float | None = None,
) -> Result:
    """Run one check.

    Args:
        check: The check.
        target: What is tested; entered.
        level: How much of it.
        seed: The run's, of which and of the check's name its own is made.
        capabilities: What the store declares.
        budget: In place of the level's.
        exactly: `seed` is the check's own, as a result tells it.
        replay: What a failure gave, to do just this again.
        limit: Seconds after which it is told to hang, in place of the level's.
    """
    own = seed if exactly else zlib.crc32(f"{seed}:{check.name}".encode())
    if missing := check.needs - capabilities:
        names = ", ".join(sorted(it.name for it in missing))
        return Result(check, Status.NOT_DECLARED, 0.0, own, what=f"{names} is not declared")
    begun = time.perf_counter()
    lab = Lab(target, level=level, seed=own, budget=budget, replay=replay)
    error = _failure_of(check, lab, limit or _LIMITS[level])
    if error is not None:
        return _failed(check, lab, begun, error)
    silent = [name for name in check.requires if not lab.counters[name]]
    return Result(
        check,
        Status.NOT_EXERCISED if silent else Status.PASSED,
        time.perf_counter() - begun,
        own,
        dict(lab.counters),
        what=_never_met(silent, lab.counters["histories"]),
    )


def _never_met(names: Sequence[str], histories: int) -> str:
    attempts = f" in {histories} histories" if histories else ""
    return f"it never met: {', '.join(names)}{attempts}" if names else ""


def _failure_of(check: Check, lab: Lab, limit: float) -> CheckFailedError | None:
    """Run the body in a thread of its own, so that a store that hangs fails one check rather than the run."""
    caught: list[CheckFailedError] = []

    def work() -> None:
        try:
            with lab:
                check.body(lab)
        except CheckFailedError as error:
            caught.append(error)
        except BaseException as error:  # noqa: BLE001 -- whatever an adapter raises is a failure of its rule
            text = "".join(traceback.format_exception(error)).rstrip()
            caught.append(CheckFailedError(f"{type(error).__name__}: {tell(error)}", "no such error", text))

    thread = threading.Thread(target=work, name=f"check {check.name}", daemon=True)
    thread.start()
    thread.join(limit)
    if thread.is_alive():
        frame = sys._current_frames().get(thread.ident or 0)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] -- the documented way to a thread's stack
        text = "".join(traceback.format_stack(frame)).rstrip()
        _abandon(lab, thread)
        return CheckFailedError(f"the check did not end within {limit:.0f} seconds", "an end", text)
    return caught[0] if caught else None


def _abandon(lab: Lab, hanging: threading.Thread) -> None:
    """Close a check's stores under it: a call that goes round and round on an open store would slow all that follows."""

    def close() -> None:
        with suppress(BaseException):  # it is another's store, and its failure is known
            lab.close()

    closing = threading.Thread(target=close, name=f"{hanging.name} abandoned", daemon=True)
    closing.start()
    closing.join(_ABANDONING)
    hanging.join(_ABANDONING)


def _failed(check: Check, lab: Lab, begun: float, error: CheckFailedError) -> Result:
    return Result(
        check,
        Status.FAILED,
        time.perf_counter() - begun,
        lab.seed,
        dict(lab.counters),
        tell(error.what),
        tell(error.expected),
        tell(error.seen),
        tuple(map(tell, error.notes)),
        tuple(replace(step, call=tell(step.call), outcome=tell(step.outcome)) for step in error.timeline),
        error.replay,
        error.rule,
    )


def look(target: Target, limit: float = _OPENING) -> tuple[frozenset[Capability], bool]:
    """What a target's store declares, and whether it can hold commits.

    Args:
        target: What is tested; entered.
        limit: Seconds after which it is told to hang.

    Raises:
        MinkError: The store says so itself, or cannot be opened, or is none.
    """
    refuse_confusion(target)
    found: list[tuple[frozenset[Capability], bool]] = []
    caught: list[BaseException] = []

    def work() -> None:
        try:
            with Lab(target) as lab:
                found.append((lab.capabilities, lab.hooks().commit_gate is not None))
        except BaseException as error:  # noqa: BLE001 -- told below, whatever it is
            caught.append(error)

    thread = threading.Thread(target=work, name="opening the target", daemon=True)
    thread.start()
    thread.join(limit)
    if caught and isinstance(caught[0], (MinkError, KeyboardInterrupt)):
        raise caught[0]
    if caught:
        msg = f"the target {target.name} cannot be opened, initialized and closed: {origin(caught[0])}"
        raise UsageError(msg) from caught[0]
    if not found:
        msg = f"the target {target.name} was not opened, initialized and closed within {limit:.0f} seconds"
        raise UsageError(msg)
    return found[0]


def run(  # noqa: PLR0913 -- as above
    target: Target,
    *,
    level: Level = Level.STANDARD,
    seed: int = 0,
    select: Callable[[Check], bool] = lambda _: True,
    told: Callable[[Result], None] = lambda _: None,
    begins: Callable[[Check], None] = lambda _: None,
    stop_at_failure: bool = False,
    budget: Budget | None = None,
    minutes: float | None = None,
) -> Report:
    """Run the checks of a level against an entered target.

    Args:
        target: What is tested.
        level: How much.
        seed: Of everything that is drawn.
        select: Which checks.
        told: Called with each result at once.
        begins: Called with each check before it is run.
        stop_at_failure: Run no further check after one failed.
        budget: In place of the level's.
        minutes: Then draw again, with other seeds, until so long after the beginning.

    Raises:
        MinkError: The target cannot be opened; see `look`.
    """
    begun = time.perf_counter()
    capabilities, has_gate = look(target)
    results: dict[str, Result] = {}
    hanging: list[Check] = []

    def one(check: Check, seed: int) -> bool:
        begins(check)
        result = run_check(check, target, level=level, seed=seed, capabilities=capabilities, budget=budget)
        if result.status is Status.FAILED and result.seconds >= _LIMITS[level]:
            hanging.append(check)
            if len(hanging) == _HANGING:
                result = replace(result, notes=(*result.notes, f"{_HANGING} checks did not end: the rest was not run"))
        before = results.get(check.name)
        results[check.name] = result if before is None else _added(before, result)
        told(result)
        return not (stop_at_failure and result.status is Status.FAILED) and len(hanging) < _HANGING

    checks = [check for check in all_checks() if check.level <= level and select(check)]
    goes_on = all(one(check, seed) for check in checks)
    if minutes is not None and goes_on:
        _go_on(checks, results, one, seed, begun + 60 * minutes)
    ordered = [results[check.name] for check in checks if check.name in results]
    seconds = time.perf_counter() - begun
    return Report(target.name, level, seed, capabilities, ordered, seconds, has_gate, environment())


def _go_on(
    checks: Iterable[Check], results: dict[str, Result], one: Callable[[Check, int], bool], seed: int, until: float
) -> None:
    """Run what draws again and again with other seeds; what has failed is left alone."""
    draws = [check for check in checks if check.layer not in {Layer.EXAMPLE, Layer.RESOURCE}]
    while draws := [it for it in draws if results[it.name].status in {Status.PASSED, Status.NOT_EXERCISED}]:
        seed += 1
        for check in draws:
            if time.perf_counter() > until or not one(check, seed):
                return


def _added(before: Result, result: Result) -> Result:
    """A check's last result, with what it counted and took before."""
    counters = {name: before.counters.get(name, 0) + number for name, number in result.counters.items()}
    counters = {**before.counters, **counters}
    status = before.status if result.status is Status.NOT_EXERCISED else result.status
    return replace(result, status=status, counters=counters, seconds=before.seconds + result.seconds)


def deep_budget() -> Budget:
    """Of one pass of a deep run, of which there are as many as its minutes allow."""
    return BUDGETS[Level.STANDARD]


__all__ = ["Report", "Result", "Status", "deep_budget", "run", "run_check"]
