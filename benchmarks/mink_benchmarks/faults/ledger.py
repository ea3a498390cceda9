"""What was acknowledged, and when nothing was."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from mink_core import NewEvent

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mink_core import MinkError


def call_of(size: int) -> list[NewEvent]:
    """The events of one call; each says which call it is of, and of how many events."""
    metadata = {"call": str(uuid4()), "size": size}
    return [NewEvent("Happened", {"n": number, "ratio": 1.0}, metadata) for number in range(size)]


class Ledger:
    """Written by all writers, judged at the end. Thread-safe."""

    def __init__(self) -> None:
        """Nothing is acknowledged; the first wait begins now."""
        self._lock = threading.Lock()
        self._acknowledged: set[UUID] = set()
        self._last = time.monotonic()
        self.longest_outage = 0.0
        """Seconds between one acknowledgement and the next, of whichever writer."""
        self.refusals: Counter[str] = Counter()
        """What a call was answered with before it was acknowledged, by the error's name."""
        self.surprises: list[str] = []
        """What no fault explains."""

    def acknowledge(self, ids: Iterable[UUID]) -> None:
        """A call returned: its events must be there from now on."""
        now = time.monotonic()
        with self._lock:
            self._acknowledged.update(ids)
            self.longest_outage = max(self.longest_outage, now - self._last)
            self._last = now

    def take_outage(self) -> float:
        """The longest outage since this was last asked; that of one fault among several."""
        with self._lock:
            taken, self.longest_outage = self.longest_outage, 0.0
            return taken

    def refused(self, error: MinkError) -> None:
        """A call raised; it is repeated."""
        with self._lock:
            self.refusals[type(error).__name__] += 1

    def surprise(self, said: str) -> None:
        """Something happened that should not."""
        with self._lock:
            self.surprises.append(said)

    @property
    def acknowledged(self) -> frozenset[UUID]:
        """The ids of the acknowledged events."""
        with self._lock:
            return frozenset(self._acknowledged)
