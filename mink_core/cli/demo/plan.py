"""Names and time of one run."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from mink_core import EventFilter, NewEvent
from mink_core.runtime.bell import Bell

if TYPE_CHECKING:
    from mink_core import StoredEvent


@dataclass(frozen=True)
class Run:
    """One run's streams and events, apart from those of any other run on the same store."""

    tag: str = field(default_factory=lambda: uuid4().hex[:8])

    def stream(self, name: str) -> str:
        """A stream of this run."""
        return f"demo-{self.tag}-{name}"

    def event(self, event_type: str, data: dict[str, Any]) -> NewEvent:
        """An event of this run."""
        return NewEvent(event_type, data, {"run": self.tag})

    @property
    def where(self) -> EventFilter:
        """What a follower of this run asks the store for; other runs' events pass it too."""
        return EventFilter(categories=("demo",))

    def owns(self, event: StoredEvent) -> bool:
        """Whether an event is of this run."""
        return event.metadata.get("run") == self.tag


class Time:
    """A stretch of time that workers ask for its end, and that may be cut short."""

    def __init__(self, seconds: float) -> None:
        """Begin now."""
        self._seconds = seconds
        self._end = time.monotonic() + seconds
        self._cut = Bell()

    def over(self) -> bool:
        """Whether it has ended."""
        return self._cut.is_set() or time.monotonic() >= self._end

    def wait_for(self, share: float) -> None:
        """Sleep until this share of the stretch has gone by, or it is cut short."""
        until = self._end - self._seconds * (1 - share)
        self._cut.wait(max(0.0, until - time.monotonic()))

    def cut_short(self) -> None:
        """End it now."""
        self._cut.set()
