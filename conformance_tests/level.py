"""The levels that the kit is run at."""

from __future__ import annotations

from enum import IntEnum


class Level(IntEnum):
    """How much is run."""

    SMOKE = 1
    """Under 15 seconds in memory."""
    STANDARD = 2
    """Under 2 minutes in memory, 4 on PostgreSQL."""
    DEEP = 3
    """As long as it is given."""
