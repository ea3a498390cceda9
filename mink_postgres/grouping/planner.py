"""Which appends go together, and when. Does no I/O and knows neither tasks nor threads.

There is no timer: an append that finds the store idle, or few beside it, goes directly, at once. What arrives
while more are under way waits for the next of at most `LANES` groups, which takes all that waits.
So groups grow with the load, and a lone caller never waits for company.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mink_core.prepare import PreparedAppend

LANES = 2
"""Groups under way at once: while the server works on one, the other is put together or answered."""
DIRECT = 4
"""Appends that go directly at once; with more callers, groups begin. Two or three in a group cost more than alone."""
CROWD = 3
"""Appends that must wait for a second lane to be of use, and to go on: one or two cost it more than they gain."""
GROUP_APPENDS = 32
"""Appends in a group of up to 64 callers. With 64 in one all would move in lockstep, and nobody be left to fill the next."""
MANY = 80
"""Callers from which on more lanes are of use: a commit takes the disk as long for many groups as for one."""
LANES_OF_MANY = 4
"""Groups under way at once for so many. More of them cost the server more than they gain."""
MOST_APPENDS = 256
"""Appends in a group, at most: an equal share of all callers, so that none waits for a second group."""
_FEW_LEFT_OUT = 64
"""One of so many appends of a group may be left out for a stream that is locked elsewhere."""
_REGROWTH = 2
"""Appends by which groups may be larger again with each that has landed since `narrow`."""
GROUP_EVENTS = 640
"""Events in a group. In appends of thirty, 320 take a sixth longer, and 960 a twentieth: see docs/decisions/0136."""
GROUP_BYTES = 384 * 1024
"""Characters of JSON in a group: with 192 KiB ten events of 8 KB each take a seventh longer."""

W = TypeVar("W")


class Entry(Generic[W]):
    """One append in the queue."""

    __slots__ = ("count", "item", "size", "stream_id", "waiter")

    def __init__(self, item: PreparedAppend, size: int, waiter: W) -> None:
        """Keep what the planner looks at."""
        self.item = item
        self.stream_id = item.stream_id
        self.count = len(item.events)
        self.size = size
        self.waiter = waiter


def size_of(item: PreparedAppend) -> int:
    """Characters of JSON in an append."""
    size = 0
    for event in item.events:
        size += len(event.data) + len(event.metadata or "")
    for message in item.messages:
        size += len(message.payload) + len(message.headers)
    return size


def fits(item: PreparedAppend, size: int) -> bool:
    """Whether an append may share a group at all: two that do are still better off together."""
    return size <= GROUP_BYTES // 2 and len(item.events) <= GROUP_EVENTS // 2


class Planner(Generic[W]):
    """The queue of one store. Its caller lets one call in at a time."""

    def __init__(self, connections: int) -> None:
        """Begin idle.

        Args:
            connections: How many the store may have. More than two lanes take a third of them at most; 0 where nobody knows.
        """
        self._most = max(LANES, min(LANES_OF_MANY, connections // 3))
        self.limit = LANES
        """Lanes that are of use: one more ends when it asks for its next group. With two, many callers have more."""
        self.callers = 0
        """The most appends that waited, and streams in groups, at once of late; one less with each group, and of many more."""
        self._largest = MOST_APPENDS
        self._ready: deque[Entry[W]] = deque()
        # Behind a stream of a group under way, so that a group does not find it locked by its neighbour.
        self._behind: dict[str, deque[Entry[W]]] = {}
        self._busy: set[str] = set()
        self.direct = 0
        """Appends under way by themselves."""
        self.lanes = 0
        """Groups under way, and those about to be taken."""

    def go_directly(self) -> bool:
        """Whether an append that arrives now need not wait; then `went_directly` follows its end."""
        if self.lanes or self.direct >= DIRECT:
            return False
        self.direct += 1
        return True

    def went_directly(self) -> None:
        """A direct append has ended."""
        self.direct -= 1

    def add(self, entry: Entry[W], *, another: bool = True) -> bool:
        """Queue an append; True where the caller has to open a lane for it: the first, or `another` where that may be."""
        self._ready.append(entry)
        return (another or not self.lanes) and self.open_lane()

    def open_lane(self) -> bool:
        """Whether one more lane is of use. It counts from now on, until `take` gives it nothing."""
        if len(self._ready) >= self._crowd(self.lanes):
            self.lanes += 1
            return True
        return False

    def _crowd(self, lanes: int) -> float:
        """Appends that must wait for one more lane to be of use beside so many."""
        if not lanes:
            return 1
        if lanes < self.limit:
            return CROWD
        # No more of them as long as groups are kept small.
        if self.callers >= MANY and self.limit >= LANES and lanes < self._most and self._largest >= MOST_APPENDS:
            return GROUP_APPENDS
        return math.inf

    def close_lane(self) -> None:
        """A lane has ended otherwise than by an empty `take`."""
        self.lanes -= 1

    def take(self) -> list[Entry[W]]:
        """The next group for a lane. Empty: the lane ends."""
        group: list[Entry[W]] = []
        events = size = 0
        ready = self._ready
        if self.lanes > 1 and len(ready) < self._crowd(self.lanes - 1):
            self.lanes -= 1
            return group
        most = GROUP_APPENDS
        if self.callers >= MANY:
            most = max(most, min(self.callers // self._most, self._largest))
        while ready and len(group) < most:
            entry = ready[0]
            if entry.stream_id in self._busy:
                self._behind.setdefault(entry.stream_id, deque()).append(ready.popleft())
                continue
            events += entry.count
            size += entry.size
            if group and (events > GROUP_EVENTS or size > GROUP_BYTES):
                break
            group.append(ready.popleft())
        self._busy.update([entry.stream_id for entry in group])
        if not group:
            self.lanes -= 1
        return group

    def landed(self, group: Iterable[Entry[W]]) -> None:
        """A group was answered, or these of it will not be sent: what waited behind its streams comes next."""
        busy, behind = self._busy, self._behind
        present = len(busy) + len(self._ready) + sum(map(len, behind.values()))
        self.callers = max(self.callers - 1 - self.callers // 32, present)
        self._largest = min(self._largest + _REGROWTH, MOST_APPENDS)
        freed: list[Entry[W]] = []
        for stream_id in {entry.stream_id for entry in group}:
            busy.discard(stream_id)
            freed.extend(behind.pop(stream_id, ()))
        self._ready.extendleft(reversed(freed))

    def narrow(self, answers: int = 0, left_out: int = 0) -> None:
        """Keep groups small for a while: one was refused as a whole, or more than a few of it had to be left out.

        A large group has a bad append more often, of which all of it go alone; and it meets more streams that others hold,
        and holds more of theirs.

        Args:
            answers: How many appends it had; 0 where all were refused for one of them.
            left_out: Of how many others held the stream.
        """
        if left_out * _FEW_LEFT_OUT >= answers:
            self._largest = GROUP_APPENDS

    def forget(self, entry: Entry[W]) -> None:
        """Whoever waited for it has gone: it need not be kept until its turn."""
        for queue in (self._ready, self._behind.get(entry.stream_id)):
            if queue and entry in queue:
                queue.remove(entry)

    def drain(self) -> list[Entry[W]]:
        """Take all that waits out of the queue: the store closes, or groups cannot be sent."""
        waiting = [*self._ready, *(entry for queue in self._behind.values() for entry in queue)]
        self._ready.clear()
        self._behind.clear()
        return waiting
