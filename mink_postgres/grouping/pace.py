"""What threads wait for: the server, one another, or the interpreter. Does no I/O; its caller lets one call in at a time."""

from __future__ import annotations

from time import monotonic

_SLOW = 0.002
"""Seconds that all threads wait for the server, from which on it is slow."""
_SHARE = 1.5
"""And so many times what the threads took, since the group was sent, to come with their next appends."""
_SOON = 0.0002
"""Seconds from ringing for a thread until it runs; where nobody else works in this process, 0.02 to 0.1 ms on average."""
_PATIENCE = 0.002
"""Seconds beyond, of all threads of a line together, until those who are left need not wait for their turns.
Between once and three times this, as long as a group takes."""
_MOST = 16
"""Groups, at most, whose threads are woken at once before a line is tried again."""


class Pace:
    """Of the groups that have landed, and of the threads that were woken."""

    def __init__(self) -> None:
        """Nothing is known yet: the server counts as quick, and the interpreter as free."""
        self.slow = False
        """The server is slow or distant, and nobody is left who works meanwhile."""
        self.crowded = False
        """Others in this process keep the interpreter: threads of the last line were long in coming."""
        self.in_line = True
        """Threads are woken one after another now, and not at once."""
        self._added = 0.0
        self._rung = 0.0
        self._patience = _PATIENCE
        self._crowds = 1
        self._left = 0

    @staticmethod
    def now() -> float:
        """Seconds of the clock that `landed` goes by."""
        return monotonic()

    @property
    def needs_another(self) -> bool:
        """Whether a second group under way is of use."""
        return self.slow or self.crowded

    def added(self) -> None:
        """An append has come."""
        self._added = self.now()

    def landed(self, sent: float) -> None:
        """A group was answered that was sent then."""
        now, last = self.now(), max(sent, self._added)
        idle = now - last
        self.slow = idle > _SLOW and idle > _SHARE * (last - sent)
        if self.in_line:
            self.crowded, self._crowds = False, 1
        elif self._left:
            self._left -= 1
            return
        # What the next group takes as well hides it.
        self.in_line, self._patience = True, min(max(now - sent, _PATIENCE), 3 * _PATIENCE)

    def rung(self) -> None:
        """A thread is being woken, who then wakes the next."""
        self._rung = self.now()

    def woken(self) -> None:
        """It runs."""
        self._patience -= max(0.0, self.now() - self._rung - _SOON)
        if self.in_line and self._patience <= 0:
            self.in_line, self.crowded, self._left = False, True, self._crowds
            self._crowds = min(2 * self._crowds, _MOST)
