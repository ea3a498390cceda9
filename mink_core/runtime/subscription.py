"""A subscription over any adapter's `poll`: catch-up and live are the same loop.

Since `poll` never shows an event before everything below it is settled, there is no hand-over
between catch-up and live in which an event could be lost, repeated or reordered (SUB-01).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from mink_core.errors import StoreClosedError
from mink_core.runtime.bell import Bell
from mink_core.runtime.checks import check_subscribe
from mink_core.runtime.pace import Pace

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from mink_core.event_store import EventLog
    from mink_core.events import StoredEvent, StoreIdentity
    from mink_core.filters import EventFilter


class PollingSubscription:
    """See `mink_core.Subscription`. One batch is held at a time: a slow consumer slows the polling (SUB-05)."""

    def __init__(  # noqa: PLR0913 -- the arguments of `subscribe`
        self,
        log: EventLog,
        *,
        after_position: int,
        where: EventFilter,
        batch_size: int,
        poll_interval: float,
        identity: StoreIdentity | None,
    ) -> None:
        """Check the arguments; nothing is read before the first step.

        Raises:
            UsageError: An argument is wrong.
        """
        check_subscribe(after_position, where, batch_size, poll_interval, identity)
        self._log = log
        self._position = after_position
        self._where = where
        self._batch_size = batch_size
        self._pace = Pace(poll_interval)
        self._identity = identity
        self._closed = False
        self._wake = Bell()

    @property
    def position(self) -> int:
        """Where to go on after the batches taken so far."""
        return self._position

    def __iter__(self) -> Self:
        """The subscription itself."""
        return self

    def __next__(self) -> Sequence[StoredEvent]:
        """Poll until there is a batch, or the subscription is closed."""
        while not self._closed:
            self._wake.clear()  # before the poll: a hint that comes while it runs is not lost
            try:
                page = self._log.poll(
                    self._position, limit=self._batch_size, where=self._where, identity=self._identity
                )
            except StoreClosedError:
                self.close()
                break
            if page.events:
                self._pace.busy()
                # Nothing is called from here on: Ctrl-C comes before the position moves, or once the caller has the batch.
                events, self._position = page.events, page.next_position
                return events
            moved = page.next_position > self._position
            self._position = page.next_position
            # A filtered page may be empty and yet have moved on: the rest is still catch-up.
            if not moved and not self._closed:
                self._wake.wait(self._pace.idle())
        raise StopIteration

    def close(self) -> None:
        """End the iteration promptly. Idempotent, from any thread."""
        self._closed = True
        self._wake.set()

    def nudge(self) -> None:
        """Look for new events at once, instead of after the poll interval. From any thread."""
        self._wake.set()

    def stop(self) -> None:
        """What `close` does: for a store that ends its subscriptions."""
        self.close()

    def __enter__(self) -> Self:
        """The subscription itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()
