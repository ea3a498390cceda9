"""What the long soak calls flat, and what its judge of deliveries rejects."""

from __future__ import annotations

from random import Random

import pytest

from conformance_tests.histories.history import Seen
from tests.soak.history.durable import judge_deliveries
from tests.soak.history.flatness import trends


def samples(growth: float, jitter: float = 1.0) -> list[dict[str, float]]:
    """Half an hour, once in two seconds: 30 MiB that warm up, then grow by so many MiB an hour."""
    random = Random(1)
    return [
        {
            "seconds": float(second),
            "memory one": 30 - 10 * max(0, 1 - second / 300) + growth * second / 3600 + random.uniform(0, jitter),
            "connections": 24 + random.choice([0, 0, 0, 1]),
        }
        for second in range(0, 1800, 2)
    ]


def test_a_warm_up_and_jitter_are_flat() -> None:
    assert all(trend.is_flat for trend in trends(samples(0)))


def test_outliers_are_flat() -> None:
    told = samples(0)
    for sample in told[::50]:
        sample["memory one"] += 200
    assert all(trend.is_flat for trend in trends(told))


@pytest.mark.parametrize("growth", [14, 100])
def test_a_leak_is_not(growth: float) -> None:
    assert [trend.series for trend in trends(samples(growth)) if not trend.is_flat] == ["memory one"]


def test_connections_that_pile_up_are_not() -> None:
    told = samples(0)
    for number, sample in enumerate(told):
        sample["connections"] += number // 200
    assert [trend.series for trend in trends(told) if not trend.is_flat] == ["connections"]


FEED = [Seen("s0", version, 10 + version, version, version) for version in range(1, 5)]
GOOD = [11, 12, 13, 14]


@pytest.mark.parametrize(
    ("exact", "least", "rule"),
    [
        ([11, 12, 14], GOOD, "SUB-06"),
        (GOOD, [11, 12, 13], "SUB-06"),
        ([11, 12, 12, 13, 14], GOOD, "SUB-07"),
        ([11, 13, 12, 14], GOOD, "SUB-06"),
        (GOOD, [12, 11, 13, 14], "SUB-06"),
        ([*GOOD, 99], GOOD, "SUB-06"),
    ],
)
def test_deliveries_that_break_a_rule(exact: list[int], least: list[int], rule: str) -> None:
    assert [told[:6] for told in judge_deliveries(FEED, exact, least)] == [rule]


def test_a_repeat_is_no_breach_at_least_once() -> None:
    assert not list(judge_deliveries(FEED, GOOD, [11, 12, 11, 12, 13, 14]))
