"""Stores whose readers do not bear that events are erased beside them, and one that knows its workers too well."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from conformance_tests.zoo.member import breaks
from conformance_tests.zoo.part import Part
from conformance_tests.zoo.wrapped import Wrapped
from mink_core import Capability, Direction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mink_core import StoredEvent

_PAGE = 50


class _Noting(Part):
    def purge(self, stream_id: str, *, up_to_version: int | None = None, **more: Any) -> Any:
        record = self.inner.purge(stream_id, up_to_version=up_to_version, **more)
        self.owner.shared.facts["purged", stream_id] = record.version
        return record


@breaks("PRIV-04", needs=[Capability.PRIVACY])
class FetchesDataLate(Wrapped):
    """Lists a page of events first, and fetches each one's data as it is given: what is purged in between comes without."""

    @property
    def privacy(self) -> Any:
        return _Noting(self.store.privacy, self)

    def read_all(self, **arguments: Any) -> Iterator[StoredEvent]:
        return self._given(self.store.read_all(**arguments))

    def _given(self, events: Iterator[StoredEvent]) -> Iterator[StoredEvent]:
        while page := list(islice(events, _PAGE)):
            for event in page:
                is_gone = event.version <= self.shared.facts.get(("purged", event.stream_id), 0)
                yield replace(event, data=None, metadata={}) if is_gone else event


@breaks("PRIV-04", needs=[Capability.PRIVACY])
class PagesByOffset(Wrapped):
    """Counts how many events it has given, and goes on behind so many: a purge of some of them takes others with it."""

    def read_all(self, **arguments: Any) -> Iterator[StoredEvent]:
        events = self.store.read_all(**arguments)
        is_plain = arguments.get("limit") is None and arguments.get("direction") is not Direction.BACKWARD
        return self._given(events, arguments, self.store.head_position()) if is_plain else events

    def _given(self, events: Iterator[StoredEvent], arguments: dict[str, Any], end: int) -> Iterator[StoredEvent]:
        given = 0
        while page := [event for event in islice(events, _PAGE) if event.global_position <= end]:
            yield from page
            given += len(page)
            events = islice(self.store.read_all(**arguments), given, None)


class _Knowing(Part):
    def hold(self, name: str, owner: str, **more: Any) -> Any:
        found = self.inner.hold(name, owner, **more)
        return replace(found, leases=tuple(self._known(owner, lease) for lease in found.leases))

    def _known(self, owner: str, lease: Any) -> Any:
        facts, key = self.owner.shared.facts, ("lease", lease.subscription, lease.partition)
        before, told, _ = facts.get(key, (None, None, None))
        facts[key] = (owner, told if before == owner else lease, lease)
        return facts[key][1]

    def save(self, *arguments: Any, lease: Any = None, **more: Any) -> Any:
        return self.inner.save(*arguments, lease=_real(self.owner, lease), **more)

    def release(self, lease: Any) -> Any:
        return self.inner.release(_real(self.owner, lease))


def _real(owner: Wrapped, lease: Any) -> Any:
    if lease is None:
        return None
    _, told, real = owner.shared.facts.get(("lease", lease.subscription, lease.partition), (None, None, None))
    return real if lease == told else lease


@breaks("SUB-09", needs=[Capability.DURABLE_SUBSCRIPTIONS, Capability.CHECKPOINTS])
class KnowsItsWorkers(Wrapped):
    """Gives a worker that left and is back its former token: a save from before it left is taken."""

    @property
    def subscriptions(self) -> Any:
        return _Knowing(self.store.subscriptions, self)

    @property
    def checkpoints(self) -> Any:
        return _Knowing(self.store.checkpoints, self)
