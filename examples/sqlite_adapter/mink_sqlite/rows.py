"""Rows of the tables, as the values of the contract."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mink_core import StreamInfo
from mink_core.adapter import EncodedEvent

if TYPE_CHECKING:
    from collections.abc import Sequence

COLUMNS = "stream_id, version, global_position, event_id, event_type, data, metadata, timestamp"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_time(microseconds: int) -> datetime:
    """The time of a column, exactly: a float of seconds would lose microseconds."""
    return _EPOCH + microseconds * _MICROSECOND


def from_time(time: datetime) -> int:
    """The column of a time."""
    return (time - _EPOCH) // _MICROSECOND


def encoded_event(row: Sequence[Any]) -> EncodedEvent:
    """The event of a row of `COLUMNS`."""
    stream_id, version, position, event_id, event_type, data, metadata, timestamp = row
    return EncodedEvent(stream_id, version, position, UUID(event_id), event_type, data, metadata, to_time(timestamp))


def stream_info(row: Sequence[Any]) -> StreamInfo:
    """The stream of a row of the table `streams`."""
    stream_id, category, version, created_at, updated_at = row
    return StreamInfo(stream_id, category, version, to_time(created_at), to_time(updated_at))
