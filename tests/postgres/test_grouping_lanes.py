"""How many groups of threads are under way: one while the server is quick and threads are many, else two."""

from __future__ import annotations

import threading
import time
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from mink_postgres.grouping import sync_runner
from mink_postgres.grouping.pace import Pace
from tests.postgres.grouped_threads import all_end, always, grouping, item, until

if TYPE_CHECKING:
    from tests.postgres.grouped import Clock


@pytest.fixture(autouse=True)
def _many(monkeypatch: pytest.MonkeyPatch) -> None:
    """However few threads there are, they count as many, unless a test says otherwise."""
    monkeypatch.setattr(sync_runner, "_FEW", -1)


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
    monkeypatch.setattr(
        Pace, "woken", Pace.rung
    )  # on a busy machine they are long in coming, and all are woken at once
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
