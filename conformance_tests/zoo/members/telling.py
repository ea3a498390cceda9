"""Results, events and errors with a field that is not what it says."""

from __future__ import annotations

from datetime import timedelta, timezone
from typing import Any

from msgspec.structs import replace

from conformance_tests.zoo.member import breaks
from conformance_tests.zoo.wrapped import Altered, Wrapped
from mink_core import (
    ConcurrencyError,
    StoredEvent,
)


@breaks("READ-07")
class NaiveTimes(Altered):
    """Gives timestamps without a time zone."""

    def out(self, event: StoredEvent) -> StoredEvent:
        return replace(event, timestamp=event.timestamp.replace(tzinfo=None))


@breaks("READ-07")
class LocalTimes(Altered):
    """Gives timestamps in a zone of its own."""

    def out(self, event: StoredEvent) -> StoredEvent:
        return replace(event, timestamp=event.timestamp.astimezone(timezone(timedelta(hours=2))))


@breaks("APPEND-10", "APPEND-02")
class IdsAreText(Altered):
    """Gives event ids as text."""

    def out(self, event: StoredEvent) -> StoredEvent:
        return replace(event, event_id=str(event.event_id))


@breaks("APPEND-10")
class ResultIdsReversed(Wrapped):
    """The result lists the ids in the wrong order."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        result = self.store.append(stream_id, events, expected_version=expected_version)
        return replace(result, event_ids=result.event_ids[::-1])


@breaks("APPEND-03")
class ExpectedIsRewritten(Wrapped):
    """The conflict tells another expectation than the caller's."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        try:
            return self.store.append(stream_id, events, expected_version=expected_version)
        except ConcurrencyError as error:
            raise ConcurrencyError(stream_id, 0, error.actual) from None
