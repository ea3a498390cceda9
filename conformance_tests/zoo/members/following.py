"""Subscriptions that lose, repeat, hoard or do not end."""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import suppress
from typing import Any

from conformance_tests.zoo.member import breaks
from conformance_tests.zoo.wrapped import Wrapped, subscribing
from mink_core import Capability
from mink_core.adapter import EVERYTHING, PollingSubscription

SUBSCRIBE = [Capability.SUBSCRIBE]


class Following(PollingSubscription):
    """A subscription whose batches a member changes."""

    def __init__(self, store: Any, arguments: dict[str, Any]) -> None:
        given = subscribing(arguments)
        super().__init__(store, **given)
        self.store = store
        self.interval: float = given["poll_interval"]
        self.live = False

    def __next__(self) -> Any:
        while True:
            batch = self.changed(list(super().__next__()))
            if batch:
                return batch

    def changed(self, batch: list[Any]) -> list[Any]:
        return batch


class Followed(Wrapped):
    """Has subscriptions of its own kind."""

    kind: type[Following]

    def subscribe(self, **arguments: Any) -> Any:
        self.store.subscribe(**arguments).close()
        subscription = self.kind(self.store, arguments)
        self.note(subscription)
        return subscription


class _LosesAtHandOver(Following):
    def __init__(self, store: Any, arguments: dict[str, Any]) -> None:
        super().__init__(store, arguments)
        self.goal = store.head_position()

    def changed(self, batch: list[Any]) -> list[Any]:
        if self.live or batch[-1].global_position <= self.goal:
            return batch
        self.live = True  # the live listener starts now: what came in between was seen by neither
        return [event for event in batch if event.global_position <= self.goal]


@breaks("SUB-01", needs=SUBSCRIBE)
class HandOverLoses(Followed):
    """Catches up to the head it saw at first, then listens: what came in between is lost."""

    kind = _LosesAtHandOver


class _RepeatsAtHandOver(Following):
    def __init__(self, store: Any, arguments: dict[str, Any]) -> None:
        super().__init__(store, arguments)
        self.goal = store.head_position()
        self.last: list[Any] = []

    def changed(self, batch: list[Any]) -> list[Any]:
        before, self.last = self.last, batch[-1:]
        if self.live or batch[-1].global_position <= self.goal:
            return batch
        self.live = True
        return [*before, *batch]


@breaks("SUB-01", needs=SUBSCRIBE)
class HandOverRepeats(Followed):
    """Goes live with an overlap: the last event of catch-up comes twice."""

    kind = _RepeatsAtHandOver


class _SplitsByStream(Following):
    def changed(self, batch: list[Any]) -> list[Any]:
        return sorted(batch, key=lambda event: event.stream_id)


@breaks("SUB-01", needs=SUBSCRIBE)
class GroupsByStream(Followed):
    """Gives each batch stream by stream."""

    kind = _SplitsByStream


class _Notified(Following):
    def __init__(self, store: Any, arguments: dict[str, Any], woken: threading.Event) -> None:
        super().__init__(store, arguments)
        self.woken = woken

    def __next__(self) -> Any:
        while not self._closed:
            page = self._log.poll(self._position, limit=self._batch_size, where=self._where, identity=self._identity)
            self._position = page.next_position
            if page.events:
                return page.events
            while not self._closed and not self.woken.wait(0.01):
                pass  # waits to be woken, and never looks by itself
            self.woken.clear()
        raise StopIteration


@breaks("SUB-02", needs=SUBSCRIBE)
class WaitsToBeWoken(Wrapped):
    """Looks for events only when told of an append, and an append of another handle tells nobody."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        result = self.store.append(stream_id, events, expected_version=expected_version)
        self.woken.set()
        return result

    @property
    def woken(self) -> threading.Event:
        woken: threading.Event = self.__dict__.setdefault("_woken", threading.Event())
        return woken

    def subscribe(self, **arguments: Any) -> Any:
        self.store.subscribe(**arguments).close()
        subscription = _Notified(self.store, arguments, self.woken)
        self.note(subscription)
        return subscription


class _ClosesLate(Following):
    def close(self) -> None:
        late = threading.Timer(5, super().close)
        late.daemon = True
        late.start()


@breaks("SUB-04", needs=SUBSCRIBE)
class ClosesLate(Followed):
    """Closing a subscription does not wake the thread that iterates it."""

    kind = _ClosesLate


class _Steady(Following):
    def __next__(self) -> Any:
        while not self._closed:
            page = self._log.poll(self._position, limit=self._batch_size, where=self._where, identity=self._identity)
            self._position = page.next_position
            if page.events:
                return page.events
            self._wake.wait(self.interval)
        raise StopIteration


@breaks("SUB-04", needs=SUBSCRIBE)
class OutlivesItsStore(Followed):
    """Closing the store leaves its subscriptions waiting for their next poll."""

    kind = _Steady

    def note(self, subscription: Any) -> None:
        """Forget it."""


class _Hoards(Following):
    """Reads ahead in a thread, into a queue that drops the oldest when it is full."""

    def __init__(self, store: Any, arguments: dict[str, Any]) -> None:
        super().__init__(store, arguments)
        self.queue: deque[list[Any]] = deque(maxlen=4)
        self.thread: threading.Thread | None = None

    def _read(self) -> None:
        with suppress(StopIteration):
            while True:
                self.queue.append(super().__next__())

    def __next__(self) -> Any:
        if self.thread is None:
            self.thread = threading.Thread(target=self._read, daemon=True)
            self.thread.start()
        while not self._closed:
            if self.queue:
                return self.queue.popleft()
            time.sleep(0.001)
        raise StopIteration


@breaks("SUB-05", "SUB-01", needs=SUBSCRIBE)
class DropsForSlowConsumers(Followed):
    """Reads ahead into a short queue that drops the oldest batch when the consumer is slow."""

    kind = _Hoards


class _HoardsWithoutEnd(_Hoards):
    def __init__(self, store: Any, arguments: dict[str, Any]) -> None:
        super().__init__(store, arguments)
        self.queue = deque()


@breaks("SUB-05", needs=SUBSCRIBE)
class ReadsAhead(Followed):
    """Reads ahead of a slow consumer without a bound."""

    kind = _HoardsWithoutEnd


@breaks("SUB-01", needs=SUBSCRIBE)
class BatchesTooLarge(Followed):
    """Gives a batch whatever size the page had."""

    def subscribe(self, **arguments: Any) -> Any:
        self.store.subscribe(**arguments).close()
        subscription = Following(self.store, {**arguments, "batch_size": 100})
        self.note(subscription)
        return subscription


@breaks("SUB-01", "READ-05", needs=[Capability.SUBSCRIBE])
class FollowsEverything(Wrapped):
    """A subscription ignores its filter."""

    def subscribe(self, **arguments: Any) -> Any:
        return super().subscribe(**{**arguments, "where": EVERYTHING}) if self._checked(arguments) else None

    def _checked(self, arguments: dict[str, Any]) -> bool:
        self.store.subscribe(**arguments).close()
        return True


@breaks("SUB-01", "READ-02", needs=[Capability.SUBSCRIBE])
class FollowsFromTheStart(Wrapped):
    """A subscription begins at the beginning, whatever `after_position` says."""

    def subscribe(self, **arguments: Any) -> Any:
        self.store.subscribe(**arguments).close()
        return super().subscribe(**{**arguments, "after_position": 0})


class _StandsStill(PollingSubscription):
    began = 0

    @property
    def position(self) -> int:
        return self.began


@breaks("SUB-01", needs=[Capability.SUBSCRIBE])
class PositionStandsStill(Wrapped):
    """A subscription's `position` stays where it began."""

    def subscribe(self, **arguments: Any) -> Any:
        self.store.subscribe(**arguments).close()
        log: Any = self
        given = subscribing(arguments)
        subscription = _StandsStill(log, **given)
        subscription.began = given["after_position"]
        self.note(subscription)
        return subscription
