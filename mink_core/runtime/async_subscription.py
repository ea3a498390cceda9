"""`PollingSubscription` for asyncio."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from mink_core.errors import StoreClosedError
from mink_core.runtime.checks import check_subscribe
from mink_core.runtime.pace import Pace
from mink_core.runtime.task_waiting import wait_until_set

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from mink_core.event_store import AsyncEventLog
    from mink_core.events import StoredEvent, StoreIdentity
    from mink_core.filters import EventFilter


class AsyncPollingSubscription:
    """See `mink_core.AsyncSubscription`; a position moves on only when its batch is handed out."""

    def __init__(  # noqa: PLR0913 -- the arguments of `subscribe`
        self,
        log: AsyncEventLog,
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
        self._wake = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def position(self) -> int:
        """Where to go on after the batches taken so far."""
        return self._position

    def __aiter__(self) -> Self:
        """The subscription itself."""
        return self

    async def __anext__(self) -> Sequence[StoredEvent]:
        """Poll until there is a batch, or the subscription is closed."""
        self._loop = asyncio.get_running_loop()
        while not self._closed:
            self._wake.clear()  # before the poll: a hint that comes while it runs is not lost
            try:
                page = await self._log.poll(
                    self._position, limit=self._batch_size, where=self._where, identity=self._identity
                )
            except StoreClosedError:
                await self.close()
                break
            # No await between taking the page and returning it: a cancelled step loses no batch. Nor is anything called
            # once the position has moved, for Ctrl-C that is no cancellation: see `PollingSubscription`.
            if page.events:
                self._pace.busy()
                events, self._position = page.events, page.next_position
                return events
            moved = page.next_position > self._position
            self._position = page.next_position
            if not moved and not self._closed:
                await wait_until_set(self._wake, self._pace.idle())
        raise StopAsyncIteration

    async def close(self) -> None:
        """End the iteration promptly. Idempotent, from any task."""
        self.stop()

    def stop(self) -> None:
        """What `close` does, from any thread: for a store that closes its subscriptions."""
        self._closed = True
        self.nudge()

    def nudge(self) -> None:
        """Look for new events at once, instead of after the poll interval. From any thread."""
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has ended, and with it whoever waited
                self._loop.call_soon_threadsafe(self._wake.set)

    async def __aenter__(self) -> Self:
        """The subscription itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.stop()
