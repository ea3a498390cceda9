"""A bell is an event: what is rung wakes who waits, whatever comes between, and Ctrl-C at any moment locks nobody out."""

from __future__ import annotations

import sys
import threading
import time
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from mink_core.runtime import bell as module
from mink_core.runtime.bell import Bell
from tests.interrupts import interrupted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE = 30.0


def rung() -> Bell:
    bell = Bell()
    bell.set()
    return bell


def between() -> Bell:
    """As `set` and `clear` may leave it that met: the next wait ends early."""
    bell = rung()
    bell._rung = False
    return bell


STATES = pytest.mark.parametrize("made", [Bell, rung, between])


def test_it_is_an_event() -> None:
    bell = Bell()
    assert not bell.is_set()
    assert not bell.wait(0)
    for _ in range(2):
        bell.set()
        assert bell.is_set()
        assert bell.wait()
        assert bell.wait(0)
    for _ in range(2):
        bell.clear()
        assert not bell.is_set()
        assert not bell.wait(0.001)
        assert not bell.wait(-1)  # to a lock that would be for ever


@pytest.mark.parametrize("seconds", [None, PATIENCE, 1e30])
def test_one_ring_wakes_all_who_wait(seconds: float | None) -> None:
    assert all_are_woken(Bell(), seconds)


def all_are_woken(bell: Bell, seconds: float | None = PATIENCE) -> bool:
    woken: list[bool] = []
    threads = [threading.Thread(target=lambda: woken.append(bell.wait(seconds)), daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    bell.set()
    for thread in threads:
        thread.join(PATIENCE)
    return woken == [True] * 3


def is_sound(bell: Bell) -> bool:
    """Of use as before, from another thread as well, where it would hang else."""
    done: list[bool] = []

    def use() -> None:
        bell.clear()
        done.append(not bell.is_set() and not (bell.wait(0) or bell.wait(0.001)) and all_are_woken(bell))

    thread = threading.Thread(target=use, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    return done == [True]


def bytecodes(
    made: Callable[[], Bell], act: Callable[[Bell], object], meanwhile: Callable[[Bell], object]
) -> Iterator[tuple[int, Bell]]:
    """Does the one at each bytecode of the other in turn, as another thread or a signal's handler may."""
    before = sys.gettrace()
    # At 0 nothing is done: CPython 3.12 tells of no bytecode in the first function that asks for them.
    for moment in count():
        bell, left = made(), moment

        def trace(frame: Any, event: str, _: object) -> Any:
            nonlocal left
            if frame.f_code.co_filename != module.__file__:
                return None
            frame.f_trace_opcodes = True
            if event == "opcode":
                left -= 1
                if not left:
                    sys.settrace(None)
                    meanwhile(bell)  # noqa: B023 -- called here
                    sys.settrace(trace)
            return trace

        sys.settrace(trace)
        try:
            act(bell)
        finally:
            sys.settrace(before)
        if left > 0:
            assert moment > 3, "it counted nothing"
            return
        if moment:
            yield moment, bell


def wait(bell: Bell) -> None:
    bell.wait(0.0001)


@STATES
@pytest.mark.parametrize("act", [Bell.set, Bell.clear, wait])
@pytest.mark.parametrize("meanwhile", [Bell.set, Bell.clear])
def test_whatever_is_done_in_the_middle_it_stays_a_bell(
    made: Callable[[], Bell], act: Callable[[Bell], object], meanwhile: Callable[[Bell], object]
) -> None:
    for moment, bell in bytecodes(made, act, meanwhile):
        if Bell.clear not in {act, meanwhile}:
            assert bell.is_set(), moment
        if bell.is_set():
            assert not bell._lock.locked(), moment  # else one who waits already would sleep on
        assert is_sound(bell), moment


@STATES
@pytest.mark.parametrize("act", [Bell.set, Bell.clear, wait])
def test_interrupted_at_any_moment_it_stays_a_bell(made: Callable[[], Bell], act: Callable[[Bell], object]) -> None:
    for moment in count(1):
        bell = made()
        was_interrupted = interrupted(lambda: act(bell), moment)  # noqa: B023
        if bell.is_set():
            assert not bell._lock.locked(), moment
        assert is_sound(bell), moment
        if not was_interrupted:
            assert moment > 2, "it counted nothing"
            break


def test_who_is_interrupted_as_it_is_woken_wakes_the_next_all_the_same() -> None:
    for moment in range(1, 10):
        bell = Bell()
        ring = threading.Timer(0.01, bell.set)  # while this thread waits
        ring.start()
        interrupted(lambda: bell.wait(PATIENCE), moment, beginning=lambda file: file == module.__file__)  # noqa: B023
        ring.join()
        assert bell.is_set()
        assert not bell._lock.locked(), moment


def test_no_ring_is_missed_by_who_clears_looks_and_waits() -> None:
    bell, rings, seen, began = Bell(), [0] * 3, 0, time.monotonic()

    def ring(index: int) -> None:
        for _ in range(300):
            rings[index] += 1
            bell.set()

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    threads = [threading.Thread(target=ring, args=(index,), daemon=True) for index in range(3)]
    try:
        for thread in threads:
            thread.start()
        while seen < 900:
            bell.clear()
            if (found := sum(rings)) == seen:
                bell.wait(PATIENCE)
            seen = found
        assert time.monotonic() - began < PATIENCE
    finally:
        sys.setswitchinterval(before)
    for thread in threads:
        thread.join(PATIENCE)
