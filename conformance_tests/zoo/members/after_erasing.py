"""Stores whose marks and records are not what they were, once something was erased beside them."""

from __future__ import annotations

from typing import Any

from conformance_tests.zoo.member import breaks
from conformance_tests.zoo.part import Around, Part
from conformance_tests.zoo.wrapped import Wrapped
from mink_core import Capability, StreamTombstonedError

PRIVACY = [Capability.PRIVACY]


class _Reopening(Part):
    def soft_delete(self, stream_id: str, **more: Any) -> Any:
        record = self.inner.soft_delete(stream_id, **more)
        self.owner.shared.facts[stream_id] = True
        return record


@breaks("PRIV-02", needs=PRIVACY)
class DeletingReopens(Around):
    """Writes the mark of a deletion over that of the tombstone: the stream that was closed takes events again."""

    part, kind = "privacy", _Reopening

    def append(self, stream_id: str, events: Any, *, expected_version: Any, **more: Any) -> Any:
        try:
            return self.store.append(stream_id, events, expected_version=expected_version, **more)
        except StreamTombstonedError:
            if not self.shared.facts.get(stream_id):
                raise
            return self.store.append(f"{stream_id}-", events, expected_version=expected_version, **more)


@breaks("PRIV-01", needs=PRIVACY)
class DeletedAreNotListed(Wrapped):
    """Leaves soft-deleted streams out of the list."""

    def streams(self, **asked: Any) -> Any:
        return (info for info in self.store.streams(**asked) if info.deleted_at is None)


class _LimitFirst(Part):
    def audit(self, *, stream_id: str | None = None, after: int = 0, limit: int = 100) -> Any:
        found = self.inner.audit(after=after, limit=limit)
        return [record for record in found if stream_id in {None, record.stream_id}]


@breaks("PRIV-04", "PRIV-03", needs=PRIVACY)
class AuditsAPageOfAll(Around):
    """Takes a page of the audit and then the stream's records of it: those beyond are not told."""

    part, kind = "privacy", _LimitFirst
