"""What is locked, and in which order."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mink_core.prepare import PreparedAppend

RecordKey: TypeAlias = tuple[str, Any]
"""A sub-store's table, and the key within it."""

Key: TypeAlias = str | UUID | RecordKey
"""A stream id, an event id where these are unique in the log, or a sub-store's table and key."""


def keys_of(items: Iterable[PreparedAppend], *, unique: bool) -> list[Key]:
    """What these appends lock, in the one order that everybody keeps: batches never deadlock (APPEND-11)."""
    stream_ids = sorted({item.stream_id for item in items})
    if not unique:
        return [*stream_ids]
    return [*stream_ids, *sorted((event.event_id for item in items for event in item.events), key=_as_int)]


_as_int: Callable[[UUID], int] = attrgetter("int")
