"""The contract as a model: what a store should hold and answer, in as few lines as it can be said.

It shares nothing with an adapter. Positions and timestamps are what it cannot know: it takes them from
the first read after an append, and holds the store to them from then on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from conformance_tests.expect import same
from conformance_tests.matching import passes
from mink_core import AppendResult, ConcurrencyError, DuplicateEventError, ExpectedVersion, StoredEvent, category_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from mink_core import EventFilter, Expected, MinkError, NewEvent, StreamAppend


@dataclass(eq=False)
class Call:
    """One append, or one item of a batch, that was stored."""

    stream_id: str
    events: list[NewEvent]
    first_version: int
    result: AppendResult | None = None
    stored: list[StoredEvent] = field(default_factory=list)
    """As the store answered and a read gave them: filled in by whoever runs the call."""


@dataclass
class Model:
    """A store, with at most one transaction open."""

    unique: bool
    streams: dict[str, list[Call]] = field(default_factory=dict)
    feed: list[Call] = field(default_factory=list)
    pending: list[Call] | None = None
    """What the open transaction has appended; None where none is open."""

    def calls(self, stream_id: str, *, inside: bool) -> list[Call]:
        """A stream's calls, as seen from inside the open transaction or from outside of it."""
        own = [call for call in self.pending or () if call.stream_id == stream_id] if inside else []
        return [*self.streams.get(stream_id, ()), *own]

    def version(self, stream_id: str, *, inside: bool = False) -> int:
        """A stream's version, 0 where there is none."""
        return sum(len(call.events) for call in self.calls(stream_id, inside=inside))

    def append(self, items: Sequence[StreamAppend], *, inside: bool) -> list[Call] | MinkError:
        """What an append of these items does: calls that are new (no result yet), calls repeated, or an error."""
        fresh: list[Call] = []
        repeated: list[Call] = []
        faults: list[MinkError] = []
        for item in items:
            version = self.version(item.stream_id, inside=inside)
            version += sum(len(call.events) for call in fresh if call.stream_id == item.stream_id)
            found = self._stored_before(item, version, inside=inside)
            if isinstance(found, Call):
                repeated.append(found)
            elif found is not None:
                return found  # a duplicate outweighs everything
            elif not _fits(item.expected_version, version):
                faults.append(ConcurrencyError(item.stream_id, item.expected_version, version))
            fresh.append(Call(item.stream_id, list(item.events), version + 1))
        if repeated:
            return repeated if len(repeated) == len(items) else DuplicateEventError(repeated[0].events[0].event_id)
        if faults:
            return faults[0]
        target = self.feed if self.pending is None or not inside else self.pending
        target.extend(fresh)
        if not inside:
            self._index(fresh)
        return fresh

    def _stored_before(self, item: StreamAppend, version: int, *, inside: bool) -> Call | DuplicateEventError | None:
        """APPEND-09: the call that this one repeats, or why it is refused; None where it is new."""
        given: list[UUID] = [event.event_id for event in item.events]
        near: list[Call]
        exact: Expected = 0 if item.expected_version is ExpectedVersion.NO_STREAM else item.expected_version
        if self.unique:
            everywhere = [*self.feed, *(self.pending or () if inside else ())]
            near = [call for call in everywhere if {event.event_id for event in call.events} & set(given)]
        elif isinstance(exact, int) and exact != version:
            last = exact + len(given)
            near = [
                call
                for call in self.calls(item.stream_id, inside=inside)
                if {id_ for id_, at in _places(call) if exact < at <= last} & set(given)
            ]
        else:
            return None
        if not near:
            return None
        call = near[0]
        placed = call.first_version == exact + 1 if isinstance(exact, int) else True
        if len(near) == 1 and call.stream_id == item.stream_id and placed and _same_events(call.events, item.events):
            return call
        known = {event.event_id for one in near for event in one.events}
        return DuplicateEventError(next(id_ for id_ in given if id_ in known))

    def commit(self) -> None:
        """End the transaction: what it appended is there for everybody."""
        done, self.pending = self.pending or [], None
        self.feed.extend(done)
        self._index(done)

    def _index(self, calls: list[Call]) -> None:
        for call in calls:
            self.streams.setdefault(call.stream_id, []).append(call)

    def stream(self, stream_id: str, *, inside: bool = False) -> list[StoredEvent]:
        """The events of a stream."""
        return [event for call in self.calls(stream_id, inside=inside) for event in call.stored]

    def visible(self, where: EventFilter) -> list[StoredEvent]:
        """The feed that every reader is shown: up to the open transaction's first append (FEED-07)."""
        events = sorted((it for call in self.feed for it in call.stored), key=lambda it: it.global_position)
        held = self.pending[0].stored[0].global_position if self.pending else None
        return [it for it in events if (held is None or it.global_position < held) and passes(it, where)]

    def names(self, category: str | None, after: str | None, *, inside: bool) -> list[str]:
        """The streams that are listed."""
        own = {call.stream_id for call in self.pending or ()} if inside else set[str]()
        names = sorted({*self.streams, *own})
        return [it for it in names if category in {None, category_of(it)} and it > (after or "")]


def _fits(expected: Expected, version: int) -> bool:
    if isinstance(expected, int):
        return version == expected
    return expected is ExpectedVersion.ANY or (version == 0) is (expected is ExpectedVersion.NO_STREAM)


def _places(call: Call) -> list[tuple[UUID, int]]:
    return [(event.event_id, call.first_version + index) for index, event in enumerate(call.events)]


def _same_events(one: Sequence[NewEvent], other: Sequence[NewEvent]) -> bool:
    keys = [[(it.event_id, it.event_type, it.data, it.metadata or {}) for it in events] for events in (one, other)]
    return same(keys[0], keys[1])
