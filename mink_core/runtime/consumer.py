"""One partition of a durable subscription, followed under one lease.

Order matters: a position moves only after what is at or below it was handled or parked, and after
any error of the storage the checkpoint is loaded again, as only it tells what is stored.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any

import msgspec

from mink_core.backoff import Backoff
from mink_core.errors import (
    CheckpointConflictError,
    LeaseLostError,
    StorageError,
    StoreClosedError,
    UnreadableEventError,
)
from mink_core.errors.root import words_of
from mink_core.handling import NextStep
from mink_core.partitions import Partition
from mink_core.runtime.at_least_once import AtLeastOnce
from mink_core.runtime.delivery import HandlerError
from mink_core.runtime.exactly_once import ExactlyOnce
from mink_core.runtime.pace import Pace
from mink_core.runtime.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from mink_core.events import StoredEvent
    from mink_core.leases import Lease
    from mink_core.parked import ParkedEvent
    from mink_core.runtime.doors import Door
    from mink_core.runtime.settings import SubscriptionSettings
    from mink_core.runtime.steps import Steps

_BACKOFF = Backoff(0.1, most=5.0)


class Consumer:
    """Delivers the events of one partition to the handler, until it is stopped or loses its lease."""

    def __init__(
        self, store: Any, door: Door, settings: SubscriptionSettings, lease: Lease, is_alive: Callable[[], bool]
    ) -> None:
        """Follow nothing yet.

        Args:
            store: Of either door.
            door: The store's.
            settings: The subscription's.
            lease: On the partition.
            is_alive: Whether the worker still counts as alive: if not, another may have the partition.
        """
        self.lease = lease
        self.wake = door.signal()
        """Set when there may be new events."""
        self.failure: BaseException | None = None
        """What ended it, where that must end the worker."""
        self.running: Any = None
        """What `Door.spawn` gave for it."""
        self._store = store
        self._settings = settings
        self._is_alive = is_alive
        self._share = Partition(lease.partition, settings.partitions) if settings.partitions > 1 else None
        self._where = msgspec.structs.replace(settings.where, partition=self._share)
        self._progress = Progress(store, settings, lease)
        kind = ExactlyOnce if settings.transactional else AtLeastOnce
        self._delivery = kind(store, door, settings, lease, self._progress)
        self._delivery.may_work = self._may_work
        self._replays_at = 0.0
        self._asked: deque[ParkedEvent] = deque()
        """Events that are to be tried again."""
        self._unreadable_at = self._attempts = 0
        """Where the last event is that a transform could not read, and how often it was tried."""
        self._failures = 0
        """Of the storage, since the last page that was polled, delivered and saved."""

    @property
    def in_handler(self) -> bool:
        """Whether the handler may be running at this moment."""
        return self._delivery.in_handler

    def stop(self) -> None:
        """End soon, after the event that is being handled. From any thread."""
        self._delivery.halt.set()
        self.wake.set()

    def _may_work(self) -> bool:
        return not self._delivery.halt.is_set() and self._is_alive()

    def run(self) -> Steps[None]:
        """Follow the partition; errors of the storage are told, and waited out (SUB-03)."""
        while self._may_work():
            try:
                yield from self._progress.load()
                yield from self._follow()
            except LeaseLostError as error:
                if not self._delivery.halt.is_set():
                    self._delivery.tell(error, None, 0, NextStep.LOST)
                return
            except StoreClosedError:
                return
            except CheckpointConflictError:
                continue  # moved on purpose: go on from where it is now
            except StorageError as error:
                self._failures += 1
                wait = _BACKOFF.delay(self._failures)
                self._delivery.tell(error, None, self._failures, NextStep.RECONNECT, wait)
                yield self._delivery.halt.wait(wait)
            except GeneratorExit:
                raise  # nobody is there to take a step any more
            except BaseException as error:  # noqa: BLE001 -- ends the worker, which raises it
                self.failure = error
                return

    def _follow(self) -> Steps[None]:
        pace = Pace(self._settings.poll_interval)
        progress = self._progress
        self._asked.clear()  # of what an error left, only the storage knows what is still asked for
        while self._may_work():
            yield from self._replay_parked()
            self.wake.clear()  # before the poll: a hint that comes while it runs is not lost
            limit = 1 if progress.position < self._unreadable_at else self._settings.batch_size
            try:
                page = yield self._store.poll(
                    progress.position, limit=limit, where=self._where, identity=progress.identity
                )
            except UnreadableEventError as unreadable:
                yield from self._failed(unreadable, limit)
                continue
            if page.events:
                pace.busy()
                yield from self._delivery.deliver(page.events)
                if progress.position == page.events[-1].global_position:
                    progress.position = page.next_position  # also over what was left out behind it
                self._failures = 0
                continue
            moved = page.next_position > progress.position
            progress.position = page.next_position
            yield from progress.save_skipped()
            self._failures = 0
            if not moved and self._may_work():
                yield self.wake.wait(pace.idle())
        yield from progress.save()

    def _failed(self, unreadable: UnreadableEventError, limit: int) -> Steps[None]:
        """Treat it as the handler's failure, once nothing before it is left: events are taken one by one up to there."""
        event = unreadable.event
        if event.global_position != self._unreadable_at:
            self._unreadable_at, self._attempts = event.global_position, 0
        if limit == 1:
            self._attempts += 1
            yield from self._delivery.failed(event, unreadable, self._attempts)

    def _replay_parked(self) -> Steps[None]:
        """Try again what an operator asked for, as often as the worker beats; many by turns with the feed."""
        turn = self._settings.lease_seconds / 4
        if not self._asked:
            if time.monotonic() < self._replays_at:
                return
            self._replays_at = time.monotonic() + turn
            for parked in (yield self._store.parked.list(self._settings.name, asked=True)):
                if self._share is None or self._share.has(parked.stream_id):
                    self._asked.append(parked)
        turn_ends = time.monotonic() + turn
        while self._asked and self._may_work():
            yield from self._replay(self._asked.popleft())
            if time.monotonic() >= turn_ends:
                break

    def _replay(self, parked: ParkedEvent) -> Steps[None]:
        event: StoredEvent | None = None
        error: Exception | None = None
        try:
            page = yield self._store.poll(parked.global_position - 1, limit=1)
            if page.events:
                event = page.events[0]
        except UnreadableEventError as unreadable:
            event, error = unreadable.event, unreadable
        if event is None or event.global_position != parked.global_position:
            # The log has it no longer: there is nothing to try again.
            yield self._store.parked.remove(parked.subscription, parked.global_position)
            return
        if error is None:
            try:
                yield from self._delivery.replay(event)
            except HandlerError as failed:
                error = failed.error
        if error is not None:
            attempts = parked.attempts + 1
            said = f"{type(error).__name__}: {words_of(error)}"
            yield from self._delivery.park(event, attempts, said, self._progress.saved)
            self._delivery.tell(error, event, attempts, NextStep.PARK)
