"""Readers of the feed that go on step by step, and are compared at the end with what was stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from conformance_tests.expect import fail
from mink_core import Direction, EventFilter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mink_core import Store, StoredEvent

_MOST = 10_000


class Reader(Protocol):
    """One reader."""

    name: str

    def step(self) -> None:
        """Read what there is now."""
        ...

    def finish(self, truth: Sequence[StoredEvent]) -> None:
        """Read the rest; then compare with everything that was stored, in position order."""
        ...


class Polling:
    """Polls from page to page, as a projection does."""

    def __init__(self, store: Store, rule: str, *, limit: int = 100, stream_id: str | None = None) -> None:
        """Begin at the beginning."""
        self.name = f"a reader that polls {limit} at a time" + (f" of {stream_id}" if stream_id else "")
        self._store = store
        self._rule = rule
        self._limit = limit
        self._stream_id = stream_id
        self._where = EventFilter(stream_ids=(stream_id,)) if stream_id else EventFilter()
        self._after = 0
        self._given: list[StoredEvent] = []
        self._trail: list[str] = []

    def step(self) -> None:
        """Poll until a page is empty."""
        for _ in range(_MOST):
            page = self._store.poll(self._after, limit=self._limit, where=self._where)
            if not page.events and page.next_position == self._after:
                return
            positions = [event.global_position for event in page.events]
            self._trail.append(f"after {self._after}: {positions}, go on at {page.next_position}")
            self._given += page.events
            self._after = page.next_position

    def finish(self, truth: Sequence[StoredEvent]) -> None:
        """See `Reader.finish`."""
        self.step()
        wanted = [event for event in truth if self._stream_id in {None, event.stream_id}]
        compare(f"{self._rule}: {self.name}", self._given, wanted, self._trail)


class Whole:
    """Reads the whole feed at every step: each answer is a prefix of the next."""

    def __init__(self, store: Store, rule: str, *, backward: bool = False) -> None:
        """Read nothing yet."""
        self.name = "read_all" + (" backwards" if backward else "")
        self._store = store
        self._rule = rule
        self._direction = Direction.BACKWARD if backward else Direction.FORWARD
        self._answers: list[list[StoredEvent]] = []

    def step(self) -> None:
        """Read it all."""
        answer = list(self._store.read_all(direction=self._direction))
        self._answers.append(answer[::-1] if self._direction is Direction.BACKWARD else answer)

    def finish(self, truth: Sequence[StoredEvent]) -> None:
        """See `Reader.finish`."""
        for answer in self._answers:
            top = answer[-1].global_position if answer else 0
            below = [event for event in truth if event.global_position <= top]
            compare(f"{self._rule}: {self.name}, up to its last position {top}", answer, below, [])


class Heads:
    """Asks for the head: what the feed gives after that must reach it."""

    name = "head_position"

    def __init__(self, store: Store) -> None:
        """Ask nothing yet."""
        self._store = store
        self._last = 0

    def step(self) -> None:
        """Ask, then read."""
        head = self._store.head_position()
        events = list(self._store.read_all())
        top = events[-1].global_position if events else 0
        if head > top:
            fail("FEED-05: the head is in what the feed gives", expected=f"at most {top}", seen=head)
        if head < self._last:
            fail("FEED-05: the head never goes back", expected=f"at least {self._last}", seen=head)
        self._last = head

    def finish(self, truth: Sequence[StoredEvent]) -> None:
        """See `Reader.finish`."""
        self.step()
        newest = truth[-1].global_position if truth else 0
        if self._last != newest:
            fail("FEED-05: the head with nothing in flight", expected=newest, seen=self._last)


def compare(what: str, given: Sequence[StoredEvent], wanted: Sequence[StoredEvent], trail: Sequence[str]) -> None:
    """Say what a reader missed, was given twice, or was given in another order."""
    if list(given) == list(wanted):
        return
    positions = [event.global_position for event in given]
    missed = [_told(event) for event in wanted if event.global_position not in set(positions)]
    if missed:
        said = f"was never given {', '.join(missed[:3])}"
    elif len(set(positions)) < len(positions):
        said = "was given an event more than once"
    else:
        said = "was given events that are not as they are stored, or in another order"
    fail(
        f"{what} {said}",
        expected=f"positions {[event.global_position for event in wanted]}",
        seen=f"positions {positions}" + ("".join(f"\n    {line}" for line in trail[-12:])),
    )


def _told(event: StoredEvent) -> str:
    return f"position {event.global_position} (version {event.version} of {event.stream_id})"
