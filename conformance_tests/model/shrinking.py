"""Programs that fail, made smaller: what Hypothesis leaves is often a call or two more than is needed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from conformance_tests.failure import CheckFailedError
from conformance_tests.model.driver import Driver
from conformance_tests.model.ops import End, Op, Sequence, from_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from conformance_tests.lab import Lab

_SECONDS = 20.0


def failure_of(lab: Lab, ops: Iterable[Op]) -> CheckFailedError | None:
    """Run a program in a namespace of its own."""
    with lab.child() as inner:
        driver = Driver(inner)
        try:
            for op in ops:
                driver.run(op)
            driver.close()
        except CheckFailedError as failure:
            return failure
    return None


def without_needless(lab: Lab, failure: CheckFailedError) -> CheckFailedError:
    """Leave calls out, one at a time from the end, as long as the program fails for the same rule."""
    deadline = time.monotonic() + _SECONDS
    ops = from_json(failure.replay)
    changed = True
    while changed:
        changed = False
        for index in reversed(range(len(ops) - 1)):
            for fewer in (_without(ops, index, index), _without(ops, index, _end_of(ops, index))):
                if time.monotonic() > deadline:
                    return failure
                other = failure_of(lab, fewer) if len(fewer) < len(ops) and _is_possible(fewer) else None
                if other is not None and other.rule == failure.rule:
                    failure, ops, changed = other, from_json(other.replay), True
                    break
            if changed:
                break
    return failure


def _without(ops: list[Op], first: int, second: int) -> list[Op]:
    return [op for index, op in enumerate(ops) if index not in {first, second}]


def _end_of(ops: list[Op], index: int) -> int:
    """The call that ends what the call at `index` may have begun: a pair is left out together."""
    ends = [number for number, op in enumerate(ops[:-1]) if isinstance(op, End) and number > index]
    return ends[0] if ends else index


def _is_possible(ops: list[Op]) -> bool:
    sequence = Sequence()
    for op in ops:
        if not sequence.allows(op):
            return False
        sequence.add(op)
    return True
