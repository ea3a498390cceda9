"""Shares of partitions: fair, and moved as little as can be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest

from mink_core import UsageError
from mink_core.runtime.sharing import Beat, check_number

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER, BEFORE = NOW + timedelta(seconds=7), NOW - timedelta(seconds=1)


class Row(NamedTuple):
    owner: str | None
    token: int = 1


def leases(owners: str) -> dict[int, Row]:
    """A partition a letter; "-" has no owner."""
    return {index: Row(None if owner == "-" else owner) for index, owner in enumerate(owners)}


def beat(owner: str, owners: str, **workers: datetime) -> Beat:
    return Beat("s", owner, 30, workers=workers, leases=leases(owners), now=NOW)


@pytest.mark.parametrize(
    ("owner", "owners", "others", "missing", "free", "surplus"),
    [
        ("a", "----", "", 4, [0, 1, 2, 3], set()),
        ("a", "bbbb", "b", 2, [], set()),
        ("b", "bbbb", "a", 0, [], {2, 3}),
        ("b", "bbbbb", "a", 0, [], {3, 4}),  # who holds most has the larger share
        ("a", "bbbbb", "b", 2, [], set()),
        ("a", "ab", "bc", 0, [], set()),  # more workers than partitions
        ("c", "ab", "ab", 0, [], set()),
        ("a", "dd-a", "", 3, [0, 1, 2], set()),  # the dead have none
        ("a", "aabbc", "bc", 0, [], set()),
        ("c", "aabbc", "ab", 0, [], set()),
    ],
)
def test_shares_differ_by_one_at_most(owner, owners, others, missing, free, surplus):
    now = beat(owner, owners, d=BEFORE, **dict.fromkeys(others, LATER))
    assert (now.missing, now.free) == (missing, free)
    holding = now.holding(leases(owners), paused=False)
    assert holding.surplus == surplus
    assert [lease.partition for lease in holding.leases] == [at for at, it in enumerate(owners) if it == owner]


def test_a_beat_counts_from_now_and_tells_when_the_next_worker_may_be_dead():
    now = beat("a", "ab", a=BEFORE, b=LATER, c=LATER + timedelta(seconds=1), d=NOW)
    assert now.workers == {"a": NOW + timedelta(seconds=30), "b": LATER, "c": LATER + timedelta(seconds=1)}
    assert now.holding(leases("ab"), paused=True).next_expiry == 7
    assert now.holding(leases("ab"), paused=True).paused
    assert beat("a", "a").holding(leases("a"), paused=False).next_expiry is None


def test_another_number_of_partitions_is_refused():
    check_number("s", 2, 2)
    with pytest.raises(UsageError, match="'s' has 2 partitions, not 3"):
        check_number("s", 2, 3)
