"""The queue of grouped commits, driven by hand: who goes with whom, and when."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mink_core import ExpectedVersion, NewEvent
from mink_core.prepare import prepare_append
from mink_postgres.grouping.planner import (
    DIRECT,
    GROUP_APPENDS,
    GROUP_BYTES,
    GROUP_EVENTS,
    LANES,
    Entry,
    Planner,
    fits,
    size_of,
)


def entry(stream: str, waiter: Any, count: int = 1) -> Entry[Any]:
    item = prepare_append(stream, [NewEvent("Made", n) for n in range(count)], ExpectedVersion.ANY)
    return Entry(item, size_of(item), waiter)


def test_a_lone_append_goes_directly_and_a_crowd_in_groups() -> None:
    planner: Planner[int] = Planner(25)
    assert all(planner.go_directly() for _ in range(DIRECT))
    assert not planner.go_directly()
    assert planner.add(entry("a-1", 1))
    assert not planner.add(entry("b-1", 2))
    assert planner.add(entry("c-1", 3))
    # Directs that end make no way past those who wait.
    planner.went_directly()
    assert not planner.go_directly()
    assert [e.waiter for e in planner.take()] == [1, 2, 3]
    assert planner.take() == []
    assert planner.lanes == 1


def test_a_second_lane_waits_for_a_crowd() -> None:
    planner: Planner[int] = Planner(25)
    assert planner.add(entry("a-1", 1))
    assert [e.waiter for e in planner.take()] == [1]
    assert [planner.add(entry(f"b-{number}", number)) for number in range(2, 6)] == [False, False, True, False]
    assert [e.waiter for e in planner.take()] == [2, 3, 4, 5]
    # It goes on for a crowd alone; the last lane takes whatever waits.
    assert not planner.add(entry("c-1", 6))
    assert planner.take() == []
    assert planner.lanes == 1
    assert [e.waiter for e in planner.take()] == [6]
    assert planner.take() == []
    assert planner.lanes == 0


def test_no_more_lanes_than_are_wanted() -> None:
    planner: Planner[int] = Planner(25)
    planner.limit = 1
    assert planner.add(entry("a-1", 1))
    assert [e.waiter for e in planner.take()] == [1]
    assert [planner.add(entry(f"b-{number}", number)) for number in range(2, 5)] == [False, False, False]
    planner.limit = 2
    assert not planner.add(entry("c-1", 5), another=False)
    assert planner.add(entry("c-2", 6))
    assert [e.waiter for e in planner.take()] == [2, 3, 4, 5, 6]
    for number in range(7, 10):
        planner.add(entry(f"d-{number}", number))
    planner.limit = 1
    assert planner.take() == []
    assert planner.lanes == 1
    assert [e.waiter for e in planner.take()] == [7, 8, 9]
    assert planner.take() == []
    assert planner.add(entry("e-1", 10), another=False)


def test_callers_are_the_most_of_late() -> None:
    """Those in groups, those who wait, and those behind a stream of a group; one fewer with each group."""
    planner: Planner[int] = Planner(25)
    planner.add(entry("a-1", 1))
    first = planner.take()
    for number, stream in enumerate(["a-1", "b-1", "c-1", "d-1", "a-1"], 2):
        planner.add(entry(stream, number))
    second = planner.take()
    assert [e.waiter for e in second] == [3, 4, 5]
    planner.add(entry("e-1", 7))
    assert planner.callers == 0
    planner.landed(first)
    assert planner.callers == 7
    planner.landed(second)
    assert planner.callers == 6
    planner.landed(planner.take())
    assert planner.callers == 5
    for number in range(9):
        planner.add(entry(f"f-{number}", number))
    planner.landed(planner.take())
    assert planner.callers == 9


def crowd(planner: Planner[int], callers: int, *, beginning: int = 0) -> int:
    """So many appends of streams of their own; returns how many lanes they open."""
    return sum(planner.add(entry(f"s-{number}", number)) for number in range(beginning, beginning + callers))


@pytest.mark.parametrize(
    ("callers", "sizes"),
    [
        (79, [32, 32]),
        (96, [32, 32, 32]),
        (256, [64, 64, 64, 64]),
        (400, [100, 100, 100, 100]),
        (3000, [256, 256, 256, 256]),
    ],
)
def test_many_callers_have_more_lanes_and_larger_groups(callers: int, sizes: list[int]) -> None:
    """An equal share of the callers each, so that nobody waits for the commit of others before his own."""
    planner: Planner[int] = Planner(25)
    planner.callers = callers
    taken = [len(planner.take()) for _ in range(crowd(planner, callers))]
    assert [size for size in taken if size] == sizes
    assert planner.lanes == len(sizes)


def taken(planner: Planner[int]) -> list[Entry[int]]:
    """The next group; lanes that are of no use any more end before."""
    while not (group := planner.take()):
        pass
    return group


def test_groups_that_were_refused_are_small_again_and_grow_with_those_that_are_not() -> None:
    """One bad append sends all of its group alone: of large groups it would be nearly each."""
    planner: Planner[int] = Planner(25)
    sizes, lanes = [], []
    for number in range(200):
        planner.callers = 1000
        crowd(planner, 300)
        lanes.append(planner.lanes)
        sizes.append(len(group := taken(planner)))
        if number == 1:
            planner.narrow()
        planner.landed(group)
    assert sizes[:5] == [250, 250, 34, 36, 38]
    assert sizes[-1] == 250
    # Nor are there more of them meanwhile.
    assert (lanes[0], min(lanes), lanes[-1]) == (4, LANES, 4)


@pytest.mark.parametrize(
    ("answers", "left_out", "is_narrowed"), [(32, 1, True), (250, 3, False), (250, 4, True), (20, 20, True)]
)
def test_a_few_streams_that_others_hold_are_no_reason(answers: int, left_out: int, is_narrowed: bool) -> None:
    planner: Planner[int] = Planner(25)
    planner.callers = 1000
    crowd(planner, 300)
    planner.narrow(answers, left_out)
    assert (len(taken(planner)) == GROUP_APPENDS) is is_narrowed


def test_they_are_counted_as_they_come() -> None:
    planner: Planner[int] = Planner(25)
    assert crowd(planner, 200) == LANES
    first, second = planner.take(), planner.take()
    assert [len(first), len(second)] == [GROUP_APPENDS, GROUP_APPENDS]
    planner.landed(first)
    assert planner.callers == 200
    assert crowd(planner, 1, beginning=200) == 1
    assert len(planner.take()) == 50


def test_more_lanes_end_with_their_callers() -> None:
    """Less than a full group is no reason for a third."""
    planner: Planner[int] = Planner(25)
    planner.callers = 128
    assert crowd(planner, 128) == 4
    groups = [planner.take() for _ in range(4)]
    crowd(planner, GROUP_APPENDS - 1, beginning=200)
    for number, lanes in enumerate([3, 2]):
        planner.landed(groups[number])
        assert planner.take() == []
        assert planner.lanes == lanes
    planner.landed(groups[2])
    assert len(planner.take()) == GROUP_APPENDS - 1


def test_threads_that_need_one_lane_have_one_however_many_they_are() -> None:
    planner: Planner[int] = Planner(25)
    planner.limit, planner.callers = 1, 400
    assert crowd(planner, 400) == 1
    assert [len(planner.take()) for _ in range(5)] == [100, 100, 100, 100, 0]
    assert planner.lanes == 0


@pytest.mark.parametrize(("connections", "lanes"), [(0, 2), (2, 2), (6, 2), (10, 3), (12, 4), (100, 4)])
def test_lanes_leave_connections_to_others(connections: int, lanes: int) -> None:
    """Each takes one; of a pool that is the caller's, nobody knows how many there are."""
    planner: Planner[int] = Planner(connections)
    planner.callers = 400
    assert crowd(planner, 400) == lanes


def test_a_crowd_that_has_gone_is_forgotten_soon() -> None:
    """Groups for a thousand would have sixty-four in lockstep, as few as there are left."""
    planner: Planner[int] = Planner(25)
    crowd(planner, 1000)
    landings = 0
    while planner.lanes:
        if group := planner.take():
            planner.landed(group)
    while planner.callers > 64:
        crowd(planner, 1)
        planner.landed(planner.take())
        landings += 1
    assert landings < 80


def test_groups_are_bounded_by_count_events_and_bytes() -> None:
    planner: Planner[int] = Planner(25)
    for number in range(3 * GROUP_APPENDS):
        planner.add(entry(f"s-{number}", number))
    assert len(planner.take()) == GROUP_APPENDS
    many: Planner[int] = Planner(25)
    for number in range(20):
        many.add(entry(f"s-{number}", number, 40))
    assert len(many.take()) == GROUP_EVENTS // 40
    wide: Planner[int] = Planner(25)
    for number in range(10):
        item = prepare_append(f"w-{number}", [NewEvent("Made", "x" * (GROUP_BYTES // 4 - 10))], ExpectedVersion.ANY)
        assert fits(item, size_of(item))
        wide.add(Entry(item, size_of(item), number))
    assert len(wide.take()) == 4
    huge = prepare_append("h-1", [NewEvent("Made", "x" * (GROUP_BYTES // 2))], ExpectedVersion.ANY)
    assert not fits(huge, size_of(huge))
    for count in (GROUP_EVENTS // 2, GROUP_EVENTS // 2 + 1):
        long = entry("l-1", 0, count)
        assert fits(long.item, long.size) == (2 * count <= GROUP_EVENTS)


@given(st.lists(st.one_of(st.integers(0, 3), st.sampled_from(["land", "open", "one lane", "two lanes"])), max_size=200))
def test_nothing_is_lost_repeated_or_overtaken(steps: list[Any]) -> None:
    """Random arrivals on four streams and random landings: each append flies once, a stream's in their order."""
    planner: Planner[tuple[int, int]] = Planner(25)
    flying: list[list[Entry[tuple[int, int]]]] = []
    flown: list[tuple[int, int]] = []
    added: list[tuple[int, int]] = []
    idle = 0

    def fly() -> None:
        nonlocal idle
        while idle:
            idle -= 1
            if group := planner.take():
                flying.append(group)

    def land() -> None:
        nonlocal idle
        group = flying.pop(0)
        flown.extend(e.waiter for e in group)
        planner.landed(group)
        idle += 1
        fly()

    for number, step in enumerate(steps):
        if step == "land":
            if flying:
                land()
        elif step in {"one lane", "two lanes"}:
            planner.limit = 1 if step == "one lane" else LANES
        elif step == "open":
            if planner.open_lane():
                idle += 1
                fly()
        else:
            added.append((step, number))
            if planner.add(entry(f"s-{step}", (step, number))):
                idle += 1
                fly()
        streams = [e.stream_id for group in flying for e in group]
        assert len(set(streams)) == sum(len({e.stream_id for e in group}) for group in flying)
        assert len(flying) == planner.lanes <= LANES  # four streams are not many callers
    while flying:
        land()
    assert planner.lanes == 0
    assert planner.drain() == []
    assert sorted(flown) == sorted(added)
    for stream in range(4):
        assert [w for w in flown if w[0] == stream] == [w for w in added if w[0] == stream]
