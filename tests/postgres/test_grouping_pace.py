"""How slow a server is, and how long threads may stand in line, by a clock that is put on by hand."""

from __future__ import annotations

import pytest

from mink_postgres.grouping.pace import Pace
from tests.postgres.grouped import Clock


@pytest.mark.parametrize(
    ("sent", "added", "landed", "slow"),
    [
        (1.0, 0.5, 1.0019, False),
        (1.0, 0.5, 1.0021, True),
        (1.0, 1.010, 1.0119, False),
        (1.0, 1.010, 1.0249, False),
        (1.0, 1.010, 1.0251, True),
        (1.0, 1.001, 1.0031, True),
    ],
)
def test_how_slow_a_server_is(clock: Clock, sent: float, added: float, landed: float, slow: bool) -> None:
    """It counts from the last append that has come since the group was sent."""
    tried = Pace()
    clock.now = added
    tried.added()
    clock.now = landed
    tried.landed(sent)
    assert tried.slow is tried.needs_another is slow


def turn(pace: Pace, clock: Clock, late: float) -> None:
    """A thread of the line, that runs so many seconds after it was rung for."""
    pace.rung()
    clock.now += late
    pace.woken()


def group(pace: Pace, clock: Clock, takes: float) -> bool:
    """A group that takes so long, while appends come until its end; tells whether its threads stand in line."""
    sent = clock.now
    clock.now += takes
    pace.added()
    pace.landed(sent)
    return pace.in_line


@pytest.mark.parametrize(("takes", "turns"), [(0.001, 21), (0.004, 41), (0.006, 61), (1.0, 61)])
def test_a_line_goes_on_while_it_is_quick(clock: Clock, takes: float, turns: int) -> None:
    """Each thread may be 0.2 ms in coming, and all of them 2 ms more, or as long as a group takes, and 6 at most."""
    tried = Pace()
    assert group(tried, clock, takes)
    for _ in range(1000):
        turn(tried, clock, 0.00019)
    for _ in range(turns - 2):
        turn(tried, clock, 0.0003)
    assert tried.in_line
    assert not tried.needs_another
    turn(tried, clock, 0.00031)
    turn(tried, clock, 0.00031)
    assert not tried.in_line
    assert tried.needs_another


def test_a_line_is_tried_again_more_and_more_rarely(clock: Clock) -> None:
    tried = Pace()
    for crowds in (1, 2, 4, 8, 16, 16):
        assert group(tried, clock, 0.001)
        turn(tried, clock, 0.1)
        turn(tried, clock, 0.1)  # of the same line, rung for before
        for _ in range(crowds):
            assert not group(tried, clock, 0.001)
            assert tried.needs_another
            turn(tried, clock, 0.1)  # one that is late says nothing new
    # A line that was quick: all is as at the beginning.
    assert group(tried, clock, 0.001)
    assert tried.needs_another
    turn(tried, clock, 0.0001)
    assert group(tried, clock, 0.001)
    assert not tried.needs_another
    turn(tried, clock, 0.1)
    assert not group(tried, clock, 0.001)
    assert group(tried, clock, 0.001)
