"""Threads whose appends were answered are woken one after another: none is left asleep, whoever is where."""

from __future__ import annotations

import random
import sys
import threading
import time
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from mink_core import ExpectedVersion, NewEvent, OutcomeUnknownError
from mink_core.prepare import prepare_append
from mink_postgres.grouping import planner as planning
from mink_postgres.grouping import sync_runner
from mink_postgres.grouping.pace import Pace
from mink_postgres.grouping.sync_runner import Grouping
from tests.postgres.grouped import Clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(autouse=True)
def _switching_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@pytest.fixture(autouse=True)
def _many(monkeypatch: pytest.MonkeyPatch) -> None:
    """However few threads there are, they count as many, unless a test says otherwise."""
    monkeypatch.setattr(sync_runner, "_FEW", -1)


def grouping(send: Callable[[list[Any]], object]) -> Any:
    """One that sends nothing: an append's answer is its own stream's name."""
    made: Any = Grouping(None, None)  # type: ignore[arg-type]
    made._planner.direct = planning.DIRECT

    def answered(items: list[Any]) -> list[str]:
        send(items)
        return [item.stream_id for item in items]

    made._send = answered
    return made


def until(happens: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not happens():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def always(*, slow: bool, in_line: Callable[[], bool] = lambda: True) -> Callable[[Pace, float], None]:
    def landed(pace: Pace, _: float) -> None:
        pace.slow, pace.in_line = slow, in_line()

    return landed


def item(stream: str) -> Any:
    return prepare_append(stream, [NewEvent("Made", 1)], ExpectedVersion.ANY)


def all_end(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a thread was left waiting"


@pytest.mark.parametrize("most", [1, 2, 3, 5, 32])
@pytest.mark.parametrize(
    ("crowd", "slow", "few"), [(3, True, -1), (1, True, -1), (8, True, -1), (3, False, -1), (3, False, 24)]
)
@pytest.mark.parametrize("line", ["line", "now and then a line"])
def test_everybody_is_woken(
    monkeypatch: pytest.MonkeyPatch, most: int, crowd: int, slow: bool, few: int, line: str
) -> None:
    """Groups smaller than those who wait, one lane or two, and threads that lead groups they are not in."""
    monkeypatch.setattr(planning, "GROUP_APPENDS", most)
    monkeypatch.setattr(planning, "CROWD", crowd)
    monkeypatch.setattr(sync_runner, "_FEW", few)
    chance = random.Random(most)
    in_line = (lambda: True) if line == "line" else (lambda: chance.random() < 0.5)
    monkeypatch.setattr(Pace, "landed", always(slow=slow, in_line=in_line))

    def send(_: list[Any]) -> None:
        if chance.random() < 0.3:
            time.sleep(chance.random() / 2000)

    group = grouping(send)
    wrong: list[object] = []
    wake, woken = group._wake, list[Any]()

    def watched() -> None:
        somebody_wakes, asleep = group._waking, [it for it in group._answered if not it.awake]
        wake()
        rung = [it for it in asleep if it.turn]
        if rung != ([] if somebody_wakes else asleep[:1]) or (rung and not all(it.awake for it in woken)):
            wrong.append("not one after another")
        if not group._pace.in_line and group._answered:
            wrong.append("not all at once")
        woken[:] = rung or woken

    group._wake = watched
    rung_for, ran = [0], [0]

    def counted(count: list[int], told: Callable[[], None]) -> Callable[[], None]:
        def call() -> None:
            count[0] += 1
            told()

        return call

    group._pace.rung, group._pace.woken = counted(rung_for, group._pace.rung), counted(ran, group._pace.woken)

    def work(name: str) -> None:
        for number in range(60):
            # Some streams are everybody's: who appends to them waits behind one another.
            stream = f"all-{number % 3}" if number % 5 == 0 else f"{name}-{number}"
            answer = group.append(item(stream))
            if answer != stream:
                wrong.append((stream, answer))

    all_end([threading.Thread(target=work, args=(f"s{name}",), daemon=True) for name in range(16)])
    assert wrong == []
    assert rung_for == ran
    assert ran[0] > 0
    assert group._planner.lanes == 0
    assert not group._waking
    assert not group._answered


@pytest.mark.parametrize("when", ["before its turn", "at its turn", "while it leads"])
def test_an_interrupted_thread_keeps_nobody_asleep(when: str) -> None:
    gate, broken = threading.Event(), threading.Event()
    group = grouping(lambda _: gate.wait(60))
    outcomes: list[object] = []

    class Bell:
        """Breaks off one wait."""

        def __init__(self, waiter: Any) -> None:
            self.waiter, self.bell = waiter, waiter.bell
            self.release = self.bell.release

        def acquire(self) -> None:
            if when == "before its turn":
                broken.set()
                raise KeyboardInterrupt
            self.bell.acquire()
            if when == "at its turn" or self.waiter.group:
                broken.set()
                raise KeyboardInterrupt

    answer = group._answer

    def broken_off(entry: Any, following: Any) -> Any:
        if entry.stream_id == "s-7":
            entry.waiter.bell = Bell(entry.waiter)
        return answer(entry, following)

    group._answer = broken_off

    def work(number: int) -> None:
        try:
            outcomes.append(group.append(item(f"s-{number}")))
        except BaseException as error:  # noqa: BLE001 -- the outcome
            outcomes.append(error)

    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(20)]
    # The first leads by itself; of those who wait meanwhile the first leads next.
    order = [0, 7, *range(1, 7), *range(8, 20)] if when == "while it leads" else list(range(20))
    for number, place in enumerate(order):
        threads[place].start()
        until(lambda ready=number: group._planner.lanes and len(group._planner._ready) >= ready)
    gate.set()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a thread was left waiting"
    assert broken.is_set()
    assert sum(isinstance(outcome, KeyboardInterrupt) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, str) for outcome in outcomes) == 19
    assert group.append(item("z-1")) == "z-1"
    assert not group._waking


def test_who_was_interrupted_leaves_its_stream_to_others() -> None:
    """It waits for a group that goes without it, and others append to its stream, before that and after."""
    gate = threading.Event()
    sizes: list[int] = []

    def send(items: list[Any]) -> None:
        sizes.append(len(items))
        gate.wait(60)

    group = grouping(send)
    outcomes: list[str] = []

    def work(stream: str) -> None:
        try:
            outcomes.append(group.append(item(stream)))
        except OutcomeUnknownError:
            outcomes.append("gone")

    streams = ("a-1", "b-1", "c-1", "d-1", "b-1", "c-1")
    threads = [threading.Thread(target=work, args=(stream,), daemon=True) for stream in streams]
    for ready, thread in enumerate(threads):
        thread.start()
        until(lambda ready=ready: group._planner.lanes and len(group._planner._ready) >= ready)
    for place in (0, 1, 4):  # one of b-1, both of c-1
        group._planner._ready[place].waiter.gone = True
    land, taken = group._planner.landed, list[set[str]]()

    def landed(entries: Any) -> None:
        land(entries)
        taken.append(set(group._planner._busy))

    group._planner.landed = landed
    gate.set()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a thread was left waiting"
    assert sorted(outcomes) == ["a-1", "b-1", "d-1", "gone", "gone", "gone"]
    assert sizes == [1, 2]
    assert taken == [set(), {"b-1", "d-1"}, set()]
    all_end([threading.Thread(target=work, args=(stream,), daemon=True) for stream in ("b-1", "c-1")])
    assert not group._planner._busy


def test_a_second_lane_is_for_a_slow_server_or_few_threads(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the server is as quick as many threads come back there is one lane; where all wait for it, there are two."""
    monkeypatch.setattr(sync_runner, "_FEW", 24)
    monkeypatch.setattr(Pace, "woken", Pace.rung)  # the clock jumps under those who are being woken
    under_way, most = count(), 0
    numbers: set[int] = set()
    takes = 0.0

    def send(_: list[Any]) -> None:
        nonlocal most
        number = next(under_way)
        numbers.add(number)
        most = max(most, len(numbers))
        time.sleep(0.003)
        clock.now += takes
        numbers.discard(number)

    group = grouping(send)

    def work(name: int) -> None:
        for number in range(20):
            group.append(item(f"s{name}-{number}"))

    def run(threads: int) -> int:
        nonlocal most
        group.append(item("last-1"))
        most, group._planner.callers = 0, threads
        all_end([threading.Thread(target=work, args=(name,), daemon=True) for name in range(threads)])
        return most

    assert run(64) == 1
    takes = 1.0
    assert run(64) == 2
    takes = 0.0
    assert run(64) == 1
    assert run(8) == 2


def test_a_server_is_not_slow_while_appends_still_come(clock: Clock) -> None:
    gate = threading.Event()
    group = grouping(lambda _: gate.wait(60))
    first, second = (threading.Thread(target=group.append, args=(item(name),), daemon=True) for name in ("a-1", "b-1"))
    landed, seen = group._pace.landed, list[bool]()

    def recorded(sent: float) -> None:
        landed(sent)
        seen.append(group._pace.slow)

    group._pace.landed = recorded
    first.start()
    until(lambda: group._planner.lanes)
    clock.now = 1.0
    second.start()
    until(lambda: group._planner._ready)
    gate.set()
    first.join(60)
    second.join(60)
    assert seen == [False, False]


def test_who_is_being_woken_comes_back_before_a_second_lane_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    gate, asleep, go_on = (threading.Event() for _ in range(3))
    group = grouping(lambda _: gate.wait(60))
    monkeypatch.setattr(Pace, "landed", always(slow=True))
    answer = group._answer

    class Bell:
        """Lets its thread sleep on after it was woken."""

        def __init__(self, bell: Any) -> None:
            self.bell, self.release = bell, bell.release

        def acquire(self) -> None:
            self.bell.acquire()
            asleep.set()
            assert go_on.wait(60)

    def held_up(entry: Any, following: Any) -> Any:
        if entry.stream_id == "s-5":
            entry.waiter.bell = Bell(entry.waiter.bell)
        return answer(entry, following)

    group._answer = held_up

    def begin(names: list[str], ready: int) -> list[threading.Thread]:
        threads = [threading.Thread(target=group.append, args=(item(name),), daemon=True) for name in names]
        for thread in threads:
            thread.start()
        until(lambda: group._planner.lanes and len(group._planner._ready) >= ready)
        return threads

    threads = begin(["s-0"], 0)
    threads += begin([f"s-{number}" for number in range(1, 10)], 9)
    gate.set()
    assert asleep.wait(60)
    gate.clear()
    threads += begin(["t-0"], 0)
    threads += begin([f"t-{number}" for number in range(1, 20)], 19)
    assert group._planner.lanes == 1
    go_on.set()
    until(lambda: not group._waking)
    threads += begin(["t-20"], 0)
    until(lambda: group._planner.lanes == 2)
    gate.set()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a thread was left waiting"
