"""Who is woken by an append of the same store: at once, or by the thread that sends hints, but never by nobody."""

from __future__ import annotations

import gc
import sys
import threading
import time
from contextlib import suppress
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from mink_postgres import wakeups as module
from mink_postgres.wakeups import SHORTEST_GAP, Wakeups
from tests.interrupts import interrupted

if TYPE_CHECKING:
    from collections.abc import Iterator


class Sleeper:
    """Looks, when it is nudged, how many appends there are."""

    def __init__(self) -> None:
        self.appends = 0
        self.seen: list[int] = []

    def nudge(self) -> None:
        self.seen.append(self.appends)


class Connection:
    """Of the server's hints nothing is looked at here."""

    def __init__(self) -> None:
        self.sent = 0

    def execute(self, query: str, *_: Any) -> None:
        self.sent += "pg_notify" in query


class Unsent(Wakeups):
    """Without connections: its sender is run by the test."""

    def _work(self, steps: Any) -> None:
        pass


class Forgetful(Unsent):
    """The broken twin: an append that finds the flag set leaves it at that."""

    def appended(self) -> None:
        self._count += 1
        if not self._dirty.is_set():
            self._dirty.set()
            self._nudge()


@pytest.fixture
def sending() -> Iterator[Any]:
    """Run a store's sender in a thread until the test ends."""
    running: list[tuple[Wakeups, threading.Thread]] = []

    def start(wakeups: Wakeups) -> Connection:
        connection = Connection()
        thread = threading.Thread(target=wakeups._send, args=(connection,))
        thread.start()
        running.append((wakeups, thread))
        return connection

    yield start
    for wakeups, thread in running:
        wakeups.close()
        thread.join(10)
        assert not thread.is_alive()


def made(kind: type[Wakeups]) -> tuple[Wakeups, Sleeper]:
    wakeups, sleeper = kind("s", lambda: None), Sleeper()
    wakeups.add(sleeper)
    return wakeups, sleeper


def test_in_a_quiet_store_the_append_wakes_its_own_subscribers() -> None:
    """No thread stands between: none runs here."""
    wakeups, sleeper = made(Unsent)
    sleeper.appends = 1
    wakeups.appended()
    assert sleeper.seen == [1]


def test_an_append_before_the_hint_is_sent_is_left_to_the_sender(sending: Any) -> None:
    wakeups, sleeper = made(Unsent)
    for number in (1, 2):
        sleeper.appends = number
        wakeups.appended()
    assert sleeper.seen == [1]
    connection = sending(wakeups)
    awaited(lambda: sleeper.seen == [1, 2] and connection.sent == 1)


def test_a_busy_store_is_not_woken_by_each_append(sending: Any) -> None:
    wakeups, sleeper = made(Unsent)
    sending(wakeups)
    began = time.monotonic()
    while time.monotonic() < began + 0.2:
        sleeper.appends += 1
        wakeups.appended()
    awaited(lambda: sleeper.seen[-1] == sleeper.appends)
    assert len(sleeper.seen) <= 2 + 2 * (time.monotonic() - began) / SHORTEST_GAP
    assert len(sleeper.seen) < sleeper.appends / 5


def every_append_is_seen(wakeups: Wakeups, sleeper: Sleeper, rounds: int, patience: float) -> bool:
    lock = threading.Lock()

    def append() -> None:
        for _ in range(3):
            with lock:
                sleeper.appends += 1
            wakeups.appended()

    for number in range(rounds):
        threads = [threading.Thread(target=append) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        try:
            awaited(lambda: sleeper.seen[-1] == sleeper.appends, patience)
        except AssertionError:
            return False
        time.sleep(number % 4 * SHORTEST_GAP / 2)
    return True


def test_no_append_is_left_to_nobody(sending: Any) -> None:
    wakeups, sleeper = made(Unsent)
    sending(wakeups)
    assert every_append_is_seen(wakeups, sleeper, 200, 30)


def test_a_twin_that_leaves_it_at_the_flag_is_found(sending: Any) -> None:
    wakeups, sleeper = made(Forgetful)
    sending(wakeups)
    assert not every_append_is_seen(wakeups, sleeper, 200, 0.3)


@pytest.mark.parametrize("moment", range(1, 31))
def test_an_interrupted_append_leaves_no_store_without_a_sender(moment: int) -> None:
    """Ctrl-C is looked for where a function begins and ends. In the first append's wake-up it costs one hint."""
    wakeups, sleeper = made(Unsent)
    left = [moment]

    def interrupt(frame: Any, event: str, _: object) -> None:
        caller = frame if event.startswith("c_") else frame.f_back
        if caller.f_code.co_filename == module.__file__ and event != "c_call":
            left[0] -= 1
            if not left[0]:
                raise KeyboardInterrupt

    gc.disable()  # who is called back by it would be interrupted instead, and nobody hears of that
    sys.setprofile(interrupt)
    try:
        with suppress(KeyboardInterrupt):
            wakeups.appended()
    finally:
        sys.setprofile(None)
        gc.enable()
    if left[0] <= 0:
        sleeper.seen.clear()
    wakeups.appended()
    assert wakeups._sender is not None
    assert wakeups._dirty.is_set()
    assert sleeper.seen or wakeups._owed


def test_after_an_interrupted_append_others_append_and_close() -> None:
    for moment in count(1):
        wakeups, _ = made(Unsent)
        wakeups.appended()
        wakeups._dirty.clear()  # as its sender does
        was_interrupted = interrupted(wakeups.appended, moment)
        wakeups._dirty.clear()
        for act in (wakeups.appended, wakeups.close):
            other = threading.Thread(target=act, daemon=True)
            other.start()
            other.join(5)
            assert not other.is_alive(), moment
        if not was_interrupted:
            assert moment > 5, "it counted nothing"
            break


class Counting(Wakeups):
    """Notes its threads, which wait for its end."""

    def __init__(self) -> None:
        super().__init__("s", lambda: None)
        self.begun = 0

    def _work(self, steps: Any) -> None:
        self.begun += 1
        self._closed.wait()


@pytest.mark.parametrize("what", ["appended", "add"])
def test_an_interrupted_start_leaves_one_thread(what: str) -> None:
    for moment in count(1):
        wakeups, sleeper = Counting(), Sleeper()
        act = wakeups.appended if what == "appended" else partial(wakeups.add, sleeper)
        was_interrupted = interrupted(act, moment)
        act()
        thread = wakeups._sender or wakeups._listener
        assert thread is not None, moment
        wakeups.close()
        thread.join(30)
        assert wakeups.begun == 1, moment
        if not was_interrupted:
            assert moment > 5, "it counted nothing"
            break


def test_no_append_and_no_subscriber_fails_where_no_thread_is_to_be_had(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: Any) -> None:
        message = "can't start new thread"
        raise RuntimeError(message)

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        wakeups, sleeper = made(Unsent)
        wakeups.appended()
    assert sleeper.seen == [0]
    assert "wake-ups are off" in caplog.text
    wakeups.appended()
    wakeups.add(sleeper)
    assert wakeups._sender is not None
    assert wakeups._listener is not None
    wakeups.close()


def awaited(condition: Any, patience: float = 30) -> None:
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.0005)
