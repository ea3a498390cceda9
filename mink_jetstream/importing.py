"""Events as they are: their ids, versions and timestamps are given, their positions are new."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mink_core.encoded import decode_event
from mink_core.errors import (
    DuplicateEventError,
    OutcomeUnknownError,
    SchemaError,
    StorageError,
    StoreClosedError,
    TransientStorageError,
    UsageError,
)
from mink_core.json_codec import encode_json
from mink_core.limits import check_event_id, check_event_type, check_stream_id
from mink_core.prepare import PreparedEvent
from mink_core.transfer.checks import check_version, timestamp_in_utc
from mink_core.transfer.digests import canonical
from mink_jetstream.answers import RefusedError
from mink_jetstream.jetstream import WRONG_SEQUENCE, WRONG_SEQUENCE_NOW
from mink_jetstream.limiting import check_sizes
from mink_jetstream.messages import EXPECTED, NOTHING, VERSION, StreamTail, body_of
from mink_jetstream.patience import Patience
from mink_jetstream.requests import Request, UnansweredError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mink_core.events import StoredEvent
    from mink_jetstream.place import Place
    from mink_jetstream.reading import Reading

_AT_ONCE = 64
_PATIENCE = 5.0
"""Seconds without a reply after which a batch is looked for, and sent again."""
_CONTENDED = "others appended to the streams of an import all the time; nothing of this batch was stored, and it may be imported again"


class Importing:
    """An import's memory of the streams that it has gone on with."""

    def __init__(self, place: Place, reading: Reading) -> None:
        """Know no stream yet."""
        self._place = place
        self._reading = reading
        self._tails: dict[str, StreamTail] = {}
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def store(self, events: Sequence[StoredEvent]) -> int:
        """Store events that go on with their streams, all or none; tells how many were not there yet.

        Raises:
            UsageError: One breaks a limit, or does not go on with its stream.
            DuplicateEventError: The store has another one in its place.
            StorageError: See `Administration.import_events`.
        """
        prepared = [_prepared(event) for event in events]
        check_sizes(prepared, self._place.limits)
        names = {event.stream_id for event in events}
        deadline, lost = self._place.jetstream.deadline(), 0
        pauses = Patience(deadline)
        problem: Exception | None = None
        # A stream that is not known yet is taken to be new: if it is not, the server refuses.
        tails = {name: self._tails.get(name, NOTHING) for name in names}
        try:
            while True:
                try:
                    done = await self._try(tails, events, prepared, deadline)
                    if done is not None:
                        return done or lost
                except UnansweredError as error:
                    problem = error
                    # What it has stored is there, compared and left out next time.
                    lost = sum(event.version > tails[event.stream_id].version for event in events)
                if not await pauses.pause():
                    raise TransientStorageError(_CONTENDED)
                found = await asyncio.gather(*[self._tail(name) for name in names])
                tails = dict(zip(names, found, strict=True))
        except (StorageError, SchemaError, StoreClosedError) as error:
            if problem is None:
                raise
            msg = f"the reply to an import was lost ({problem})"
            raise OutcomeUnknownError(msg, retry_is_safe=True) from error

    async def _tail(self, name: str) -> StreamTail:
        async with self._room:
            return await self._reading.tail(name)

    async def _try(
        self,
        tails: dict[str, StreamTail],
        events: Sequence[StoredEvent],
        prepared: Sequence[PreparedEvent],
        deadline: float,
    ) -> int | None:
        """How many were stored; None where a stream is not as it was believed to be."""
        there = [event for event in events if event.version <= tails[event.stream_id].version]
        await self._compare(there, tails)
        stored = [
            pair for pair in zip(events, prepared, strict=True) if pair[0].version > tails[pair[0].stream_id].version
        ]
        requests = self._requests(tails, stored)
        if not requests:
            self._tails |= tails
            return 0
        sent = asyncio.get_running_loop().time()
        try:
            last = await self._place.jetstream.write(requests, deadline, _PATIENCE, self._place.stream)
        except RefusedError as error:
            if error.code in {WRONG_SEQUENCE, WRONG_SEQUENCE_NOW}:
                return None
            raise self._place.refused(error) from error
        self._place.leading.acknowledged(last, sent)
        self._tails |= tails
        for sequence, (event, _) in enumerate(stored, last - len(stored) + 1):
            self._tails[event.stream_id] = StreamTail(event.version, sequence, timestamp_in_utc(event))
        for name in {event.stream_id for event, _ in stored}:
            await self._reading.acknowledged.note(name, self._tails[name].sequence)
        return len(stored)

    def _requests(
        self, tails: dict[str, StreamTail], events: Sequence[tuple[StoredEvent, PreparedEvent]]
    ) -> list[Request]:
        """The messages to store."""
        versions = {name: tail.version for name, tail in tails.items()}
        expected = {name: str(tail.sequence) for name, tail in tails.items()}
        requests: list[Request] = []
        for event, encoded in events:
            name = event.stream_id
            # Where a new stream begins above version 1, what was before was purged.
            if versions[name] and event.version != versions[name] + 1:
                msg = (
                    f"stream {name!r} is at version {versions[name]}, but the next event to import has version {event.version}; "
                    "nothing of this batch was stored: import what is between first"
                )
                raise UsageError(msg)
            versions[name] = event.version
            headers = {VERSION: str(event.version)}
            if (sequence := expected.pop(name, None)) is not None:
                headers[EXPECTED] = sequence
            body = body_of(encoded, timestamp_in_utc(event))
            requests.append(Request(self._place.subjects.of_stream(name), body, headers))
        return requests

    async def _compare(self, events: Sequence[StoredEvent], tails: dict[str, StreamTail]) -> None:
        """Refuse where the store has something else in an event's place."""
        mine: dict[str, list[StoredEvent]] = {}
        for event in events:
            mine.setdefault(event.stream_id, []).append(event)
        for name, wanted in mine.items():
            first, last = wanted[0].version, wanted[-1].version
            rows = await self._reading.versions(name, first - 1, last, tails[name])
            found = {row.version: decode_event(row) for row in rows}
            for event in wanted:
                there = found.get(event.version)
                if there is None or canonical(there) != canonical(event):
                    raise DuplicateEventError(event.event_id)


def _prepared(event: StoredEvent) -> PreparedEvent:
    """Check an event as an append would, and encode it."""
    timestamp_in_utc(event)
    check_version(event)
    check_stream_id(event.stream_id)
    return PreparedEvent(
        check_event_id(event.event_id),
        check_event_type(event.event_type),
        encode_json(event.data),
        encode_json(event.metadata, "metadata") if event.metadata else None,
    )
