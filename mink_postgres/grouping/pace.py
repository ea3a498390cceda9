"""Whether threads wait for the server, or the server for threads. Does no I/O; its caller lets one call in at a time."""

from __future__ import annotations

from time import monotonic

_SLOW = 0.002
"""Seconds that all threads wait for the server, from which on it is slow."""
_SHARE = 1.5
"""And so many times what the threads took, since the group was sent, to come with their next appends."""


class Pace:
    """Of the last group that has landed."""

    def __init__(self) -> None:
        """Nothing is known yet: the server counts as quick."""
        self.slow = False
        """A second group under way is of use: the server is slow or distant, and nobody is left who works meanwhile."""
        self._added = 0.0

    @staticmethod
    def now() -> float:
        """Seconds of the clock that `landed` goes by."""
        return monotonic()

    def added(self) -> None:
        """An append has come."""
        self._added = self.now()

    def landed(self, sent: float) -> None:
        """A group was answered that was sent then."""
        last = max(sent, self._added)
        idle = self.now() - last
        self.slow = idle > _SLOW and idle > _SHARE * (last - sent)
