"""What a check of the stored data found."""

from __future__ import annotations

import msgspec


class Finding(msgspec.Struct, frozen=True):
    """One thing that is not as the store would have left it."""

    kind: str
    """What was looked at: `stream`, `fence`."""
    subject: str
    """Which one: a stream id, a table."""
    problem: str
    """What is wrong with it."""
