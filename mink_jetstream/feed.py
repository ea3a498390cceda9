"""The feed: all events in the order of their sequences, which is the order in which JetStream commits them.

A sequence is given when a message is committed, under the leader's lock, and every copy applies them in order.
So what is visible is settled: there is no fence, nobody holds the feed back, and a refused or abandoned
append leaves not even a hole (FEED-01, FEED-03, FEED-07). But a call's events become visible one by one, so where the
feed ends in the middle of a call, it goes on to the end of it (APPEND-01).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mink_core.errors import PositionAheadError, TransientStorageError
from mink_core.feed_status import FeedStatus
from mink_core.matching import predicate_of
from mink_jetstream.leading import HEALING, is_led
from mink_jetstream.messages import NOTHING
from mink_jetstream.patience import Patience, behind
from mink_jetstream.reading import PAGE, Reading

if TYPE_CHECKING:
    from mink_core.encoded import EncodedEvent
    from mink_core.events import StoreIdentity
    from mink_core.filters import EventFilter
    from mink_jetstream.answers import Info
    from mink_jetstream.messages import LoggedEvent
    from mink_jetstream.place import Place

_SCAN = 10_000
"""So many events a poll looks at, at most, whatever its filter leaves out."""
_WIDEST = 16 * PAGE
"""So many sequences at a time are searched backwards for what a filter lets through."""


class Feed:
    """The feed of one store."""

    def __init__(self, place: Place, reading: Reading) -> None:
        """Read at a place."""
        self._place = place
        self._reading = reading

    def subject_of(self, where: EventFilter) -> str:
        """The narrowest subject that has all that a filter lets through; the predicate leaves out the rest."""
        subjects = self._place.subjects
        if len(where.stream_ids) == 1:
            return subjects.of_stream(where.stream_ids[0])
        if len(where.categories) == 1:
            return subjects.of_category(where.categories[0])
        return subjects.every

    def patience(self) -> Patience:
        """As much as a call has that begins now."""
        return Patience(self._place.jetstream.deadline())

    async def mark(self, after: int, identity: StoreIdentity | None, patience: Patience) -> int:
        """The newest sequence, for a reader whose position is from this history.

        Raises:
            PositionAheadError: It is not (FEED-08).
            TransientStorageError: It may be, and the server is behind; or it is behind what this store has appended (READ-06).
        """
        acknowledged, looked = self._reading.acknowledged, False
        while True:
            info = await self._place.info()
            problem = self._ahead(after, identity, info)
            is_behind = info.state.last_seq < acknowledged.newest
            if not is_behind and problem is None:
                return info.state.last_seq
            if is_behind and (await acknowledged.are_void(info) or await patience.pause()):
                continue
            if problem is None:
                msg = f"position {acknowledged.newest}, which this store has appended,"
                raise behind(msg)
            if not self._place.is_alone:
                # A leader that was cut off is behind, and believes in itself for a moment after that: see `HEALING`.
                _check_led(after, info)
                if not looked:
                    looked = True
                    await asyncio.sleep(HEALING)
                    continue
            raise problem

    def _ahead(self, after: int, identity: StoreIdentity | None, info: Info) -> PositionAheadError | None:
        high = info.state.last_seq
        if identity is not None and identity != (present := self._place.identity_of(info)):
            return PositionAheadError(after, high, f"the position is from {identity}, and this store is {present}")
        return PositionAheadError(after, high) if after > high else None

    async def poll(
        self, after: int, limit: int, where: EventFilter, identity: StoreIdentity | None
    ) -> tuple[list[EncodedEvent], int]:
        """The next page, and where to go on."""
        passes, subject = predicate_of(where), self.subject_of(where)
        size = min(PAGE, max(limit, 1)) if passes is None else PAGE
        # Both are under way at once: a page may have events that are newer than the mark, which are left for later.
        begun: list[LoggedEvent] | None
        patience = self.patience()
        end, begun = await asyncio.gather(
            self.mark(after, identity, patience), self._reading.page(subject, after + 1, size)
        )
        found: list[EncodedEvent] = []
        looked, position = 0, after
        last: LoggedEvent | None = None
        while position < end and len(found) < limit and looked < _SCAN:
            if begun is None:
                size = min(PAGE, limit - len(found)) if passes is None else PAGE
            scanned = await self._reading.scan_feed(subject, position, end, size, patience=patience, begun=begun)
            begun = None
            for event in scanned.events:
                if passes is None or passes(event):
                    found.append(event)
                    if len(found) == limit:
                        await self.go_on(end, event)  # the next page must not be empty: that would be an end (FEED-06)
                        return found, event.global_position
            looked, last = looked + len(scanned.events), scanned.last or last
            if scanned.covered == position:  # no server shows the rest in time
                if position == after or (last is not None and last.call_end > position):
                    msg = f"position {end}, which the log has reached,"
                    raise behind(msg)
                break
            position = scanned.covered
            end = await self.go_on(end, scanned.last)
        return found, position

    async def go_on(self, end: int, last: LoggedEvent | None) -> int:
        """Where a reader ends who was to end at `end`, and has read up to an event whose call may go on."""
        return last.call_end if last and last.call_end > end and await self._reading.calls.reached(last) else end

    async def head(self, after: int, identity: StoreIdentity | None) -> int:
        """As `mark`, but never in the middle of a call."""
        return await self._reading.whole(await self.mark(after, identity, self.patience()))

    async def status(self) -> FeedStatus:
        """The feed's end. Nobody ever holds it back."""
        high = await self.head(0, None)
        return FeedStatus(high, high, high, ())


def _check_led(after: int, info: Info) -> None:
    """Refuse to tell who has lost the majority that a reader is ahead."""
    if not is_led(info):
        msg = (
            f"position {after} is not of what a server has that has lost its majority, which goes up to {info.state.last_seq} and "
            "may be behind; nothing was read, and the same call may be made again"
        )
        raise TransientStorageError(msg)


def _check_moved(before: int, after: int, end: int) -> None:
    """Refuse to go on, or to end, where events are missing that a leader has."""
    if after == before:
        msg = f"no server shows the events above position {before} in time, and there are some up to {end}: read again from there"
        raise TransientStorageError(msg)


class FeedPages:
    """`read_all`: pages up to a mark that is taken at the first step, forwards or backwards."""

    def __init__(  # noqa: PLR0913 -- the arguments of `read_all`
        self,
        feed: Feed,
        reading: Reading,
        *,
        after: int,
        limit: int | None,
        where: EventFilter,
        identity: StoreIdentity | None,
        backward: bool,
    ) -> None:
        """Read nothing yet."""
        self._feed = feed
        self._reading = reading
        self._after = after
        self._left = limit
        self._identity = identity
        self._backward = backward
        self._passes = predicate_of(where)
        self._subject = feed.subject_of(where)
        self._end: int | None = None
        self._width = PAGE

    async def begin(self) -> None:
        """Take the mark."""
        if self._end is not None:
            return
        if self._backward:  # it begins with the end; forwards, the last event tells
            self._end = await self._feed.head(self._after, self._identity)
        else:
            self._end = await self._feed.mark(self._after, self._identity, self._feed.patience())

    async def page(self) -> list[EncodedEvent]:
        """The next events; none at the end."""
        await self.begin()
        assert self._end is not None  # noqa: S101 -- set just now
        while self._after < self._end and self._left != 0:
            found = await (self._down() if self._backward else self._up(self._end))
            if self._passes is not None:
                found = [event for event in found if self._passes(event)]
            if self._left is not None:
                found = found[: self._left]
                self._left -= len(found)
            if found:
                return found
        return []

    async def _up(self, end: int) -> list[EncodedEvent]:
        size = PAGE if self._left is None or self._passes is not None else min(PAGE, self._left)
        scanned = await self._reading.scan_feed(self._subject, self._after, end, size, patience=self._feed.patience())
        _check_moved(self._after, scanned.covered, end)
        self._after = scanned.covered
        self._end = await self._feed.go_on(end, scanned.last)
        return [*scanned.events]

    async def _down(self) -> list[EncodedEvent]:
        assert self._end is not None  # noqa: S101 -- as above
        below = max(self._after, self._end - self._width)
        events: list[EncodedEvent] = []
        at = below
        while at < self._end:
            scanned = await self._reading.scan_feed(self._subject, at, self._end, PAGE, patience=self._feed.patience())
            _check_moved(at, scanned.covered, self._end)
            events += scanned.events
            at = scanned.covered
        if len(events) < PAGE // 4:  # little was found: look at more in one go
            self._width = min(2 * self._width, _WIDEST)
        else:
            self._width = PAGE
        self._end = below
        return events[::-1]


class StreamPages:
    """`read_stream`: pages up to the version that the leader has at the first step."""

    def __init__(self, reading: Reading, stream_id: str, *, after: int, limit: int | None, backward: bool) -> None:
        """Read nothing yet."""
        self._reading = reading
        self._stream_id = stream_id
        self._after = after
        self._left = limit
        self._backward = backward
        self._top: int | None = None
        self._tail = NOTHING
        self._sequence = 0
        """Where the next forward page begins, once known."""

    async def page(self) -> list[EncodedEvent]:
        """The next events; none at the end."""
        if self._top is None and self._left != 0:
            self._tail = await self._reading.tail(self._stream_id)
            self._top = self._tail.version
        while self._left != 0 and self._top is not None and self._after < self._top:
            size = PAGE if self._left is None else min(PAGE, self._left)
            found = await (self._down(size, self._top) if self._backward else self._up(size, self._top))
            if self._left is not None:
                self._left -= len(found)
            if found:  # the first versions of a stream that was imported after a purge are not there
                return found
        return []

    async def _down(self, size: int, top: int) -> list[EncodedEvent]:
        self._top = max(self._after, top - size)
        found = await self._reading.versions(self._stream_id, self._top, top, self._tail)
        return found[::-1]

    async def _up(self, size: int, top: int) -> list[EncodedEvent]:
        last = min(self._after + size, top)
        if self._sequence:
            found = await self._reading.onwards(self._stream_id, self._sequence, self._after, last, self._tail)
        else:
            found = await self._reading.versions(self._stream_id, self._after, last, self._tail)
        self._after = last
        if found:
            self._sequence = found[-1].global_position + 1
        return found
