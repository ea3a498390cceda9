"""Whether an event passes a filter, written down once more: an oracle that shares nothing with an adapter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mink_core import partition_of

if TYPE_CHECKING:
    from mink_core import EventFilter, StoredEvent


def passes(event: StoredEvent, where: EventFilter) -> bool:
    """Axes AND, members OR, empty means everything; `since` inclusive, `until` exclusive."""
    return (
        (not where.event_types or event.event_type in where.event_types)
        and (not where.stream_ids or event.stream_id in where.stream_ids)
        and (not where.categories or event.stream_id.split("-")[0] in where.categories)
        and all(key in event.metadata and _equal(event.metadata[key], want) for key, want in where.metadata.items())
        and (where.since is None or event.timestamp >= where.since)
        and (where.until is None or event.timestamp < where.until)
        and (where.partition is None or partition_of(event.stream_id, where.partition.of) == where.partition.index)
    )


def _equal(found: Any, wanted: Any) -> bool:
    """Numbers equal numbers; true is none; anything else equals its own type only."""
    kinds = [float if type(value) in {int, float} else type(value) for value in (found, wanted)]
    return kinds[0] is kinds[1] and bool(found == wanted)
