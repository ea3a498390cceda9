"""Subscriptions that lose, repeat, hoard or do not end."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from tests.histories.twins.base import Wrapped

if TYPE_CHECKING:
    from collections.abc import Callable


class LostAtHandOver(Wrapped):
    """SUB-01: what is appended between the end of the catch-up and going live is lost."""

    def subscribe(self, *, after_position: int = 0, **options: Any) -> Any:
        return HandOver(self.inner, after_position, options, lambda subscription: self.inner.head_position())


class RepeatedAtHandOver(Wrapped):
    """SUB-01: going live begins with the last event of the catch-up."""

    def subscribe(self, *, after_position: int = 0, **options: Any) -> Any:
        return HandOver(self.inner, after_position, options, lambda subscription: max(subscription.position - 1, 0))


class HandOver:
    """Catches up by polling, then goes live from where it is told to."""

    def __init__(self, store: Any, after: int, options: Any, live_from: Callable[[Any], int]) -> None:
        self.store, self.options, self.live_from = store, options, live_from
        self.catching_up = store.subscribe(after_position=after, **options)
        self.live: Any = None
        self.closed = False

    @property
    def position(self) -> int:
        return int((self.live or self.catching_up).position)

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        if self.live is None:
            where, limit = self.options["where"], self.options["batch_size"]
            page = self.store.poll(self.catching_up.position, limit=limit, where=where)
            self.catching_up._position = page.next_position
            if page.events:
                return page.events
            time.sleep(0.0002)
            self.live = self.store.subscribe(after_position=self.live_from(self.catching_up), **self.options)
            if self.closed:
                self.live.close()
        return next(self.live)

    def close(self) -> None:
        self.closed = True
        for subscription in (self.catching_up, self.live):
            if subscription is not None:
                subscription.close()


class LossyLive(Wrapped):
    """SUB-05: a consumer that is slow loses what its short queue cannot hold."""

    def subscribe(self, **options: Any) -> Any:
        return Lossy(self.inner.subscribe(**options))


class Lossy:
    def __init__(self, inner: Any, size: int | None = 3) -> None:
        self.inner = inner
        self.queue: deque[Any] = deque(maxlen=size)
        self.ended = False
        threading.Thread(target=self._fill, daemon=True).start()

    @property
    def position(self) -> int:
        return int(self.inner.position)

    def _fill(self) -> None:
        for batch in self.inner:
            self.queue.append(batch)
        self.ended = True

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        while not self.queue:
            if self.ended:
                raise StopIteration
            time.sleep(0.002)
        return self.queue.popleft()

    def close(self) -> None:
        self.inner.close()


class SleepsOn(Wrapped):
    """SUB-04: a closed subscription sleeps its poll interval to the end."""

    def subscribe(self, *, after_position: int = 0, poll_interval: float = 0.1, **options: Any) -> Any:
        return Sleeper(self.inner, after_position, poll_interval)


class Sleeper:
    def __init__(self, store: Any, position: int, interval: float) -> None:
        self.store, self.position, self.interval = store, position, interval
        self.closed = False

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        while not self.closed:
            page = self.store.poll(self.position)
            if page.events:
                self.position = page.next_position
                return page.events
            time.sleep(min(self.interval, 8))
        raise StopIteration

    def close(self) -> None:
        self.closed = True


class GreedySubscription(Wrapped):
    """SUB-05: a subscription fetches all there is, whether its consumer takes it or not."""

    def subscribe(self, **options: Any) -> Any:
        return Lossy(self.inner.subscribe(**options), None)
