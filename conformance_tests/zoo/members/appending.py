"""Appends that are not atomic, that miscount, or that check wrongly."""

from __future__ import annotations

import asyncio
from typing import Any

from msgspec.structs import replace

from conformance_tests.zoo.expecting import ANY, NO_STREAM, STREAM_EXISTS, number_of, version_of
from conformance_tests.zoo.member import breaks
from conformance_tests.zoo.wrapped import Altered, AsyncWrapped, Wrapped
from mink_core import (
    ConcurrencyError,
    NewEvent,
    StoredEvent,
    StreamNotFoundError,
)


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


@breaks("APPEND-03", "APPEND-06")
class DecidesOnce(Wrapped):
    """`update` decides once, and appends the same events after a conflict."""

    def update(self, stream_id: str, decide: Any, *, retries: int = 5) -> Any:
        decided: list[Any] = []

        def once(events: list[StoredEvent]) -> Any:
            if not decided:
                decided.append(list(decide(events)))
            return decided[0]

        inner: Any = super()
        return inner.update(stream_id, once, retries=retries)
