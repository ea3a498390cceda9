"""Repeated appends that are not known, or known by too little."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from conformance_tests.zoo.expecting import ANY, number_of, version_of
from conformance_tests.zoo.member import breaks
from conformance_tests.zoo.wrapped import Wrapped
from mink_core import (
    AppendResult,
    ConcurrencyError,
    NewEvent,
)


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
