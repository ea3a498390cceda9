"""Appends that are not atomic, that miscount, or that check wrongly."""

from __future__ import annotations

import asyncio
from typing import Any

from msgspec.structs import replace

from conformance_tests.zoo.member import breaks
from conformance_tests.zoo.wrapped import Altered, AsyncWrapped, Wrapped
from mink_core import (
    AppendResult,
    Capability,
    ConcurrencyError,
    ExpectedVersion,
    NewEvent,
    StoredEvent,
    StreamNotFoundError,
)

ANY, NO_STREAM, STREAM_EXISTS = ExpectedVersion.ANY, ExpectedVersion.NO_STREAM, ExpectedVersion.STREAM_EXISTS


def version_of(store: Any, stream_id: str) -> int:
    """A stream's version, 0 where it does not exist."""
    try:
        return int(store.stream_info(stream_id).version)
    except StreamNotFoundError:
        return 0


def number_of(expected: Any) -> int | None:
    """The exact version meant, None for the others."""
    return 0 if expected is NO_STREAM else expected if type(expected) is int else None


def _id(event: NewEvent) -> str:
    return str(event.event_id)


@breaks("APPEND-01")
class OneByOne(Wrapped):
    """Stores the events of a call one after the other: a reader sees half a call, and a late error leaves it."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        results = []
        for event in list(events) or [None]:
            results.append(self.store.append(stream_id, [event] if event else [], expected_version=expected_version))
            expected_version = ANY if expected_version in (ANY, STREAM_EXISTS) else results[-1].last_version
        return replace(
            results[0],
            last_version=results[-1].last_version,
            last_position=results[-1].last_position,
            event_ids=tuple(key for result in results for key in result.event_ids),
        )


@breaks("APPEND-02", "APPEND-10")
class OrderedById(Altered):
    """Stores the events of a call in the order of their ids."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any, **more: Any) -> Any:
        events = list(events)
        if all(isinstance(event, NewEvent) for event in events):
            events.sort(key=_id)
        return self.store.append(stream_id, events, expected_version=expected_version, **more)


@breaks("APPEND-02")
class CountsFromZero(Altered):
    """Gives the first event of a stream version 0."""

    def out(self, event: StoredEvent) -> StoredEvent:
        return replace(event, version=event.version - 1)


@breaks("APPEND-02")
class ConflictLeavesHole(Altered):
    """Takes the version before it checks: each conflict leaves a hole."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any, **more: Any) -> Any:
        try:
            return self.store.append(stream_id, events, expected_version=expected_version, **more)
        except ConcurrencyError as error:
            if not self.inside:
                holes = self.shared.facts.setdefault(stream_id, [])
                holes.append(error.actual)
            raise

    def out(self, event: StoredEvent) -> StoredEvent:
        holes = sum(version < event.version for version in self.shared.facts.get(event.stream_id, ()))
        return replace(event, version=event.version + holes)


@breaks("APPEND-03")
class OlderWillDo(Wrapped):
    """Lets an exact expectation through that the stream has already passed."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        events = list(events)
        try:
            return self.store.append(stream_id, events, expected_version=expected_version)
        except ConcurrencyError as error:
            if type(expected_version) is int and 0 < expected_version < error.actual:
                return self.store.append(stream_id, events, expected_version=error.actual)
            raise


@breaks("APPEND-03")
class AnyVersionOfNothing(Wrapped):
    """Creates a missing stream whatever exact version was expected of it."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        events = list(events)
        try:
            return self.store.append(stream_id, events, expected_version=expected_version)
        except ConcurrencyError as error:
            if type(expected_version) is int and error.actual == 0:
                return self.store.append(stream_id, events, expected_version=NO_STREAM)
            raise


@breaks("APPEND-03")
class UntrueActual(Wrapped):
    """Tells the expected version plus one as the actual one, instead of looking."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        try:
            return self.store.append(stream_id, events, expected_version=expected_version)
        except ConcurrencyError as error:
            if type(error.expected) is int:
                raise ConcurrencyError(stream_id, error.expected, error.expected + 1) from None
            raise


@breaks("APPEND-03", "APPEND-01")
class StoresThenRefuses(Wrapped):
    """Raises the conflict after it has stored the events."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        events = list(events)
        try:
            return self.store.append(stream_id, events, expected_version=expected_version)
        except ConcurrencyError as error:
            if not self.inside and error.actual:
                self.store.append(stream_id, events, expected_version=ANY)
            raise


@breaks("APPEND-04")
class CreatesWhatShouldExist(Wrapped):
    """STREAM_EXISTS creates a missing stream."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        expected = ANY if expected_version is STREAM_EXISTS else expected_version
        return self.store.append(stream_id, events, expected_version=expected)


@breaks("APPEND-04")
class NoStreamIsAny(Wrapped):
    """NO_STREAM appends to a stream that exists."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        events = list(events)
        try:
            return self.store.append(stream_id, events, expected_version=expected_version)
        except ConcurrencyError:
            if expected_version is NO_STREAM:
                return self.store.append(stream_id, events, expected_version=ANY)
            raise


@breaks("APPEND-04")
class MissingIsNotFound(Wrapped):
    """STREAM_EXISTS on a missing stream raises another error than a conflict."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        try:
            return self.store.append(stream_id, events, expected_version=expected_version)
        except ConcurrencyError:
            if expected_version is STREAM_EXISTS:
                raise StreamNotFoundError(stream_id) from None
            raise


@breaks("APPEND-05")
class AnyIsExact(Wrapped):
    """ANY reads the version and expects it: racing callers conflict."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        events = list(events)
        if expected_version is ANY and events:
            expected_version = version_of(self.store, stream_id)
        return self.store.append(stream_id, events, expected_version=expected_version)


@breaks("APPEND-05")
class AnyCreatesOnce(Wrapped):
    """ANY on a missing stream inserts it: of racing callers, all but one conflict."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        events = list(events)
        if expected_version is ANY and events and version_of(self.store, stream_id) == 0:
            expected_version = NO_STREAM
        return self.store.append(stream_id, events, expected_version=expected_version)


@breaks("APPEND-06", "APPEND-03")
class ReadThenWrite(Wrapped):
    """Reads the version, compares it, then writes: two of the callers that race can win."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        events = list(events)
        wanted = number_of(expected_version)
        if wanted is None or not events or version_of(self.store, stream_id) != wanted:
            return self.store.append(stream_id, events, expected_version=expected_version)
        return self.store.append(stream_id, events, expected_version=ANY)


@breaks("APPEND-06", "APPEND-03")
class AwaitBetweenCheckAndWrite(AsyncWrapped):
    """Reads the version, compares it, awaits once, then writes."""

    async def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        events = list(events)
        wanted = number_of(expected_version)
        try:
            version = (await self.store.stream_info(stream_id)).version
        except StreamNotFoundError:
            version = 0
        if wanted is None or not events or version != wanted:
            return await self.store.append(stream_id, events, expected_version=expected_version)
        await asyncio.sleep(0)
        return await self.store.append(stream_id, events, expected_version=ANY)


@breaks("APPEND-07")
class NegativeIsAny(Wrapped):
    """Takes -1 for ANY: `version - 1` at 0 switches the check off."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        expected = ANY if type(expected_version) is int and expected_version == -1 else expected_version
        return self.store.append(stream_id, events, expected_version=expected)


@breaks("APPEND-07")
class TrueIsOne(Wrapped):
    """Takes True for the exact version 1."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        expected = int(expected_version) if isinstance(expected_version, bool) else expected_version
        return self.store.append(stream_id, events, expected_version=expected)


@breaks("APPEND-07")
class DropsEqualIds(Wrapped):
    """Stores an event whose id stands twice in a call once, in silence."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        events = list(events)
        if all(isinstance(event, NewEvent) for event in events):
            events = list({event.event_id: event for event in events}.values())
        return self.store.append(stream_id, events, expected_version=expected_version)


@breaks("APPEND-07", "APPEND-01")
class ChecksLate(Wrapped):
    """Finds out what is wrong with an event once the events before it are stored."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        events = list(events)
        try:
            return self.store.append(stream_id, events, expected_version=expected_version)
        except ValueError:
            if len(events) > 1:
                self.append(stream_id, events[:-1], expected_version=expected_version)
            raise


@breaks("APPEND-08", "READ-08")
class KeepsTheCallersObjects(Altered):
    """Keeps the caller's data, not a copy: what is done to it later changes the event."""

    def into(self, event: NewEvent) -> NewEvent:
        self.shared.facts[event.event_id] = event.data
        return event

    def out(self, event: StoredEvent) -> StoredEvent:
        return replace(event, data=self.shared.facts.get(event.event_id, event.data))


@breaks("APPEND-08")
class KeepsTheCallersMetadata(Altered):
    """Keeps the caller's metadata, not a copy."""

    def into(self, event: NewEvent) -> NewEvent:
        self.shared.facts[event.event_id] = event.metadata
        return event

    def out(self, event: StoredEvent) -> StoredEvent:
        return replace(event, metadata=self.shared.facts.get(event.event_id) or event.metadata)


@breaks("APPEND-09")
class KnowsNoRepeat(Wrapped):
    """Answers the repeat of a stored call with a conflict."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        events, wanted = list(events), number_of(expected_version)
        result = self.store.append(stream_id, events, expected_version=expected_version)
        with self.shared.lock:
            seen = self.shared.facts.setdefault("ids", set())
            if wanted is not None and events[0].event_id in seen:
                raise ConcurrencyError(stream_id, expected_version, version_of(self.store, stream_id))
            seen.update(event.event_id for event in events)
        return result


@breaks("APPEND-09")
class RepeatWritesTwice(Wrapped):
    """Answers the repeat of a stored call as it should, and stores it again."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        events = list(events)
        result = self.store.append(stream_id, events, expected_version=expected_version)
        with self.shared.lock:
            seen = self.shared.facts.setdefault("ids", {})
            key = (stream_id, expected_version, result.event_ids)
            if number_of(expected_version) is not None and key in seen and not self.inside:
                self.store.append(stream_id, [replace(e, event_id=None) for e in events], expected_version=ANY)
            seen[key] = True
        return result


@breaks("APPEND-09")
class RepeatByIdsAlone(Wrapped):
    """Takes a call with the ids of a stored one for its repeat, whatever its content."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        events = list(events)
        wanted = number_of(expected_version)
        if wanted is not None and events and all(isinstance(event, NewEvent) for event in events):
            span = self.store.read_stream(stream_id, after_version=max(wanted, 0), limit=len(events))
            stored = {event.event_id: event for event in span}
            if all(event.event_id in stored for event in events):
                same = [stored[event.event_id] for event in events]
                events = [NewEvent(e.event_type, e.data, e.metadata, e.event_id) for e in same]
        return self.store.append(stream_id, events, expected_version=expected_version)


@breaks("APPEND-09")
class RepeatOnlyAtTheEnd(Wrapped):
    """Looks for the repeat at the end of the stream: once others have appended, it is a conflict."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        result = self.store.append(stream_id, events, expected_version=expected_version)
        actual = version_of(self.store, stream_id)
        if number_of(expected_version) is not None and not self.inside:
            with self.shared.lock:
                seen = self.shared.facts.setdefault("ids", set())
                if result.event_ids in seen and actual != result.last_version:
                    raise ConcurrencyError(stream_id, expected_version, actual)
                seen.add(result.event_ids)
        return result


@breaks("APPEND-09")
class RepeatOfAPart(Wrapped):
    """Takes a call that is the beginning of a stored one for its repeat."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        events, wanted = list(events), number_of(expected_version)
        if wanted is not None and wanted >= 0 and events and all(isinstance(event, NewEvent) for event in events):
            stored = list(self.store.read_stream(stream_id, after_version=wanted, limit=len(events)))
            if [event.event_id for event in stored] == [event.event_id for event in events]:
                positions = stored[0].global_position, stored[-1].global_position
                ids = tuple(event.event_id for event in stored)
                return self._result(stream_id, wanted + 1, wanted + len(events), positions, ids)
        return self.store.append(stream_id, events, expected_version=expected_version)

    @staticmethod
    def _result(stream_id: str, first: int, last: int, positions: tuple[int, int], ids: Any) -> Any:
        return AppendResult(stream_id, first, last, *positions, ids)


@breaks("APPEND-10")
class GuessesPositions(Wrapped):
    """Counts the last position from the first version on, instead of asking."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        result = self.store.append(stream_id, events, expected_version=expected_version)
        return replace(result, last_position=result.first_position + len(result.event_ids))


@breaks("APPEND-10")
class TellsTheLastVersionTwice(Wrapped):
    """Gives the last version as the first one as well."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        result = self.store.append(stream_id, events, expected_version=expected_version)
        return replace(result, first_version=result.last_version)


@breaks("APPEND-11", "APPEND-01", needs=[Capability.APPEND_BATCH])
class BatchItemByItem(Wrapped):
    """Stores a batch item by item: an error in the middle leaves the items before it."""

    def append_batch(self, items: Any) -> Any:
        items = list(items)
        if len(items) <= 1:
            return self.store.append_batch(items)
        return [result for item in items for result in self.store.append_batch([item])]


@breaks("APPEND-11", needs=[Capability.APPEND_BATCH])
class BatchInStreamOrder(Wrapped):
    """Gives positions in the order of stream ids, not of the call."""

    def append_batch(self, items: Any) -> Any:
        items = list(items)
        if not all(hasattr(item, "stream_id") and type(item.stream_id) is str for item in items):
            return self.store.append_batch(items)
        order = sorted(range(len(items)), key=lambda index: items[index].stream_id)
        results = self.store.append_batch([items[index] for index in order])
        placed = dict(zip(order, results, strict=True))
        return [placed[index] for index in range(len(items))]


@breaks("APPEND-11", needs=[Capability.APPEND_BATCH])
class BatchChecksFirst(Wrapped):
    """Checks every item against the stream as it was: one named twice conflicts with itself."""

    def append_batch(self, items: Any) -> Any:
        items = list(items)
        named: set[str] = set()
        for item in items:
            wanted = number_of(getattr(item, "expected_version", None))
            if wanted and item.stream_id in named and wanted != version_of(self.store, item.stream_id):
                raise ConcurrencyError(item.stream_id, wanted, version_of(self.store, item.stream_id))
            named.add(getattr(item, "stream_id", ""))
        return self.store.append_batch(items)


@breaks("APPEND-12")
class CutsLongIds(Wrapped):
    """Cuts a stream id to the longest allowed, instead of refusing it."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        stream_id = stream_id[:500] if isinstance(stream_id, str) else stream_id
        return self.store.append(stream_id, events, expected_version=expected_version)


@breaks("APPEND-12")
class CutsLongTypes(Altered):
    """Cuts an event type to the longest allowed, instead of refusing it."""

    def into(self, event: NewEvent) -> NewEvent:
        cut = event.event_type[:500] if isinstance(event.event_type, str) else event.event_type
        return replace(event, event_type=cut)


@breaks("APPEND-12")
class ShorterLimit(Wrapped):
    """Has a column of 255 characters for stream ids, and says so by an error of its own."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        if isinstance(stream_id, str) and 255 < len(stream_id) <= 500:  # noqa: PLR2004 -- the column and the contract
            msg = "value too long for type character varying(255)"
            raise RuntimeError(msg)
        return self.store.append(stream_id, events, expected_version=expected_version)


@breaks("APPEND-12")
class StripsControlCharacters(Wrapped):
    """Takes control characters out of a stream id, instead of refusing it."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        if isinstance(stream_id, str):
            stream_id = "".join(char for char in stream_id if char >= " ")
        return self.store.append(stream_id, events, expected_version=expected_version)
