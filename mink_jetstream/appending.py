"""Appending: decide on what is known of the streams, publish with the expectation, decide anew where it failed.

A stream's version is that of its newest message, and the server compares by sequence: a message is stored only
if its subject's newest sequence is the one that was decided on. So whatever was remembered or read may be
old: then nothing is stored, and the decision is made anew on what the leader has. That is where a conflict
or a repeat (APPEND-09) is told from, and it needs no time window.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import msgspec

from mink_core.deciding import fits, store_appends
from mink_core.encoded import result_of
from mink_core.errors import (
    ConcurrencyError,
    DuplicateEventError,
    OutcomeUnknownError,
    TransientStorageError,
    UsageError,
)
from mink_core.events import AppendResult
from mink_core.expected import ExpectedVersion, exact_version
from mink_core.limits import Limits
from mink_jetstream.answers import RefusedError
from mink_jetstream.drafts import Draft, Write, next_time
from mink_jetstream.grouping import Grouping
from mink_jetstream.jetstream import WRONG_SEQUENCE, WRONG_SEQUENCE_NOW
from mink_jetstream.messages import EXPECTED, NOTHING, OVERHEAD, VERSION, StreamTail, body_of
from mink_jetstream.place import is_led
from mink_jetstream.wire import Request, UnansweredError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from mink_core.encoded import EncodedEvent
    from mink_core.prepare import PreparedAppend
    from mink_jetstream.place import Place
    from mink_jetstream.reading import Reading

MAX_CALL_EVENTS = 1000
"""Events of one call: the server's limit on an atomic batch."""
_REMEMBERED = 10_000
"""Streams whose newest event a store remembers."""
_PAUSE = 0.002
_LONGEST_PAUSE = 0.1
_HEALING = 1.2
"""Seconds in which a former leader hears of its successor once they reach each other: one sends each second."""


class Appending:
    """The appends of one store."""

    def __init__(self, place: Place, reading: Reading) -> None:
        """Know no stream yet."""
        self._place = place
        self._jetstream = place.jetstream
        self._reading = reading
        self._grouping = Grouping(place.jetstream)
        self._tails: dict[str, StreamTail] = {}
        self._acknowledged: dict[str, int] = {}
        """The newest sequence of a stream that this store has appended: where there are copies, one may not know it."""
        self._connection = 0
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}

    async def append(self, items: Sequence[PreparedAppend]) -> list[AppendResult]:
        """Store a call, all or nothing.

        Raises:
            UsageError: It is above a limit of JetStream; nothing was sent.
            ConcurrencyError: As `EventLog.append`, and the other errors of that.
        """
        self._check_limits(items)
        deadline = self._jetstream.deadline()
        async with self._alone({item.stream_id for item in items}, deadline):
            self._forget_other_histories()
            tried: list[Write] = []
            results = await self._try_remembered(items, tried, deadline)
            return results if results is not None else await self._decide(items, tried, deadline)

    def _check_limits(self, items: Sequence[PreparedAppend]) -> None:
        limits = self.limits
        count = sum([len(item.events) for item in items])
        if count > limits.call_events:
            msg = (
                f"a call may hold {limits.call_events} events in JetStream, which stores no larger batch at once, not {count}: "
                "append them in several calls"
            )
            raise UsageError(msg)
        for item in items:
            for event in item.events:
                size = len(event.data.encode()) + len((event.metadata or "").encode())
                if size > limits.event_bytes:
                    msg = (
                        f"an event may hold {limits.event_bytes} bytes of data and metadata here, as the server's max_payload "
                        f"says, not {size}; nothing was stored: raise max_payload, or keep large values elsewhere"
                    )
                    raise UsageError(msg)

    @property
    def limits(self) -> Limits:
        """What the server takes; of a store that is not connected, what every server does."""
        return Limits(call_events=MAX_CALL_EVENTS, event_bytes=max(self._jetstream.wire.max_payload - OVERHEAD, 1))

    def _forget_other_histories(self) -> None:
        """A connection made anew may lead to a restored backup, in which a sequence has another event."""
        if self._connection != self._jetstream.wire.reconnects:
            self._connection = self._jetstream.wire.reconnects
            self._tails.clear()

    @asynccontextmanager
    async def _alone(self, stream_ids: set[str], deadline: float) -> AsyncGenerator[None]:
        """One append at a time to a stream, of this store: they would only refuse each other."""
        async with AsyncExitStack() as stack:
            for stream_id in sorted(stream_ids):
                lock, users = self._locks.get(stream_id) or (asyncio.Lock(), 0)
                self._locks[stream_id] = lock, users + 1
                stack.callback(self._leave, stream_id)
                if not lock.locked():
                    await stack.enter_async_context(lock)
                    continue
                try:
                    async with asyncio.timeout_at(deadline):
                        await lock.acquire()
                except TimeoutError:
                    raise self._contended() from None
                stack.callback(lock.release)
            yield

    def _leave(self, stream_id: str) -> None:
        lock, users = self._locks[stream_id]
        if users == 1:
            del self._locks[stream_id]
        else:
            self._locks[stream_id] = lock, users - 1

    def _contended(self) -> TransientStorageError:
        return TransientStorageError(
            f"others appended to the same stream all the {self._place.options.timeout:g} s that this call waited; nothing "
            "was stored, and the same call may be made again"
        )

    # One stream, as it is remembered

    async def _try_remembered(
        self, items: Sequence[PreparedAppend], tried: list[Write], deadline: float
    ) -> list[AppendResult] | None:
        """Store one item in one round trip, where what is remembered of its stream fits; None where it has to be read."""
        if len(items) > 1:
            return None
        item = items[0]
        tail = self._tails.get(item.stream_id)
        if tail is None:
            if item.expected is not ExpectedVersion.NO_STREAM:
                return None
            tail = NOTHING
        exact = exact_version(item.expected)
        if (tail.version != exact) if exact is not None else not fits(item.expected, tail.version):
            return None
        write = Write(item, tail.version, next_time(tail))
        last = await self._publish([write], {item.stream_id: tail}, deadline)
        if last is None:
            tried.append(write)
            return None
        count = len(item.events)
        ids = tuple([event.event_id for event in item.events])
        return [AppendResult(item.stream_id, tail.version + 1, tail.version + count, last - count + 1, last, ids)]

    # Any call

    async def _decide(
        self, items: Sequence[PreparedAppend], tried: Sequence[Write], deadline: float
    ) -> list[AppendResult]:
        """Store what fits, first as it is remembered; what is refused, or a repeat, is told from what the leader has."""
        pause, trusting = _PAUSE, len(items) > 1
        confirmed: dict[str, StreamTail] | None = None
        while True:
            tails = await self._known_tails(items, trusting=trusting)
            if (landed := await self._landed(tried, tails)) is not None:
                return landed
            draft = Draft(tails, await self._spans(items, tails))
            try:
                results = store_appends(draft, items)
            except (ConcurrencyError, DuplicateEventError) as error:
                if not trusting and (self._place.is_alone or _is_as_new(tails, confirmed)):
                    raise
                # Told again by what is read once it is sure who leads: see `_leads`.
                confirmed = tails if not trusting and await self._leads(tails) else None
                if not trusting and confirmed is None:
                    await self._pause(pause, deadline, self._unled)
                    pause = min(pause * 2, _LONGEST_PAUSE)
                elif confirmed is not None and _is_below(error):
                    await self._pause(_HEALING, deadline, self._unled)
                trusting = False
                continue
            if not draft.writes:
                return results
            last = await self._publish(draft.writes, tails, deadline)
            if last is not None:
                base = last - draft.count
                return [
                    msgspec.structs.replace(
                        result,
                        first_position=base + result.first_position,
                        last_position=base + result.last_position,
                    )
                    for result in results
                ]
            # Somebody else's append is newer than what was known, or is being decided on.
            trusting, tried = False, draft.writes
            await self._pause(pause, deadline, self._contended)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _pause(self, pause: float, deadline: float, over: Callable[[], TransientStorageError]) -> None:
        if asyncio.get_running_loop().time() + pause >= deadline:
            raise over()
        await asyncio.sleep(pause)

    async def _landed(self, tried: Sequence[Write], tails: dict[str, StreamTail]) -> list[AppendResult] | None:
        """What a refused try has stored. A publish may reach two servers that lead: one refused it, the other stored it."""
        results: list[AppendResult] = []
        for item, version, time in tried if not self._place.is_alone else ():
            last = version + len(item.events)
            tail = tails[item.stream_id]
            rows = await self._reading.versions(item.stream_id, version, last, tail) if tail.version >= last else []
            # By its time it is this very call, and not another one with the same ids, or the beginning of one.
            if [(row.event_id, row.timestamp) for row in rows] != [(event.event_id, time) for event in item.events]:
                return None
            results.append(result_of(rows))
        return results or None

    async def _leads(self, tails: dict[str, StreamTail]) -> bool:
        """Whether a refusal on these may be true: nobody who was cut off tells it, and it is not older than what is known.

        Who answered may have been cut off when it did, and this be asked of another one, once it was not any more. So
        it is only then, when nothing older is read again, that a refusal is told.
        """
        if any(tail.sequence < self._acknowledged.get(name, 0) for name, tail in tails.items()):
            return False
        return is_led(await self._place.info())

    def _unled(self) -> TransientStorageError:
        return TransientStorageError(
            f"the stream is not as expected on a server that has lost its majority for {self._place.options.timeout:g} s, so it "
            "may be otherwise by now; nothing was stored, and the same call may be made again"
        )

    async def _known_tails(self, items: Sequence[PreparedAppend], *, trusting: bool) -> dict[str, StreamTail]:
        """The streams' newest events: from the leader, but for what may be trusted until the server compares it."""
        tails: dict[str, StreamTail] = {}
        for item in items if trusting else ():
            if (tail := self._tails.get(item.stream_id)) is not None:
                tails[item.stream_id] = tail
            elif item.expected is ExpectedVersion.NO_STREAM:
                tails.setdefault(item.stream_id, NOTHING)
        unknown = list({item.stream_id for item in items} - tails.keys())
        if len(unknown) == 1:
            return tails | {unknown[0]: await self._reading.tail(unknown[0])}
        found = await asyncio.gather(*[self._reading.tail(stream_id) for stream_id in unknown])
        return tails | dict(zip(unknown, found, strict=True))

    async def _spans(
        self, items: Sequence[PreparedAppend], tails: dict[str, StreamTail]
    ) -> dict[str, list[EncodedEvent]]:
        """The stored events among which a call may find itself: what stands where it would stand, and beside it."""
        spans: dict[str, list[EncodedEvent]] = {}
        for stream_id, tail in tails.items():
            mine = [item for item in items if item.stream_id == stream_id]
            exact = [(after, len(item.events)) for item in mine if (after := exact_version(item.expected)) is not None]
            past = [(after, count) for after, count in exact if after < tail.version]
            if past:
                first = max(min(after for after, _ in past) - 1, 0)
                last = max(after + count for after, count in past) + 1
                spans[stream_id] = await self._reading.versions(stream_id, first, last, tail)
        return spans

    # Storing

    async def _publish(self, writes: list[Write], tails: dict[str, StreamTail], deadline: float) -> int | None:
        """The last event's sequence; None where a stream is not as it was believed to be."""
        for stream_id in tails:
            self._tails.pop(stream_id, None)  # until the outcome is known: the call may be cancelled
        requests: list[Request] = []
        expected = {stream_id: str(tail.sequence) for stream_id, tail in tails.items()}
        for item, before, time in writes:
            subject = self._place.subjects.of_stream(item.stream_id)
            for version, event in enumerate(item.events, before + 1):
                headers = {VERSION: str(version)}
                if (sequence := expected.pop(item.stream_id, None)) is not None:
                    headers[EXPECTED] = sequence  # once for each subject: a batch is compared with what was before it
                requests.append(Request(subject, body_of(event, time), headers))
        try:
            last = await self._grouping.write(requests, deadline)
        except RefusedError as error:
            if error.code in {WRONG_SEQUENCE, WRONG_SEQUENCE_NOW}:
                return None
            raise self._place.refused(error) from error
        except UnansweredError as error:
            safe = all(exact_version(write.item.expected) is not None for write in writes)
            msg = f"the reply to an append was lost ({error}): it may be stored, or be stored yet"
            raise OutcomeUnknownError(msg, retry_is_safe=safe) from error
        self._remember(writes, last)
        return last

    def _remember(self, writes: list[Write], last: int) -> None:
        sequence = last - sum([len(write.item.events) for write in writes])
        for item, version, time in writes:
            sequence += len(item.events)
            self._tails[item.stream_id] = StreamTail(version + len(item.events), sequence, time)
            self._acknowledged.pop(item.stream_id, None)  # to the end: the oldest are forgotten first
            self._acknowledged[item.stream_id] = sequence
        for known in (self._tails, self._acknowledged):
            while len(known) > _REMEMBERED:
                del known[next(iter(known))]


def _is_below(error: ConcurrencyError | DuplicateEventError) -> bool:
    """Whether a conflict tells of fewer events than were expected: its caller is mistaken, or who tells it is behind."""
    if not isinstance(error, ConcurrencyError):
        return False
    return error.actual < (error.expected if isinstance(error.expected, int) else 1)


def _is_as_new(tails: dict[str, StreamTail], others: dict[str, StreamTail] | None) -> bool:
    return others is not None and all(tail.sequence >= others[name].sequence for name, tail in tails.items())
