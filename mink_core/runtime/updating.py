"""Read, decide, append, and do it again after a conflict, on any store."""

from __future__ import annotations

import inspect
from collections.abc import Coroutine, Iterable
from typing import TYPE_CHECKING

from mink_core.errors import ConcurrencyError, UsageError
from mink_core.expected import ExpectedVersion
from mink_core.limits import check_count

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from mink_core.event_store import AsyncEventLog, EventLog
    from mink_core.events import AppendResult, NewEvent, StoredEvent, StreamInfo
    from mink_core.expected import Expected


class _Rounds:
    """What the next append of an update expects, and for how many conflicts more it is tried."""

    def __init__(self, log: object, retries: object) -> None:
        """So many conflicts are followed by another round."""
        self._left = check_count(retries, "retries")
        self._reads_the_newest = getattr(log, "reads_the_newest", False)
        self._purged_to = 0

    def expected(self, events: list[StoredEvent]) -> Expected:
        """What to expect of a stream that reads like this."""
        return max(_version_of(events), self._purged_to) or ExpectedVersion.NO_STREAM

    def may_be_purged(self, events: list[StoredEvent], conflict: ConcurrencyError) -> bool:
        """Whether what was read ends before the actual version, and not for being read from somebody who is behind."""
        return self._reads_the_newest and _version_of(events) < conflict.actual

    def were_purged(self, conflict: ConcurrencyError, info: StreamInfo) -> bool:
        """Whether nobody was first: what was read is all there is up to the stream's version."""
        if info.version != conflict.actual:  # somebody has appended since
            return False
        self._purged_to = info.version
        return True

    def may_go_on(self, conflict: ConcurrencyError) -> bool:
        """Count a conflict."""
        self._purged_to = min(self._purged_to, conflict.actual)  # the stream was soft-deleted meanwhile
        self._left -= 1
        return self._left >= 0


def _version_of(events: list[StoredEvent]) -> int:
    return events[-1].version if events else 0


def _decided(events: object) -> list[NewEvent]:
    """What a decision came to, once it is known to be events.

    Raises:
        UsageError: It is none, or still to be awaited.
    """
    if isinstance(events, Iterable):
        return list(events)
    if isinstance(events, Coroutine):
        events.close()  # else Python warns of it as well
    msg = f"what decides an update must return the events to append, [] for none, not {type(events).__name__}; nothing was stored"
    raise UsageError(msg)


class Updating:
    """Gives an adapter's store the `update` of `EventStore`, from its `read_stream` and `append`.

    A store with `reads_the_newest = True` gives by `read_stream` all that was appended before, by whomever: what it lacks was
    purged. Of others it counts as not there yet.
    """

    def update(
        self: EventLog,
        stream_id: str,
        decide: Callable[[list[StoredEvent]], Iterable[NewEvent]],
        *,
        retries: int = 5,
    ) -> AppendResult | None:
        """See `EventStore.update`."""
        rounds = _Rounds(self, retries)
        events = list(self.read_stream(stream_id))
        while True:
            expected = rounds.expected(events)  # the list is the decision's own from here on
            new = _decided(decide(events))
            if not new:
                return None
            try:
                return self.append(stream_id, new, expected_version=expected)
            except ConcurrencyError as conflict:
                events = list(self.read_stream(stream_id))
                may_be_purged = rounds.may_be_purged(events, conflict)
                purged = may_be_purged and rounds.were_purged(conflict, self.stream_info(stream_id))
                if not purged and not rounds.may_go_on(conflict):
                    raise


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
        rounds = _Rounds(self, retries)
        events = [event async for event in self.read_stream(stream_id)]
        while True:
            expected = rounds.expected(events)  # as above
            decided = decide(events)
            new = _decided(await decided if inspect.isawaitable(decided) else decided)
            if not new:
                return None
            try:
                return await self.append(stream_id, new, expected_version=expected)
            except ConcurrencyError as conflict:
                events = [event async for event in self.read_stream(stream_id)]
                may_be_purged = rounds.may_be_purged(events, conflict)
                purged = may_be_purged and rounds.were_purged(conflict, await self.stream_info(stream_id))
                if not purged and not rounds.may_go_on(conflict):
                    raise
