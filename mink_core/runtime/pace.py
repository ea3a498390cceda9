"""How long to wait between polls: shortly after an event the next one is likely."""

from __future__ import annotations

from typing import Protocol

SHORTEST_WAIT = 0.005
"""Seconds of the first wait after an event."""


class Sleeper(Protocol):
    """Somebody who waits between polls."""

    def nudge(self) -> None:
        """Look for new events now. From any thread; never blocks."""
        ...


class Pace:
    """Waits that begin short after an event and double up to the poll interval."""

    __slots__ = ("_longest", "_next")

    def __init__(self, longest: float) -> None:
        """Begin short.

        Args:
            longest: Seconds between polls of a feed in which nothing happens.
        """
        self._longest = longest
        self._next = min(SHORTEST_WAIT, longest)

    def busy(self) -> None:
        """There was an event."""
        self._next = min(SHORTEST_WAIT, self._longest)

    def idle(self) -> float:
        """There was none: seconds to wait."""
        wait, self._next = self._next, min(self._next * 2, self._longest)
        return wait
