"""What psycopg's pools tell of themselves, sync and async alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def pool_figures(stats: Mapping[str, int]) -> dict[str, int]:
    """Connections by state, and calls that wait for one, of a pool's `get_stats`."""
    idle = stats.get("pool_available", 0)
    return {
        "used": stats.get("pool_size", 0) - idle,
        "idle": idle,
        "waiting": stats.get("requests_waiting", 0),
    }
