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
from mink_core.errors import (
    ConcurrencyError,
    DuplicateEventError,
    OutcomeUnknownError,
    SchemaError,
    StorageError,
    StoreClosedError,
    TransientStorageError,
)
from mink_core.events import AppendResult
from mink_core.expected import ExpectedVersion, exact_version
from mink_jetstream.answers import RefusedError
from mink_jetstream.attempts import Attempts, Wait, over
from mink_jetstream.drafts import Draft, Write, next_time, rests
from mink_jetstream.grouping import Grouping
from mink_jetstream.jetstream import WRONG_SEQUENCE, WRONG_SEQUENCE_NOW
from mink_jetstream.limiting import check_limits
from mink_jetstream.messages import EXPECTED, NOTHING, REST, VERSION, StreamTail, body_of
from mink_jetstream.refusals import Refusals
from mink_jetstream.requests import Request, UnansweredError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from mink_core.encoded import EncodedEvent
    from mink_core.limits import Limits
    from mink_core.prepare import PreparedAppend
    from mink_jetstream.place import Place
    from mink_jetstream.reading import Reading

_REMEMBERED = 10_000
"""Streams whose newest event a store remembers."""
_PAUSE = 0.002
_LONGEST_PAUSE = 0.1
_PATIENCE = 2.0
"""Seconds without a reply after which an append is looked for, and sent again; twice as many each time."""


class Appending:
    """The appends of one store."""

    def __init__(self, place: Place, reading: Reading) -> None:
        """Know no stream yet."""
        self._place = place
        self._jetstream = place.jetstream
        self._reading = reading
        self._refusals = Refusals(place, reading)
        self._grouping = Grouping(place.jetstream, place.stream)
        self._tails: dict[str, StreamTail] = {}
        self._reconnects = 0
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}

    async def append(self, items: Sequence[PreparedAppend]) -> list[AppendResult]:
        """Store a call, all or nothing.

        Raises:
            UsageError: It is above a limit of JetStream; nothing was sent.
            ConcurrencyError: As `EventLog.append`, and the other errors of that.
        """
        check_limits(items, self.limits)
        deadline, attempts = self._jetstream.deadline(), Attempts(self._reading, self._place.options.timeout)
        try:
            async with self._alone({item.stream_id for item in items}, deadline):
                self._forget_other_histories()
                results = await self._try_remembered(items, attempts, deadline)
                if results is None:
                    async with asyncio.timeout_at(deadline):
                        results = await self._decide(items, attempts, deadline)
                for result in results:  # also what was found to be stored: it is told to be there
                    await self._reading.acknowledged.note(result.stream_id, result.last_position)
                return results
        except (StorageError, SchemaError, StoreClosedError, TimeoutError) as error:
            if attempts.are_open:
                safe = all(exact_version(item.expected) is not None for item in items)
                msg = (
                    f"the reply to an append was lost ({attempts.problem or error}): it may be stored, or be stored yet"
                )
                raise OutcomeUnknownError(msg, retry_is_safe=safe) from error
            if isinstance(error, TimeoutError):
                raise attempts.over() from error
            raise

    @property
    def limits(self) -> Limits:
        """See `Place.limits`."""
        return self._place.limits

    def _forget_other_histories(self) -> None:
        """A connection made anew may lead to a restored backup, in which a sequence has another event."""
        if self._reconnects != self._jetstream.connection.reconnects:
            self._reconnects = self._jetstream.connection.reconnects
            self._tails.clear()
            self._place.leading.forget()

    @asynccontextmanager
    async def _alone(self, stream_ids: set[str], deadline: float) -> AsyncGenerator[None]:
        """One append at a time to a stream, of this store: they would only refuse each other."""
        async with AsyncExitStack() as stack:
            for stream_id in sorted(stream_ids):
                lock, users = self._locks.get(stream_id) or (asyncio.Lock(), 0)
                self._locks[stream_id] = lock, users + 1
                stack.callback(self._leave, stream_id)
                if not users:  # nobody has it, or waits for it
                    await stack.enter_async_context(lock)
                    continue
                try:
                    async with asyncio.timeout_at(deadline):
                        await lock.acquire()
                except TimeoutError:
                    raise over(Wait.OTHERS, self._place.options.timeout) from None
                stack.callback(lock.release)
            yield

    def _leave(self, stream_id: str) -> None:
        lock, users = self._locks[stream_id]
        if users == 1:
            del self._locks[stream_id]
        else:
            self._locks[stream_id] = lock, users - 1

    # One stream, as it is remembered

    async def _try_remembered(
        self, items: Sequence[PreparedAppend], attempts: Attempts, deadline: float
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
        last = await self._publish([write], {item.stream_id: tail}, attempts, deadline, _PATIENCE)
        if last is None:
            return None
        count = len(item.events)
        ids = tuple([event.event_id for event in item.events])
        return [AppendResult(item.stream_id, tail.version + 1, tail.version + count, last - count + 1, last, ids)]

    # Any call

    async def _decide(self, items: Sequence[PreparedAppend], attempts: Attempts, deadline: float) -> list[AppendResult]:
        """Store what fits, first as it is remembered; what is refused, or a repeat, is told from what the leader has."""
        pause, patience, trusting = _PAUSE, _PATIENCE, len(items) > 1
        confirmed: dict[str, StreamTail] | None = None
        while True:
            tails = await self._known_tails(items, trusting=trusting)
            if (landed := await attempts.landed(tails)) is not None:
                return landed
            draft = Draft(tails, await self._spans(items, tails))
            try:
                results = store_appends(draft, items)
            except (ConcurrencyError, DuplicateEventError) as error:
                if trusting:
                    trusting = False
                    continue
                if not attempts.are_open and await self._refusals.is_certain(error, tails, confirmed):
                    raise
                wait = None if attempts.are_open else await self._refusals.may_be_told_next(error)
                confirmed = None if wait is None else tails
                attempts.waits_for(Wait.LEADER)
                await self._pause(pause if wait is None else wait, deadline, attempts)
                pause = min(pause * 2, _LONGEST_PAUSE)
                continue
            if not draft.writes:
                return results
            until = asyncio.get_running_loop().time() + patience
            last = await self._publish(draft.writes, tails, attempts, deadline, patience)
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
            # Somebody else's append is newer than what was known, or is being decided on; or no reply came.
            trusting = False
            attempts.waits_for(Wait.OTHERS)
            await self._pause(pause, deadline, attempts)
            pause = min(pause * 2, _LONGEST_PAUSE)
            patience *= 2 if asyncio.get_running_loop().time() >= until else 1

    async def _pause(self, pause: float, deadline: float, attempts: Attempts) -> None:
        if asyncio.get_running_loop().time() + pause >= deadline:
            raise attempts.over()
        await asyncio.sleep(pause)

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

    async def _publish(
        self,
        writes: list[Write],
        tails: dict[str, StreamTail],
        attempts: Attempts,
        deadline: float,
        patience: float,
    ) -> int | None:
        """The last event's sequence; None where a stream is not as it was believed to be, or no reply came."""
        for stream_id in tails:
            self._tails.pop(stream_id, None)  # until the outcome is known: the call may be cancelled
        requests: list[Request] = []
        expected = {stream_id: str(tail.sequence) for stream_id, tail in tails.items()}
        rest = rests(writes)
        for item, before, time in writes:
            subject = self._place.subjects.of_stream(item.stream_id)
            for version, event in enumerate(item.events, before + 1):
                headers = {VERSION: str(version), REST: left} if (left := next(rest)) else {VERSION: str(version)}
                if (sequence := expected.pop(item.stream_id, None)) is not None:
                    headers[EXPECTED] = sequence  # once for each subject: a batch is compared with what was before it
                requests.append(Request(subject, body_of(event, time), headers))
        attempt, sent = attempts.begin(writes, tails), asyncio.get_running_loop().time()
        try:
            last = await self._grouping.write(requests, deadline, patience)
        except RefusedError as error:
            is_wrong = error.code in {WRONG_SEQUENCE, WRONG_SEQUENCE_NOW}
            if self._place.is_alone or not is_wrong:  # else another server may have stored it
                attempts.end(attempt)
            if is_wrong:
                attempts.problem = str(error)
                return None
            raise self._place.refused(error) from error
        except UnansweredError as error:
            attempts.problem = str(error)
            return None
        except TransientStorageError:  # nobody took it
            attempts.end(attempt)
            raise
        self._remember(writes, last, sent)
        return last

    def _remember(self, writes: list[Write], last: int, sent: float) -> None:
        self._place.leading.acknowledged(last, sent)
        self._reading.calls.saw(last)
        sequence = last - sum([len(write.item.events) for write in writes])
        for item, version, time in writes:
            sequence += len(item.events)
            self._tails[item.stream_id] = StreamTail(version + len(item.events), sequence, time)
        while len(self._tails) > _REMEMBERED:
            del self._tails[next(iter(self._tails))]
