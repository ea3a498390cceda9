"""A subscription that is taken by a thread of its own, until it has given all or nothing for a while."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from conformance_tests.expect import fail
from conformance_tests.interleavings.holding import Started
from conformance_tests.patience import soon
from mink_core import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mink_core import StoredEvent, Subscription

_PATIENCE = 3.0
"""Seconds without an event after which nothing more is expected."""
_ENDS = 5.0
_GLANCE = 0.005


class Following:
    """Collects what a subscription gives."""

    def __init__(
        self, subscription: Subscription, *, retry: bool = False, between: Callable[[int], object] | None = None
    ) -> None:
        """Begin.

        Args:
            subscription: It is closed at the end.
            retry: Go on after a `StorageError`, which the next step is to make good.
            between: Called before each batch with the number of events so far.
        """
        self.given: list[StoredEvent] = []
        self._subscription = subscription
        self._retry = retry
        self._between = between
        self._thread = Started(self._follow)

    def _follow(self) -> None:
        while True:
            if self._between is not None:
                self._between(len(self.given))
            try:
                batch = next(self._subscription, None)
            except StorageError:
                if not self._retry:
                    raise
                continue
            if batch is None:
                return
            self.given.extend(batch)

    def wait_for(self, total: int) -> None:
        """Wait until it has been given so many events, or nothing for a while."""
        size, since = len(self.given), time.monotonic()
        while (
            len(self.given) < total and not self._thread.ended() and time.monotonic() - since < min(_PATIENCE, soon())
        ):
            time.sleep(_GLANCE)
            if len(self.given) > size:
                size, since = len(self.given), time.monotonic()

    def finish(self, total: int) -> list[StoredEvent]:
        """Close it, once it has been given so many events, or nothing for a while; gives all of them."""
        self.wait_for(total)
        self._subscription.close()
        if not self._thread.ended(_ENDS):
            fail("SUB-04: a closed subscription ends", expected=f"within {_ENDS:g} s", seen="it still waits")
        self._thread.result()
        return self.given
