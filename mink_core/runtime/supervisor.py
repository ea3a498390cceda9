"""The worker of a durable subscription: beats, and starts and ends the consumers of its partitions."""

from __future__ import annotations

import os
import secrets
import socket
import time
from typing import TYPE_CHECKING, Any

from mink_core.backoff import Backoff
from mink_core.errors import MinkError, StorageError, StoreClosedError
from mink_core.handling import NextStep, SubscriptionFailure
from mink_core.runtime.consumer import Consumer
from mink_core.runtime.failures import tell

if TYPE_CHECKING:
    from mink_core.runtime.doors import Door
    from mink_core.runtime.settings import SubscriptionSettings
    from mink_core.runtime.steps import Steps
    from mink_core.subscriptions import Holding

_BEATS_A_LEASE = 4
_PATIENCE = 0.8
"""Seconds that an ending worker waits for the storage; a handler that runs is waited for as long as it takes."""


def new_owner() -> str:
    """A worker's name that no other worker has: host, process, and some random digits."""
    return f"{socket.gethostname()[:150]}:{os.getpid()}:{secrets.token_hex(4)}"


class Supervisor:
    """What the sync and the async worker have in common."""

    def __init__(self, store: Any, door: Door, settings: SubscriptionSettings, owner: str) -> None:
        """Hold nothing yet."""
        self.failure: BaseException | None = None
        self.halt = door.signal()
        self._wake = door.signal()
        self._store = store
        self._door = door
        self._settings = settings
        self.owner = owner
        """The worker's name."""
        self._consumers: dict[int, Consumer] = {}
        self._alive_until = 0.0

    def stop(self) -> None:
        """End soon. From any thread."""
        self.halt.set()
        self._wake.set()
        for consumer in list(self._consumers.values()):
            consumer.stop()

    def is_own(self) -> bool:
        """Whether the caller is one of its consumers, which cannot wait for its own end."""
        me = self._door.current()
        return any(consumer.running is me for consumer in list(self._consumers.values()))

    def nudge(self) -> None:
        """There may be new events. From any thread."""
        for consumer in list(self._consumers.values()):
            consumer.wake.set()

    def run(self) -> Steps[None]:
        """Work until halted, or until something must be told.

        Raises:
            HandlerFailedError: A handler failed on an event often enough.
            PositionAheadError: A checkpoint is not from this store's history.
            UsageError: The subscription has another number of partitions.
        """
        attempt = 0
        try:
            while True:
                self._wake.clear()  # before the look: who ends it from here on rings again
                if self._is_ending():
                    break
                try:
                    wait = yield from self._beat()
                    attempt = 0
                except StoreClosedError:
                    break
                except StorageError as error:
                    attempt += 1
                    wait = Backoff(0.1, most=self._settings.lease_seconds / _BEATS_A_LEASE).delay(attempt)
                    tell(
                        SubscriptionFailure(self._settings.name, None, error, None, attempt, NextStep.RECONNECT, wait),
                        self._settings.on_error,
                    )
                yield self._wake.wait(wait)
            yield from self._end()
        except GeneratorExit:
            raise  # nobody is there to take a step any more
        except BaseException:
            for consumer in self._consumers.values():
                self._door.cancel(consumer.running)
            yield from self._end()
            raise
        if self.failure is not None:
            raise self.failure

    def _beat(self) -> Steps[float]:
        """Keep what is held, and take up what changed; gives the seconds until the next beat."""
        began = time.monotonic()
        found = yield self._store.subscriptions.hold(
            self._settings.name,
            self.owner,
            partitions=self._settings.partitions,
            seconds=self._settings.lease_seconds,
        )
        # From before the call: by the storage's clock the time began later.
        self._alive_until = began + self._settings.lease_seconds
        yield from self._assign(found)
        return self._until_next_beat(found)

    def _is_ending(self) -> bool:
        return self.halt.is_set() or self.failure is not None

    def _is_alive(self) -> bool:
        return time.monotonic() < self._alive_until

    def _until_next_beat(self, found: Holding) -> float:
        wait = self._settings.lease_seconds / _BEATS_A_LEASE
        if found.next_expiry is not None:
            # Right after a dead worker's time has run out: what it held is taken within the lease time.
            wait = min(wait, max(found.next_expiry, 0) + 0.001)
        return wait

    def _assign(self, found: Holding) -> Steps[None]:
        """Start what is new, end what is lost, hand back what others should have."""
        held = {lease.partition: lease for lease in found.leases}
        for partition, consumer in list(self._consumers.items()):
            if self._door.is_done(consumer.running):
                del self._consumers[partition]
            elif held.get(partition) != consumer.lease or partition in found.surplus or found.paused:
                consumer.stop()  # and its end brings the next beat
        for partition, lease in held.items():
            if partition in self._consumers:
                continue
            if partition in found.surplus:
                yield self._store.subscriptions.release(lease)
            elif not found.paused and not self._is_ending():
                self._start(Consumer(self._store, self._door, self._settings, lease, self._is_alive))

    def _start(self, consumer: Consumer) -> None:
        def steps() -> Steps[None]:
            # Before the handler can ask whether it is its own worker's: `spawn` may return later.
            consumer.running = self._door.current()
            try:
                yield from consumer.run()
            finally:
                if consumer.failure is not None and self.failure is None:
                    self.failure = consumer.failure
                self._wake.set()

        partition = consumer.lease.partition
        self._consumers[partition] = consumer
        try:
            consumer.running = self._door.spawn(f"mink subscription {self._settings.name} {partition}", steps())
        except BaseException:  # there is no thread to be had
            del self._consumers[partition]
            raise

    def _end(self) -> Steps[None]:
        """Let consumers finish what they do, then leave."""
        for consumer in self._consumers.values():
            consumer.stop()
        patient_until = time.monotonic() + _PATIENCE
        while running := [item for item in self._consumers.values() if not self._door.is_done(item.running)]:
            if time.monotonic() > patient_until and not any(item.in_handler for item in running):
                break
            yield self._door.join([item.running for item in running], 0.05)
        try:
            left = self._door.spawn("mink subscription leaves", self._leave())
        except RuntimeError:  # there is no thread to be had
            yield from self._leave()
            return
        yield self._door.join([left], _PATIENCE / 2)
        self._door.cancel(left)

    def _leave(self) -> Steps[None]:
        try:
            yield self._store.subscriptions.leave(self._settings.name, self.owner)
        except MinkError:
            return  # its time runs out by itself
