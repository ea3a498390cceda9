"""The feed of a log: the committed rows that nothing can appear below any more.

Every method is called under the log's lock, but `settled` may be read without: it is dense, in
position order and append-only, so that what a reader has seen of it never changes (FEED-01). A privacy
operation puts another row in the place of one.
"""

from __future__ import annotations

import os
from bisect import bisect_left, bisect_right
from itertools import islice
from operator import attrgetter, setitem
from typing import TYPE_CHECKING
from weakref import WeakSet

from mink_core.feed_status import FeedHolder, FeedStatus
from mink_memory.holes import is_hole

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mink_core.runtime.pace import Sleeper
    from mink_memory.at_once import Step
    from mink_memory.open_transaction import OpenTransaction
    from mink_memory.rows import Row


_position: Callable[[Row], int] = attrgetter("global_position")


class Feed:
    """Positions are allocated in one sequence; what stays unused is a hole that delays nobody (FEED-03)."""

    __slots__ = ("_sleepers", "_tail", "_writers", "has_holes", "high", "open_end", "settled")

    def __init__(self) -> None:
        self.high = 0
        """The highest position that was ever allocated."""
        self.has_holes = False
        """Whether events were purged, so that rows may be holes."""
        self.settled: list[Row] = []
        self.open_end = self.settled
        """Where rows go that are committed without a transaction: into the tail while one holds the feed."""
        # Committed above the first position of the oldest open transaction that has appended.
        self._tail: list[Row] = []
        # Open transactions that have appended, in the order of their first positions.
        self._writers: dict[OpenTransaction, None] = {}
        # Whoever waits for events, of any store on the log; nudged at once, which never blocks. None before there was
        # anybody: to ask an empty set of weak references takes a thirtieth of an append.
        self._sleepers: WeakSet[Sleeper] | None = None

    def join(self, sleeper: Sleeper) -> None:
        """Nudge somebody from now on, for as long as they live."""
        if self._sleepers is None:
            self._sleepers = WeakSet()
        self._sleepers.add(sleeper)

    def added(self) -> None:
        """Nudge whoever waits for such rows."""
        if self._sleepers is not None and not self._writers:
            self._nudge(self._sleepers)

    def hold(self, transaction: OpenTransaction) -> None:
        """Hold the feed below the transaction's first row, until it ends."""
        self.open_end = self._tail  # first, and no call in between: see `at_once`
        self._writers.setdefault(transaction)

    def ending(self, transaction: OpenTransaction, committed: Sequence[Row]) -> list[Step]:
        """The steps that end a transaction which has these rows to add, or none when it is rolled back."""
        oldest, following = [*islice(self._writers, 2), None, None][:2]
        if oldest is not transaction:  # the mark is where it was
            return [(self._writers.pop, transaction, None), (self._tail.extend, committed)]
        rows, rest = committed, self._tail
        if rest or following is not None:
            tail = sorted([*rest, *committed], key=_position)
            cut = bisect_right(tail, self._mark(following), key=_position)
            rows, rest = tail[:cut], tail[cut:]
        return [
            (self._writers.pop, transaction, None),
            (self.settled.extend, rows),
            (setitem, self._tail, slice(None), rest),
            (setattr, self, "open_end", self.settled if following is None else self._tail),
        ]

    def ended(self) -> None:
        """Nudge whoever waits for what it held back."""
        if self._sleepers is not None:
            self._nudge(self._sleepers)

    @staticmethod
    def _nudge(sleepers: WeakSet[Sleeper]) -> None:
        for sleeper in sleepers:
            sleeper.nudge()

    @property
    def mark(self) -> int:
        """Every position up to here is in `settled` or dead."""
        return self._mark(next(iter(self._writers), None))

    def _mark(self, oldest: OpenTransaction | None) -> int:
        return self.high if oldest is None else oldest.first_position - 1

    @property
    def head(self) -> int:
        """The newest position in the feed, 0 in an empty one."""
        return next((row.global_position for row in reversed(self.settled) if not is_hole(row)), 0)

    def rewriting(self, rows: Sequence[Row]) -> list[Step]:
        """The steps that put rows in the places of those at their positions."""
        steps: list[Step] = [(setattr, self, "has_holes", self.has_holes or any(map(is_hole, rows)))]
        tail = {row.global_position: index for index, row in enumerate(self._tail)}
        for row in rows:
            if (index := tail.get(row.global_position)) is not None:
                steps.append((setitem, self._tail, index, row))
            else:
                index = bisect_left(self.settled, row.global_position, key=_position)
                steps.append((setitem, self.settled, index, row))
        return steps

    def index_after(self, position: int) -> int:
        """Where the rows above a position begin in `settled`."""
        # A row's index is below its position; without holes it is just one below.
        end = min(position, len(self.settled))
        if end == 0 or self.settled[end - 1].global_position == position:
            return end
        return bisect_right(self.settled, position, hi=end, key=_position)

    def status(self) -> FeedStatus:
        """How far the feed is, and who holds it back (FEED-07)."""
        holders = tuple(
            FeedHolder(
                writer.first_position - 1,
                writer.since,
                writer.seconds,
                os.getpid(),
                "memory",
                writer.doing,
            )
            for writer in self._writers
        )
        return FeedStatus(self.head, self.mark, self.high, holders)
