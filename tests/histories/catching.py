"""Runs checks of the kit on a broken twin, and tells which of them rejected it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from conformance_tests.check import Layer, all_checks
from conformance_tests.failure import CheckFailedError
from conformance_tests.lab import BUDGETS, Lab
from conformance_tests.level import Level
from conformance_tests.patience import patience
from conformance_tests.target import target_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from conformance_tests.check import Check

OURS = (Layer.HISTORY, Layer.INTERLEAVING, Layer.FAULT, Layer.RESOURCE)


def checks_of(*patterns: str, layers: Collection[Layer] = OURS) -> list[Check]:
    """The checks of these layers that a pattern names."""
    return [one for one in all_checks() if one.layer in layers and any(one.matches(pattern) for pattern in patterns)]


def failure(
    check: Check, target: Any, seed: int, *, shrink: bool = False, replay: Any = None
) -> CheckFailedError | None:
    """How the check rejects the target with the budget of `smoke`, and a little more time; None where it passes."""
    budget = replace(BUDGETS[Level.SMOKE], shrink=shrink, seconds=1)
    with (
        patience(1.5),
        target_of(target) as entered,
        Lab(entered, level=Level.SMOKE, seed=seed, budget=budget, replay=replay) as lab,
    ):
        if not check.needs <= lab.capabilities:
            return None
        try:
            check.body(lab)
        except CheckFailedError as error:
            return error
    return None


def first_failure(target: Any, seed: int, *patterns: str) -> CheckFailedError | None:
    """How the first of the checks that reject it does so."""
    for check in checks_of(*patterns):
        if (error := failure(check, target, seed)) is not None:
            return error
    return None
