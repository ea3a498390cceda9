"""What privacy operations have done to a stream, as an adapter keeps it (rule PRIV)."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 -- msgspec resolves a Struct's annotations at run time

import msgspec


class StreamState(msgspec.Struct, frozen=True):
    """The marks on one stream; most streams have none."""

    hidden_version: int = 0
    """Soft-deleted: events up to here read as missing."""
    deleted_at: datetime | None = None
    """Until it is appended to again."""
    tombstoned: bool = False
    purged_version: int = 0
    """Events up to here are gone for good."""
    erased: tuple[tuple[int, int], ...] = ()
    """First and last versions whose states may hold what a redaction or a purge has erased (PRIV-05)."""

    def has_erased(self, version: int) -> bool:
        """Whether a state at a version may hold what is hidden or erased, so that a snapshot of it is not taken or given out."""
        return version <= max(self.hidden_version, self.purged_version) or any(
            first <= version <= last for first, last in self.erased
        )


UNMARKED = StreamState()
