"""Whether a call is the repeat of one that was stored before (rule APPEND-09)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mink_core.errors import DuplicateEventError
from mink_core.expected import ExpectedVersion
from mink_core.json_codec import decode_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mink_core.expected import Expected
    from mink_core.prepare import PreparedAppend, PreparedEvent
    from mink_memory.rows import Row


def fits(expected: Expected, version: int) -> bool:
    """Whether a stream at `version` is as expected."""
    if expected is ExpectedVersion.ANY:
        return True
    if expected is ExpectedVersion.NO_STREAM:
        return version == 0
    if expected is ExpectedVersion.STREAM_EXISTS:
        return version > 0
    return version == expected


def is_repeat(item: PreparedAppend, before: Row | None, stored: Sequence[Row], after: Row | None) -> bool:
    """Compare a call with the stored events that stand where its own would stand.

    All events of one append have one timestamp, and the stream's other events have another: that
    tells where the first call began and ended.

    Args:
        item: The call, of n events.
        before: The event at the version the call expects, if there is one.
        stored: The at most n events that follow it.
        after: The event that follows those, if there is one.

    Returns:
        Whether this is the same call; False when it shares no event id with what is stored.

    Raises:
        DuplicateEventError: It shares an id, but is not the same call.
    """
    known = {row.event_id for row in stored}
    shared = next((event.event_id for event in item.events if event.event_id in known), None)
    if shared is None:
        return False
    if [row.event_id for row in stored] != [event.event_id for event in item.events]:
        raise DuplicateEventError(shared)
    for event, row in zip(item.events, stored, strict=True):
        if not _same_content(event, row):
            raise DuplicateEventError(event.event_id)
    stamp = stored[0].timestamp
    if (
        stored[-1].timestamp != stamp
        or (before is not None and before.timestamp == stamp)
        or (after is not None and after.timestamp == stamp)
    ):
        raise DuplicateEventError(shared)
    return True


def _same_content(event: PreparedEvent, row: Row) -> bool:
    return (
        event.event_type == row.event_type
        and _same_json(event.data, row.data)
        # Absent metadata reads back as {}: a repeat that gives {} is the same call.
        and _same_json(event.metadata or "{}", row.metadata or "{}")
    )


def _same_json(one: str, other: str) -> bool:
    # Equal texts are the common case; the order of keys is all that may differ in equal values.
    return one == other or _same(decode_json(one), decode_json(other))


def _same(one: Any, other: Any) -> bool:
    if type(one) is not type(other):  # 1, 1.0 and true are three values
        return False
    if type(one) is dict:
        return one.keys() == other.keys() and all(_same(item, other[key]) for key, item in one.items())
    if type(one) is list:
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)
