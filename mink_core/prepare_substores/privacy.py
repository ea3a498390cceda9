"""Privacy operations, checked and encoded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mink_core.errors import UsageError
from mink_core.events import NewEvent
from mink_core.limits import MAX_VERSION, check_between, check_count, check_stream_id, check_text
from mink_core.prepare import prepare_append

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from mink_core.prepare import PreparedEvent
    from mink_core.transforms import EventTransform

_MAX_REASON = 2000


def check_operation(stream_id: object, by: object, reason: object) -> None:
    """Check what all operations take.

    Raises:
        UsageError: One is wrong; nothing was sent.
    """
    check_stream_id(stream_id)
    check_text(by, "by")
    if reason != "":
        check_text(reason, "reason", _MAX_REASON)


def check_redaction(version: object, data: object, metadata: object, transforms: Sequence[EventTransform]) -> None:
    """Refuse what no event can hold, before the event is looked for.

    Where the store has transforms, they alone tell what they take, an object of a registered class for example, and
    only once the event's type is known: `redacted_event` asks them.

    Raises:
        UsageError: One is wrong.
    """
    check_between(version, "version", 1, MAX_VERSION)
    if metadata is not None and type(metadata) is not dict:
        msg = f"metadata must be a dict or None, not {type(metadata).__name__}"
        raise UsageError(msg)
    if not transforms:
        prepare_append("redact", [NewEvent("Redacted", data, metadata)], 0)


def redacted_event(  # noqa: PLR0913, PLR0917 -- what an event is made of
    stream_id: str,
    event_id: UUID,
    event_type: str,
    data: Any,
    metadata: dict[str, Any] | None,
    transforms: Sequence[EventTransform],
) -> PreparedEvent:
    """The event's new content, through the store's transforms, as readers get it back through them."""
    event = NewEvent(event_type, data, metadata, event_id)
    return prepare_append(stream_id, [event], 0, transforms).events[0]


def check_purge(stream_id: object, up_to_version: object, by: object, reason: object) -> None:
    """Check the arguments of `purge`.

    Raises:
        UsageError: One is wrong; nothing was sent.
    """
    check_operation(stream_id, by, reason)
    if up_to_version is not None:
        check_between(up_to_version, "up_to_version", 1, MAX_VERSION)


def check_audit(stream_id: object, after: object, limit: object) -> None:
    """Check the arguments of `audit`.

    Raises:
        UsageError: One is wrong.
    """
    if stream_id is not None:
        check_stream_id(stream_id)
    check_count(after, "after")
    check_count(limit, "limit")
