"""Reading the log: from any copy where that is safe, from the leader where it has to be the newest.

Every copy has a prefix of the log, in the order of its sequences. A direct get is answered by any copy, so
what it gives is right and in order, and only its end may be missing. Whoever reads to an end gets that
end from the leader: the stream's newest event, or the newest sequence. A page that stops before it is
followed up at the leader. An end in the middle of a call is none: see `Calls`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

from mink_jetstream.acknowledged import Acknowledged
from mink_jetstream.calls import Calls
from mink_jetstream.messages import NOTHING, LoggedEvent, Stored, StreamTail, event_of, stored_event, tail_of
from mink_jetstream.patience import Patience, behind

if TYPE_CHECKING:
    from datetime import datetime

    from mink_core.encoded import EncodedEvent
    from mink_jetstream.answers import Info
    from mink_jetstream.place import Place

PAGE = 500
"""Events of a page."""
_PAGE_BYTES = 4 * 1024 * 1024
"""Bytes from which a page is full, too: the server sends a page without waiting for the reader."""


class Scanned(NamedTuple):
    """What a scan has found."""

    events: list[LoggedEvent]
    covered: int
    """All that matches up to this sequence is in it."""

    @property
    def last(self) -> LoggedEvent | None:
        """The last event, if any."""
        return self.events[-1] if self.events else None


class Reading:
    """The reads that everything else is made of."""

    def __init__(self, place: Place) -> None:
        """Read at a place."""
        self._place = place
        self._jetstream = place.jetstream
        self.acknowledged = Acknowledged(place)
        self.calls = Calls(place)

    async def _leader(self, wanted: dict[str, Any]) -> Stored | None:
        place = self._place
        return await place.ask(self._jetstream.get(place.stream, wanted))

    async def newest(self, stream_id: str) -> LoggedEvent | None:
        """A stream's newest event, from the leader; not from one that does not know what this store has appended.

        It is the last one of its call in the stream, and the whole call is there (APPEND-01).

        Raises:
            TransientStorageError: Nobody else answers in time.
        """
        wanted = {"last_by_subj": self._place.subjects.of_stream(stream_id)}
        patience: Patience | None = None
        storing: Patience | None = None
        storing_to = 0
        while True:
            found = await self._leader(wanted)
            if (0 if found is None else found.seq) >= self.acknowledged.of(stream_id):
                event = None if found is None else stored_event(self._place.subjects, found)
                if event is None or not event.call_rest or self.calls.is_cut(event):
                    return event
                if not event.stream_rest:  # only other streams of the call may be missing
                    if not self.calls.is_there(event):
                        await self.calls.reached(event)
                    return event
                # In the middle, whatever else is known: that is another server's word.
                if storing is None or event.call_end != storing_to:  # each call has its own time
                    storing, storing_to = self.calls.patience(), event.call_end
                if not await storing.pause():
                    self.calls.give_up(event, await self._place.info())
                continue
            if await self.acknowledged.are_void(await self._place.info()):
                continue
            patience = patience or Patience(self._jetstream.deadline())
            if not await patience.pause():
                msg = f"what this store has appended to {stream_id!r}"
                raise behind(msg)

    async def tail(self, stream_id: str) -> StreamTail:
        """What an append needs of a stream's newest event, from the leader."""
        event = await self.newest(stream_id)
        return NOTHING if event is None else tail_of(event)

    async def ends(self, stream_id: str) -> tuple[EncodedEvent, EncodedEvent] | None:
        """A stream's first and newest event; None where there is no such stream."""
        newest, oldest = await asyncio.gather(self.newest(stream_id), self.oldest(stream_id))
        if newest is None:
            return None
        if oldest is None:  # who was asked for it is behind
            (oldest,) = await self.scan(self._place.subjects.of_stream(stream_id), 0, newest.global_position, 1)
        return oldest, newest

    async def whole(self, end: int) -> int:
        """The sequence with which the call ends that the event at `end` is of, once it is there."""
        patience: Patience | None = None
        while end:
            event = await self._next(self._place.subjects.every, end)
            if event is not None:
                is_within = event.global_position == end and event.call_rest > 0
                return event.call_end if is_within and await self.calls.reached(event) else end
            if self._place.is_alone:  # it was removed past the store
                break
            patience = patience or self.calls.patience()
            if not await self._may_ask_again(patience):
                break  # whoever has it has had the time to store the rest
        return end

    async def oldest(self, stream_id: str) -> EncodedEvent | None:
        """A stream's first event, from the leader."""
        return await self._next(self._place.subjects.of_stream(stream_id), 1)

    async def _next(self, subject: str, sequence: int) -> LoggedEvent | None:
        found = await self._leader({"seq": sequence, "next_by_subj": subject})
        return None if found is None else stored_event(self._place.subjects, found)

    async def info(self) -> Info:
        """The leader's newest sequence, and who the store is."""
        return await self._place.info()

    async def page(self, subject: str, sequence: int, size: int) -> list[LoggedEvent]:
        """Events from a sequence on, from any copy: fewer than `size` says nothing of what there is."""
        wanted: dict[str, Any] = {"seq": max(sequence, 1), "batch": size, "max_bytes": _PAGE_BYTES}
        if subject != self._place.subjects.every:
            wanted["next_by_subj"] = subject
        messages = await self._place.page(wanted)
        subjects = self._place.subjects
        return [event_of(subjects, message) for message in messages]

    async def scan(self, subject: str, after: int, end: int, size: int) -> list[EncodedEvent]:
        """Events of a subject above `after` up to its newest sequence `end`: `size` of them, or all.

        Raises:
            TransientStorageError: Nobody shows them in time.
        """
        events: list[EncodedEvent] = []
        patience: Patience | None = None
        while after < end and len(events) < size:
            found = await self.page(subject, after + 1, size - len(events))
            if not found:
                following = await self._next(subject, after + 1)  # the copy was behind
                found = [following] if following else []
            if not found:  # so is who takes itself for the leader: there is an event at `end`
                patience = patience or Patience(self._jetstream.deadline())
                if not await self._may_ask_again(patience):
                    msg = f"the stream's event at position {end}"
                    raise behind(msg)
                continue
            events += [event for event in found if event.global_position <= end]
            after = found[-1].global_position
        return events

    async def _may_ask_again(self, patience: Patience) -> bool:
        """Wait after a leader has shown less than there is. Its connection is left if it has lost its majority."""
        await self._place.info()
        return await patience.pause()

    async def scan_feed(  # noqa: PLR0913 -- what to read, and how it may be read
        self,
        subject: str,
        after: int,
        end: int,
        size: int,
        *,
        patience: Patience,
        begun: list[LoggedEvent] | None = None,
    ) -> Scanned:
        """Events of the feed above `after` up to the sequence `end`, which a leader has: `size` of them, or all.

        Fewer only where no server shows the rest before the patience is over.

        A reader goes on at `covered` and never comes back, so that it is reached must be proved. By a message at or
        above it: whatever copy gave it had all below. Or by the only copy, asked after `end` was known. A
        leader's word that no more matches is no proof: it may come from another server than `end` did, and that
        one may be behind. So where there are several copies, the end is read without the filter.

        Args:
            subject: A filter. Events may be given that it does not let through.
            after: Exclusive.
            end: Inclusive.
            size: At least 1.
            patience: How long to ask.
            begun: The first page, where it was asked for already. It may be from before `end` was known: that it stops
                earlier says nothing.
        """
        events: list[LoggedEvent] = []
        while after < end and len(events) < size:  # never ask for none: a page of none has no end
            early, begun = begun, None
            found = await self.page(subject, after + 1, size - len(events)) if early is None else early
            events += [event for event in found if event.global_position <= end]
            if found and found[-1].global_position >= end:
                return Scanned(events, end)
            if found:
                after = found[-1].global_position
            if early is not None or (found and subject == self._place.subjects.every):
                continue
            if self._place.is_alone:
                if not found:
                    return Scanned(events, end)
            elif subject != self._place.subjects.every:
                subject = self._place.subjects.every
            else:
                following = await self._next(subject, after + 1)
                if following is None:
                    if not await self._may_ask_again(patience):
                        break
                    continue
                events += [following] if following.global_position <= end else []
                after = following.global_position
        return Scanned(events, min(after, end))

    async def since(self, time: datetime, last: int) -> int:
        """How many sequences there are from a time on, by the servers' clocks, up to `last`."""
        wanted = {"start_time": time.isoformat(), "batch": 1}
        found = await self._place.page(wanted)
        return max(last - event_of(self._place.subjects, found[0]).global_position + 1, 0) if found else 0

    # One stream, by version

    async def begin(self, stream_id: str, version: int, tail: StreamTail) -> int:
        """A sequence from which on the stream's events begin at or shortly below a version.

        There is no index from versions to sequences. Both grow together, so it is searched: by
        interpolation, and by halves in turn, so that it takes few steps and never many.
        """
        subject = self._place.subjects.of_stream(stream_id)
        low_sequence, low = 0, 0
        high_sequence, high = tail.sequence, tail.version
        halve = False
        while version - low > PAGE and high_sequence - low_sequence > PAGE:
            span = high_sequence - low_sequence
            share = 0.5 if halve else (version - PAGE // 2 - low) / (high - low)
            halve = not halve
            guess = low_sequence + min(max(int(span * share), 1), span - 1)
            found = await self.page(subject, guess, 1)
            if found and found[0].version <= version:
                low_sequence, low = found[0].global_position, found[0].version
            else:
                high_sequence, high = guess, found[0].version if found else high
        return max(low_sequence, 1)

    async def versions(self, stream_id: str, after: int, last: int, tail: StreamTail) -> list[EncodedEvent]:
        """The events of a stream above a version up to another, which are there by the leader's word."""
        last = min(last, tail.version)
        if last <= after:
            return []
        sequence = await self.begin(stream_id, after + 1, tail) if after else 1
        return await self.onwards(stream_id, sequence, after, last, tail)

    async def onwards(
        self, stream_id: str, sequence: int, after: int, last: int, tail: StreamTail
    ) -> list[EncodedEvent]:
        """As `versions`, for a reader who knows a sequence that is not past them."""
        subject = self._place.subjects.of_stream(stream_id)
        events: list[EncodedEvent] = []
        below = sequence - 1
        size = min(PAGE, last) if sequence == 1 else PAGE
        while below < tail.sequence and (not events or events[-1].version < last):
            found = await self.scan(subject, below, tail.sequence, size)
            if not found:
                break
            events += [event for event in found if after < event.version <= last]
            below = found[-1].global_position
        return events
