"""Stores that keep, or take later, the state of what was erased."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from conformance_tests.zoo.member import breaks
from conformance_tests.zoo.part import Part
from conformance_tests.zoo.wrapped import Wrapped
from mink_core import Capability, Snapshot


class _WithOthers(Part):
    """Snapshots, and beside them those that the store inside has not."""

    def load(self, stream_id: str, *, at_version: int | None = None, **more: Any) -> Any:
        found = self.inner.load(stream_id, at_version=at_version, **more)
        others = self.owner.shared.facts.get(("states", stream_id), {})
        fit: dict[int, Any] = {it: state for it, state in others.items() if at_version is None or it <= at_version}
        if found is not None:
            fit[found.version] = found
        return fit[max(fit)] if fit else None


class _Takes(_WithOthers):
    def save(self, stream_id: str, version: int, data: Any, **more: Any) -> bool:
        newest = self.load(stream_id)
        if self.inner.save(stream_id, version, data, **more):
            return True
        if newest is not None and newest.version > version:
            return False
        late = Snapshot(stream_id, version, data, "", 1, datetime.now(UTC))
        self.owner.shared.facts.setdefault(("states", stream_id), {})[version] = late
        return True


@breaks("PRIV-05", needs=[Capability.PRIVACY, Capability.SNAPSHOTS])
class SavesWhatWasErased(Wrapped):
    """Saves whatever state comes: one that was read before a redaction, and is saved after it, tells what was redacted."""

    @property
    def snapshots(self) -> Any:
        return _Takes(self.store.snapshots, self)


class _Sparing(Part):
    def redact(self, stream_id: str, version: int, **more: Any) -> Any:
        kept = self.owner.store.snapshots.load(stream_id)
        record = self.inner.redact(stream_id, version, **more)
        if kept is not None:
            self.owner.shared.facts.setdefault(("states", stream_id), {})[kept.version] = kept
        return record


@breaks("PRIV-05", needs=[Capability.PRIVACY, Capability.SNAPSHOTS])
class SnapshotsTellWhatWasRedacted(Wrapped):
    """Leaves the snapshots that were made of an event before it was redacted."""

    @property
    def privacy(self) -> Any:
        return _Sparing(self.store.privacy, self)

    @property
    def snapshots(self) -> Any:
        return _WithOthers(self.store.snapshots, self)
