"""Waits before another try: spread, and no affair of the application's random numbers."""

from __future__ import annotations

import random

from mink_core import Backoff, RetryPolicy
from mink_core.runtime.key_waiting import pauses


def test_a_seed_of_the_application_does_not_make_waits_alike() -> None:
    def drawn() -> list[float]:
        random.seed(1)
        return [Backoff().delay(3), RetryPolicy(first_wait=1.0).wait_after(3), next(pauses(10.0))]

    assert all(one != other for one, other in zip(drawn(), drawn(), strict=True))


def test_waits_change_nothing_that_the_application_draws() -> None:
    before = random.getstate()
    Backoff().delay(1)
    RetryPolicy(first_wait=1.0).wait_after(1)
    next(pauses(10.0))
    assert random.getstate() == before


def test_waits_keep_their_bounds() -> None:
    assert all(2.0 <= Backoff().delay(3) <= 4.0 for _ in range(200))
    assert all(15.0 <= RetryPolicy(first_wait=1.0).wait_after(60) <= 30.0 for _ in range(200))
    assert all(0.0025 <= next(pauses(10.0)) <= 0.005 for _ in range(200))
