"""Which way a read goes."""

from __future__ import annotations

from enum import Enum


class Direction(Enum):
    """The order of a read. Either way gives the same set of events."""

    FORWARD = "forward"
    """Ascending."""
    BACKWARD = "backward"
    """Descending from the end; `after_version` and `after_position` stay the exclusive lower bound."""
