"""Read, decide, append, and do it again after a conflict, on any store."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from mink_core.errors import ConcurrencyError
from mink_core.expected import ExpectedVersion
from mink_core.limits import check_count

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from mink_core.event_store import AsyncEventLog, EventLog
    from mink_core.events import AppendResult, NewEvent, StoredEvent
    from mink_core.expected import Expected


def _version_of(events: list[StoredEvent]) -> Expected:
    return events[-1].version if events else ExpectedVersion.NO_STREAM


class Updating:
    """Gives an adapter's store the `update` of `EventStore`, from its `read_stream` and `append`."""

    def update(
        self: EventLog,
        stream_id: str,
        decide: Callable[[list[StoredEvent]], Iterable[NewEvent]],
        *,
        retries: int = 5,
    ) -> AppendResult | None:
        """See `EventStore.update`."""
        for left in range(check_count(retries, "retries"), -1, -1):
            events = list(self.read_stream(stream_id))
            new = list(decide(events))
            if not new:
                return None
            try:
                return self.append(stream_id, new, expected_version=_version_of(events))
            except ConcurrencyError:
                if not left:
                    raise
        raise AssertionError  # pragma: no cover -- the last round returns or raises


class AsyncUpdating:
    """`Updating` for asyncio."""

    async def update(
        self: AsyncEventLog,
        stream_id: str,
        decide: Callable[[list[StoredEvent]], Iterable[NewEvent] | Awaitable[Sequence[NewEvent]]],
        *,
        retries: int = 5,
    ) -> AppendResult | None:
        """See `AsyncEventStore.update`."""
        for left in range(check_count(retries, "retries"), -1, -1):
            events = [event async for event in self.read_stream(stream_id)]
            decided = decide(events)
            new = list(await decided if inspect.isawaitable(decided) else decided)
            if not new:
                return None
            try:
                return await self.append(stream_id, new, expected_version=_version_of(events))
            except ConcurrencyError:
                if not left:
                    raise
        raise AssertionError  # pragma: no cover -- the last round returns or raises
