"""Appends that take what is to be refused, change it, or keep what is the caller's."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from conformance_tests.zoo.expecting import ANY
from conformance_tests.zoo.member import breaks
from conformance_tests.zoo.wrapped import Altered, Wrapped
from mink_core import (
    NewEvent,
    StoredEvent,
)


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
