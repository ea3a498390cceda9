"""A worker that is told to end at any moment of its beat ends there, and starts nothing more."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from mink_core.leases import Lease
from mink_core.runtime.doors import ThreadDoor
from mink_core.runtime.settings import SubscriptionSettings
from mink_core.runtime.steps import run_steps
from mink_core.runtime.supervisor import Supervisor
from mink_core.subscriptions import Holding

if TYPE_CHECKING:
    from collections.abc import Callable


class Bell:
    """A signal that nobody may wait for in vain."""

    def __init__(self) -> None:
        self.cleared: Callable[[], object] = lambda: None
        self._is_set = False

    def set(self) -> None:
        self._is_set = True

    def clear(self) -> None:
        now, self.cleared = self.cleared, lambda: None
        now()
        self._is_set = False

    def is_set(self) -> bool:
        return self._is_set

    def wait(self, _: float) -> None:
        assert self._is_set, "it waits for its next beat, though it was to end"


class Bells(ThreadDoor):
    """Threads that are noted instead of started."""

    def __init__(self) -> None:
        self.spawned: list[str] = []

    def signal(self) -> Any:
        return Bell()

    def spawn(self, name: str, steps: Any) -> Any:
        self.spawned.append(name)
        steps.close()
        return None

    def is_done(self, running: Any) -> bool:
        return True

    def join(self, running: Any, seconds: float) -> None:
        pass


class Worker:
    """A supervisor on a store that gives it one partition."""

    def __init__(self, held: Callable[[], object] = lambda: None) -> None:
        self.door = Bells()
        self.beats = 0

        def hold(*_: Any, **__: Any) -> Holding:
            self.beats += 1
            held()
            return Holding((Lease("s", 0, 1),), frozenset(), next_expiry=None, paused=False)

        store = SimpleNamespace(
            capabilities=frozenset(), subscriptions=SimpleNamespace(hold=hold, leave=lambda *_: None)
        )
        settings = SubscriptionSettings(name="s", handler=print, transactional=False)
        self.supervisor = Supervisor(store, self.door, settings, "me")

    def fail(self) -> None:
        self.supervisor.failure = ValueError("bad")
        self.supervisor._wake.set()


def test_a_stop_right_before_its_signal_is_cleared_is_not_lost() -> None:
    worker = Worker()
    worker.supervisor._wake.cleared = worker.supervisor.stop  # type: ignore[attr-defined]
    run_steps(worker.supervisor.run())
    assert worker.beats == 0


def test_a_failure_right_before_its_signal_is_cleared_is_not_lost() -> None:
    worker = Worker()
    worker.supervisor._wake.cleared = worker.fail  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="bad"):
        run_steps(worker.supervisor.run())
    assert worker.beats == 0


@pytest.mark.parametrize("how", ["stop", "fail"])
def test_nothing_is_started_when_it_is_to_end(how: str) -> None:
    """What it was given to hold in that beat is handed back as it leaves."""
    worker = Worker(lambda: worker.supervisor.stop() if how == "stop" else worker.fail())
    try:
        run_steps(worker.supervisor.run())
    except ValueError:
        assert how == "fail"
    assert worker.beats == 1
    assert worker.door.spawned == ["mink subscription leaves"]
