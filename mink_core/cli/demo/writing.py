"""Concurrent appends: bidders that contend for hot streams, recorders that never conflict, a slow transaction."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mink_core import AppendResult, Capability, ConcurrencyError, ExpectedVersion, NewEvent, Store, StoredEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from concurrent.futures import Future
    from uuid import UUID

    from mink_core.cli.demo.plan import Run, Time

BIDDERS = 6
RECORDERS = 2
LOT_SIZE = 40
"""Bids on a lot; a bidder reads them all to decide, so a lot ends before reading it takes long."""

_RETRIES = 200
_THINKING = 0.0002
_RECORDING = 0.001
_MEETING = 10.0


@dataclass(frozen=True)
class Acknowledged:
    """An append that the store said it has stored."""

    event_ids: tuple[UUID, ...]
    last_position: int
    at: float


@dataclass(frozen=True)
class Held:
    """A transaction that took its positions early and committed late."""

    first_position: int
    seconds: float
    committed_at: float
    head_meanwhile: int
    """The feed's head just before the commit."""
    reported: bool
    """Whether the store named who held the feed back."""


@dataclass
class Tally:
    """What one worker did. Not shared between threads: `Written` adds them up."""

    bids: list[Acknowledged] = field(default_factory=list)
    records: list[Acknowledged] = field(default_factory=list)
    slow: list[Acknowledged] = field(default_factory=list)
    conflicts: int = 0
    unresolved: int = 0
    rolled_back: int = 0
    held: Held | None = None


class Written:
    """What all workers did."""

    def __init__(self, tallies: list[Tally]) -> None:
        """Add up."""
        self.bids = [done for tally in tallies for done in tally.bids]
        self.records = [done for tally in tallies for done in tally.records]
        self.slow = [done for tally in tallies for done in tally.slow]
        self.conflicts = sum(tally.conflicts for tally in tallies)
        self.unresolved = sum(tally.unresolved for tally in tallies)
        self.rolled_back = sum(tally.rolled_back for tally in tallies)
        self.held = next((tally.held for tally in tallies if tally.held), None)

    @property
    def acknowledged(self) -> list[Acknowledged]:
        """Every append that was acknowledged."""
        return [*self.bids, *self.records, *self.slow]

    @property
    def event_ids(self) -> set[UUID]:
        """Every event that was acknowledged."""
        return {event_id for done in self.acknowledged for event_id in done.event_ids}

    @property
    def last_position(self) -> int:
        """The position of the newest of them."""
        return max((done.last_position for done in self.acknowledged), default=0)

    @property
    def passed_by(self) -> int:
        """Appends that were done above the slow transaction's position before it was committed.

        A reader that asks for `position > last` would have gone past it with any of them.
        """
        held = self.held
        if held is None:
            return 0
        return sum(
            done.last_position > held.first_position and done.at < held.committed_at
            for done in (*self.bids, *self.records)
        )


@contextmanager
def writers(store: Store, run: Run, time_left: Time) -> Generator[Callable[[], Written], None, None]:
    """Let the workers write; what is given back waits for their end and tells what they did."""
    meeting = threading.Barrier(BIDDERS)
    with ThreadPoolExecutor(BIDDERS + RECORDERS + 1, "mink-demo") as pool:
        workers: list[Future[Tally]] = [pool.submit(bid, store, run, time_left, n, meeting) for n in range(BIDDERS)]
        workers += [pool.submit(record, store, run, time_left, n) for n in range(RECORDERS)]
        if Capability.TRANSACTIONS in store.capabilities:
            workers.append(pool.submit(dawdle, store, run, time_left))
        try:
            yield lambda: Written([worker.result() for worker in workers])
        finally:
            time_left.cut_short()


def bid(store: Store, run: Run, time_left: Time, bidder: int, meeting: threading.Barrier) -> Tally:
    """Outbid the others, lot after lot, by `store.update`: read, decide, append, again after a conflict."""
    tally = Tally()
    lot = 1
    met = False
    while not met or not time_left.over():  # to the meeting at least
        tries = 0

        def decide(bids: list[StoredEvent]) -> list[NewEvent]:
            nonlocal met, tries
            tries += 1
            # All meet at their very first decision: whatever the machine, some conflicts happen.
            if not met:
                met = True
                with suppress(threading.BrokenBarrierError):
                    meeting.wait(_MEETING)
            time.sleep(_THINKING)
            if len(bids) >= LOT_SIZE:
                return []
            amount = bids[-1].data["amount"] + 1 if bids else 1
            return [run.event("BidPlaced", {"bidder": bidder, "amount": amount})]

        try:
            result = store.update(run.stream(f"lot-{lot}"), decide, retries=_RETRIES)
        except ConcurrencyError:
            tally.unresolved += 1
            tally.conflicts += tries
            continue
        tally.conflicts += tries - 1
        if result is None:
            lot += 1
        else:
            tally.bids.append(_acknowledged(result))
    return tally


def record(store: Store, run: Run, time_left: Time, recorder: int) -> Tally:
    """Append to one journal without expecting anything of it."""
    tally = Tally()
    number = 0
    while not number or not time_left.over():
        number += 1
        events = [run.event("Noted", {"by": recorder, "number": number, "of": part}) for part in range(number % 3 + 1)]
        result = store.append(run.stream("journal"), events, expected_version=ExpectedVersion.ANY)
        tally.records.append(_acknowledged(result))
        time.sleep(_RECORDING)
    return tally


def dawdle(store: Store, run: Run, time_left: Time) -> Tally:
    """Append early and commit late, over the middle of the writing; and roll one append back."""
    tally = Tally()
    time_left.wait_for(0.3)
    with suppress(_ChangedMindError), store.transaction() as transaction:
        transaction.append(run.stream("undone"), [run.event("Undone", {})], expected_version=ExpectedVersion.ANY)
        raise _ChangedMindError
    tally.rolled_back = 1
    stream = run.stream("slow")
    begun = time.monotonic()
    with store.transaction() as transaction:
        first = transaction.append(stream, [run.event("Begun", {})], expected_version=ExpectedVersion.NO_STREAM)
        # One append goes past it, however slow the machine: the others may have ended by now.
        passing = store.append(run.stream("passing"), [run.event("Passed", {})], expected_version=ExpectedVersion.ANY)
        tally.records.append(_acknowledged(passing))
        time_left.wait_for(0.65)
        last = transaction.append(stream, [run.event("Ended", {})], expected_version=1)
        status = store.feed_status()
        committed_at = time.monotonic()
    tally.slow = [_acknowledged(first), _acknowledged(last)]
    tally.held = Held(
        first_position=first.first_position,
        seconds=committed_at - begun,
        committed_at=committed_at,
        head_meanwhile=status.head,
        reported=any(holder.after_position < first.first_position for holder in status.holders),
    )
    return tally


class _ChangedMindError(Exception):
    """Rolls a transaction back."""


def _acknowledged(result: AppendResult) -> Acknowledged:
    return Acknowledged(result.event_ids, result.last_position, time.monotonic())
