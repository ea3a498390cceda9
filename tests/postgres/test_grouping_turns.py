"""Threads whose appends were answered are woken one after another: none is left asleep, whoever is where."""

from __future__ import annotations

import random
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from mink_core import OutcomeUnknownError
from mink_postgres.grouping import planner as planning
from mink_postgres.grouping import sync_runner
from mink_postgres.grouping.pace import Pace
from tests.postgres.grouped_threads import all_end, always, grouping, item, until

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
