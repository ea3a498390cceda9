"""What is left of purged events: rows that keep the places of their versions and positions."""

from __future__ import annotations

from uuid import uuid4

from mink_core.encoded import EncodedEvent


def is_hole(row: EncodedEvent) -> bool:
    """Whether the event was purged."""
    return not row.data


def hole(row: EncodedEvent) -> EncodedEvent:
    """What is left of an event."""
    return EncodedEvent(row.stream_id, row.version, row.global_position, uuid4(), "", "", None, row.timestamp)
