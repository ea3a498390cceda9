"""Where programs are played: handles on one namespace, used by many histories and thrown away after a bad one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance_tests.histories.play import Setting, play, play_async
from conformance_tests.histories.strategies import MAX_ACTORS

if TYPE_CHECKING:
    from conformance_tests.histories.history import History
    from conformance_tests.histories.program import Program
    from conformance_tests.lab import Lab

HANDLES = MAX_ACTORS + 2


class Arena:
    """Plays programs on the lab's target, each on streams of its own."""

    def __init__(self, lab: Lab) -> None:
        """Open nothing yet."""
        self._lab = lab
        self._namespace: str | None = None
        self._handles: list[Any] = []
        self._start = 0
        self._played = 0

    def play(self, program: Program, seed: int, pausing: float) -> History:
        """Run a program once."""
        self._played += 1
        handles = self._take(min(HANDLES, program.actors + len(program.followers)))
        setting = Setting(f"h{self._played}", seed, pausing, self._start)
        if self._lab.is_async:
            history = self._lab.run(play_async(program, handles, setting))
        else:
            history = play(program, handles, setting)
        found = [event.position for events in history.streams.values() for event in events]
        self._start = max([self._start, *found])
        return history

    def renew(self) -> None:
        """Go on in a new namespace: the old one may be broken for good."""
        self._namespace, self._handles, self._start = None, [], 0

    def _take(self, number: int) -> list[Any]:
        if self._namespace is None:
            self._namespace = self._lab.namespace()
        while len(self._handles) < number:
            self._handles.append(self._lab.open_native(self._namespace))
        return self._handles[: max(number, 1)]
