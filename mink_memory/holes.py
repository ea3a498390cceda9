"""What is left of purged events: rows that keep the places of their versions and positions."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from msgspec.structs import replace

from mink_memory.rows import with_content

if TYPE_CHECKING:
    from mink_memory.rows import Row


def is_hole(row: Row) -> bool:
    """Whether the event was purged."""
    return not row.data


def hole(row: Row) -> Row:
    """What is left of an event."""
    return with_content(replace(row, event_id=uuid4(), event_type=""), "", None)
