"""What an import looks at of each event beside an append's own checks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mink_core.errors import UsageError
from mink_core.limits import MAX_VERSION

if TYPE_CHECKING:
    from mink_core.events import StoredEvent


def check_version(event: StoredEvent) -> None:
    """Refuse what is no version.

    Raises:
        UsageError: It is no int from 1 to `MAX_VERSION`.
    """
    if type(event.version) is not int or not 0 < event.version <= MAX_VERSION:
        msg = (
            f"event {event.event_id} has version {event.version!r:.60}, but a version is an int from 1 to {MAX_VERSION}; "
            "nothing of this batch was stored"
        )
        raise UsageError(msg)


_LATEST = datetime(9999, 12, 31, tzinfo=UTC)
"""The events that a stream goes on with come after its last one, by a microsecond at least: there must be room for them."""


def timestamp_in_utc(event: StoredEvent) -> datetime:
    """The moment as it will be read.

    Raises:
        UsageError: The timestamp has no time zone, is of a year in UTC that Python does not know, or leaves no room for
            the event after it.
    """
    stamp = event.timestamp
    if stamp.tzinfo is not UTC:
        if stamp.utcoffset() is None:
            msg = f"the timestamp of event {event.event_id} has no time zone; nothing of this batch was stored"
            raise UsageError(msg)
        try:
            stamp = stamp.astimezone(UTC)
        except OverflowError:
            msg = (
                f"the timestamp of event {event.event_id} is not within the years 1 to 9999 of UTC; "
                "nothing of this batch was stored"
            )
            raise UsageError(msg) from None
    if stamp > _LATEST:
        msg = (
            f"the timestamp of event {event.event_id} is later than {_LATEST:%Y-%m-%dT%H:%M}Z, and the next event of its "
            "stream could be of the year 10000, which nobody can read; nothing of this batch was stored"
        )
        raise UsageError(msg)
    return stamp
