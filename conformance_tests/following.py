"""Follows a subscription in a thread of its own, so that a check can look at what it was given."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from conformance_tests.expect import equal, true
from conformance_tests.patience import soon, wait_until

if TYPE_CHECKING:
    from collections.abc import Generator

    from mink_core import StoredEvent, Subscription

QUICK = 0.01
"""Seconds between polls, where a check does not wait on purpose."""


class Follower:
    """Takes batches from a subscription in a thread of its own, until it ends or is closed."""

    def __init__(self, subscription: Subscription, pause: float = 0.0) -> None:
        """Begin at once; with a pause after each batch, a slow consumer."""
        self.subscription = subscription
        self.batches: list[list[StoredEvent]] = []
        self.error: BaseException | None = None
        self._pause = pause
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        try:
            for batch in self.subscription:
                self.batches.append(list(batch))
                time.sleep(self._pause)
        except BaseException as error:  # noqa: BLE001 -- looked at by the check
            self.error = error

    @property
    def events(self) -> list[StoredEvent]:
        """What was given so far."""
        return [event for batch in list(self.batches) for event in batch]

    def wait_for(self, number: int) -> None:
        """Wait until so many events were given."""
        wait_until(
            lambda: len(self.events) >= number or self.error is not None, f"{number} events", lambda: len(self.events)
        )

    def ended(self, within: float) -> bool:
        """Whether the iteration ends within so many seconds."""
        self._thread.join(within)
        return not self._thread.is_alive()


@contextmanager
def following(subscription: Subscription, pause: float = 0.0) -> Generator[Follower]:
    """A follower, that is ended at the block's end."""
    follower = Follower(subscription, pause)
    with _ended_after(follower):
        yield follower


@contextmanager
def following_until(follower: Follower, number: int) -> Generator[None]:
    """Wait for so many events, and end the follower at the block's end."""
    with _ended_after(follower):
        follower.wait_for(number)
        time.sleep(5 * QUICK)  # for what would come too much
        yield


@contextmanager
def _ended_after(follower: Follower) -> Generator[None]:
    try:
        yield
    finally:
        follower.subscription.close()
        ended = follower.ended(soon())
    true(ended, "the end of a subscription that was closed", expected="an end", seen="it goes on")
    equal(follower.error, None, "what the subscription raised")
