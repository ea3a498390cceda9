"""What JetStream cannot take is refused before anything is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mink_core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mink_core.limits import Limits
    from mink_core.prepare import PreparedAppend, PreparedEvent


def check_limits(items: Sequence[PreparedAppend], limits: Limits) -> None:
    """Refuse a call that no batch or no message holds.

    Raises:
        UsageError: Says what the limit is, and what to do.
    """
    count = sum([len(item.events) for item in items])
    if count > limits.call_events:
        msg = (
            f"a call may hold {limits.call_events} events in JetStream, which stores no larger batch at once, not {count}: "
            "append them in several calls"
        )
        raise UsageError(msg)
    for item in items:
        check_sizes(item.events, limits)


def check_sizes(events: Sequence[PreparedEvent], limits: Limits) -> None:
    """Refuse an event that no message holds.

    Raises:
        UsageError: Says what the limit is, and what to do.
    """
    for event in events:
        size = len(event.data.encode()) + len((event.metadata or "").encode())
        if size > limits.event_bytes:
            msg = (
                f"an event may hold {limits.event_bytes} bytes of data and metadata here, as the server's max_payload "
                f"says, not {size}; nothing was stored: raise max_payload, or keep large values elsewhere"
            )
            raise UsageError(msg)
