"""What privacy operations have done to a stream, as an adapter keeps it (rules PRIV-01 and PRIV-02)."""

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


UNMARKED = StreamState()
