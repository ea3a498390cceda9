"""Stores that forget what was asked of a durable subscription, or go through what they are given twice."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from conformance_tests.zoo.member import breaks
from conformance_tests.zoo.part import Around, Part
from conformance_tests.zoo.wrapped import Wrapped
from mink_core import Capability, EventFilter
from mink_core.adapter import EVERYTHING

DURABLE = [Capability.DURABLE_SUBSCRIPTIONS]


@breaks("SUB-06", needs=DURABLE)
class BeginsAtTheBeginning(Wrapped):
    """A new durable subscription begins at the beginning, whatever `after_position` says."""

    def subscription(self, name: str, handler: Any, *, after_position: Any = 0, **more: Any) -> Any:
        self.store.subscription(name, handler, after_position=after_position, **more)
        return self.store.subscription(name, handler, **more)


@breaks("SUB-06", needs=DURABLE)
class WritesDownWhatWasHandled(Wrapped):
    """Writes no position down before an event was handled: "from now on" is forgotten with a worker that had none."""

    def subscription(self, name: str, handler: Any, *, after_position: Any = 0, **more: Any) -> Any:
        facts = self.shared.facts
        if facts.get(name) == 0:
            self.store.subscriptions.reset(name)
        facts.setdefault(name, 0 if after_position is None else 1)

        def handle(event: Any, *transaction: Any) -> Any:
            facts[name] += 1
            return handler(event, *transaction)

        return self.store.subscription(name, handle, after_position=after_position, **more)


@breaks("SUB-06", "READ-05", needs=[*DURABLE, Capability.METADATA_FILTER])
class WorksOnWhateverMetadata(Wrapped):
    """A durable subscription's filter has types, streams and categories alone."""

    def subscription(self, name: str, handler: Any, *, where: EventFilter = EVERYTHING, **more: Any) -> Any:
        if isinstance(where, EventFilter):
            where = replace(where, metadata={}, since=None, until=None)
        return self.store.subscription(name, handler, where=where, **more)


class _PausesAll(Part):
    def pause(self, name: str) -> None:
        self.inner.pause(name)
        for status in self.inner.list():
            self.inner.pause(status.name)


@breaks("SUB-10", "SUB-09", needs=DURABLE)
class PausesEverybody(Around):
    """Pauses every subscription where one is named."""

    part, kind = "subscriptions", _PausesAll


class _FirstTime(Part):
    def load(self, name: str) -> Any:
        found = self.inner.load(name)
        return found and replace(found, updated_at=self.owner.shared.facts.setdefault(name, found.updated_at))


@breaks("SUB-08", needs=[Capability.CHECKPOINTS])
class TimeOfTheFirstSave(Around):
    """A checkpoint's time is that of its first save: nobody is seen to stand still."""

    part, kind = "checkpoints", _FirstTime


@breaks("OUTBOX-01", needs=[Capability.OUTBOX])
class GoesThroughMessagesTwice(Wrapped):
    """Goes through the messages of an append twice: those of a generator are gone the second time."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any, **more: Any) -> Any:
        if hasattr(more.get("outbox"), "__next__"):
            list(more["outbox"])
        return self.store.append(stream_id, events, expected_version=expected_version, **more)
