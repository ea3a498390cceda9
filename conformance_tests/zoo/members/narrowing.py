"""Filters that are right by themselves, and not beside each other, by many members, or in a subscription."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from msgspec.structs import replace

from conformance_tests.zoo.member import breaks
from conformance_tests.zoo.wrapped import Wrapped
from mink_core import Capability, ConcurrencyError, EventFilter, MinkError, Page
from mink_core.adapter import EVERYTHING

_MOST = 999
_NEAR = 1000


class _Refiltering(Wrapped, ABC):
    """Asks the store inside for another filter."""

    @abstractmethod
    def asked(self, where: EventFilter) -> EventFilter:
        """The filter that takes the place of the caller's."""

    def _asked(self, where: Any) -> Any:
        return self.asked(where) if isinstance(where, EventFilter) else where

    def poll(self, after_position: int, *, where: EventFilter = EVERYTHING, **more: Any) -> Page:
        page: Page = self.store.poll(after_position, where=self._asked(where), **more)
        return page

    def read_all(self, *, where: EventFilter = EVERYTHING, **more: Any) -> Any:
        return self.store.read_all(where=self._asked(where), **more)


@breaks("READ-05", needs=[Capability.METADATA_FILTER, Capability.TIME_FILTER])
class TimesInPlaceOfMetadata(_Refiltering):
    """Forgets the metadata where a filter has a time as well."""

    def asked(self, where: EventFilter) -> EventFilter:
        return replace(where, metadata={}) if where.since or where.until else where


@breaks("READ-05")
class AsManyAsParameters(_Refiltering):
    """Looks for the first 999 streams of a filter: a statement takes no more parameters."""

    def asked(self, where: EventFilter) -> EventFilter:
        return replace(where, stream_ids=where.stream_ids[:_MOST])


@breaks("READ-05", needs=[Capability.METADATA_FILTER])
class KeysArePaths(_Refiltering):
    """Makes a JSON path of a metadata key: one with a quote in it finds nothing."""

    def asked(self, where: EventFilter) -> EventFilter:
        return replace(where, stream_ids=("none",)) if any('"' in key for key in where.metadata) else where


@breaks("SUB-01", "READ-05", needs=[Capability.METADATA_FILTER])
class FollowsWhateverMetadata(Wrapped):
    """A subscription's filter has types, streams and categories alone."""

    def subscribe(self, *, where: EventFilter = EVERYTHING, **more: Any) -> Any:
        if isinstance(where, EventFilter):
            where = replace(where, metadata={}, since=None, until=None)
        return super().subscribe(where=where, **more)


@breaks("APPEND-09")
class ForgetsOldRepeats(Wrapped):
    """Looks for a repeat among the newest 1,000 events of its stream: one that comes later is a conflict."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any, **more: Any) -> Any:
        result = self.store.append(stream_id, events, expected_version=expected_version, **more)
        newest = self._version(stream_id)
        if newest - result.last_version >= _NEAR:
            raise ConcurrencyError(stream_id, expected_version, newest)
        return result

    def _version(self, stream_id: str) -> int:
        try:
            return int(self.store.stream_info(stream_id).version)
        except MinkError:
            return 0


@breaks("READ-06", needs=[Capability.TRANSACTIONS])
class CreatedByTheTransaction(Wrapped):
    """Inside a transaction, `stream_info` looks at its own events alone for when a stream was created."""

    def stream_info(self, stream_id: str) -> Any:
        info = self.store.stream_info(stream_id)
        return replace(info, created_at=info.updated_at) if self.inside else info
