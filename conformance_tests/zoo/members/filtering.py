"""Filters that let through too much, or too little."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from conformance_tests.zoo.member import breaks
from conformance_tests.zoo.wrapped import Wrapped, passes
from mink_core import Capability, EventFilter, StoredEvent
from mink_core.adapter import EVERYTHING


class _Filtering(Wrapped):
    """Filters the feed itself."""

    def lets(self, where: EventFilter, event: StoredEvent) -> bool:
        return passes(where, event)

    def read_all(self, *, limit: int | None = None, where: EventFilter = EVERYTHING, **arguments: Any) -> Any:
        self.store.read_all(limit=limit, where=where, **arguments)
        found = (event for event in self.store.read_all(**arguments) if self.lets(where, event))
        return (event for _, event in zip(range(2**31 if limit is None else limit), found, strict=False))

    def poll(self, after_position: int, *, where: EventFilter = EVERYTHING, **arguments: Any) -> Any:
        self.store.poll(after_position, where=where, **arguments)
        page = self.store.poll(after_position, **arguments)
        return type(page)([event for event in page.events if self.lets(where, event)], page.next_position)


@breaks("READ-05")
class CategoryByPrefix(_Filtering):
    """Takes every stream whose id starts with a category to be of it."""

    def lets(self, where: EventFilter, event: StoredEvent) -> bool:
        if where.categories and not event.stream_id.startswith(where.categories):
            return False
        return passes(replace(where, categories=()), event)


@breaks("READ-05")
class CategoryByLastDash(_Filtering):
    """Takes what stands before the last dash for the category."""

    def lets(self, where: EventFilter, event: StoredEvent) -> bool:
        if where.categories and event.stream_id.rpartition("-")[0] not in where.categories:
            return event.stream_id in where.categories and passes(replace(where, categories=()), event)
        return passes(replace(where, categories=()), event)


@breaks("READ-05")
class TypesByLike(_Filtering):
    """Looks for event types by LIKE: `_` and `%` match more than themselves."""

    def lets(self, where: EventFilter, event: StoredEvent) -> bool:
        patterns = [
            "".join({"_": ".", "%": ".*"}.get(char, re.escape(char)) for char in it) for it in where.event_types
        ]
        if patterns and not any(re.fullmatch(pattern, event.event_type, re.DOTALL) for pattern in patterns):
            return False
        return passes(replace(where, event_types=()), event)


@breaks("READ-05")
class IgnoresCase(_Filtering):
    """Compares stream ids without regard to case."""

    def lets(self, where: EventFilter, event: StoredEvent) -> bool:
        wanted = {stream_id.lower() for stream_id in where.stream_ids}
        if wanted and event.stream_id.lower() not in wanted:
            return False
        return passes(replace(where, stream_ids=()), event)


@breaks("READ-05")
class AxesOr(_Filtering):
    """Lets an event through that passes one of two axes."""

    def lets(self, where: EventFilter, event: StoredEvent) -> bool:
        if where.event_types and where.categories:
            rest = replace(where, event_types=(), categories=())
            by_type, by_category = (
                replace(rest, event_types=where.event_types),
                replace(rest, categories=where.categories),
            )
            return passes(by_type, event) or passes(by_category, event)
        return passes(where, event)


@breaks("READ-05")
class FirstOfAnAxis(_Filtering):
    """Looks at the first member of each axis only."""

    def lets(self, where: EventFilter, event: StoredEvent) -> bool:
        return passes(replace(where, event_types=where.event_types[:1], stream_ids=where.stream_ids[:1]), event)


@breaks("READ-05", needs=[Capability.METADATA_FILTER])
class TrueIsANumber(_Filtering):
    """Compares metadata as Python does: true equals 1."""

    def lets(self, where: EventFilter, event: StoredEvent) -> bool:
        if any(event.metadata.get(key, event) != value for key, value in where.metadata.items()):
            return False
        return passes(replace(where, metadata={}), event)


@breaks("READ-05", needs=[Capability.METADATA_FILTER])
class NumbersAsText(_Filtering):
    """Compares metadata by its text: 1 and 1.0 differ."""

    def lets(self, where: EventFilter, event: StoredEvent) -> bool:
        if any(repr(event.metadata.get(key, event)) != repr(value) for key, value in where.metadata.items()):
            return False
        return passes(replace(where, metadata={}), event)


@breaks("READ-05", needs=[Capability.METADATA_FILTER])
class AbsentIsNull(_Filtering):
    """Finds an event without the key where null is asked for."""

    def lets(self, where: EventFilter, event: StoredEvent) -> bool:
        asked = {key: value for key, value in where.metadata.items() if value is not None or key in event.metadata}
        return passes(replace(where, metadata=asked), event)


@breaks("READ-05", needs=[Capability.TIME_FILTER])
class SinceExclusive(_Filtering):
    """Leaves out the event at `since` itself."""

    def lets(self, where: EventFilter, event: StoredEvent) -> bool:
        return passes(where, event) and event.timestamp != where.since


@breaks("READ-05", needs=[Capability.TIME_FILTER])
class UntilInclusive(_Filtering):
    """Gives the event at `until` as well."""

    def lets(self, where: EventFilter, event: StoredEvent) -> bool:
        until = where.until + timedelta(microseconds=1) if where.until else None
        return passes(replace(where, until=until), event)


@breaks("READ-05")
class NobodyIsEverybody(Wrapped):
    """A filter for one stream that does not exist lets everything through."""

    def poll(self, after_position: int, *, where: EventFilter = EVERYTHING, **arguments: Any) -> Any:
        page = self.store.poll(after_position, where=where, **arguments)
        known = {info.stream_id for info in self.store.streams()}
        if where.stream_ids and not known & set(where.stream_ids):
            return self.store.poll(after_position, where=replace(where, stream_ids=()), **arguments)
        return page
