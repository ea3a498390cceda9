"""How events, streams and results look, as JSON and in a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from mink_core.cli.output import Column, View

if TYPE_CHECKING:
    from datetime import datetime

    from mink_core import AppendResult, Finding, StoredEvent, StreamInfo

_SHOWN_JSON = 500


def moment(when: datetime | None) -> str:
    """A time in UTC, to the second."""
    return "" if when is None else f"{when:%Y-%m-%d %H:%M:%S}"


def compact(value: Any) -> str:
    """A JSON value on one line, cut where no terminal is that wide."""
    return msgspec.json.encode(value).decode()[:_SHOWN_JSON]


def _event_record(event: StoredEvent) -> dict[str, Any]:
    return {
        "stream_id": event.stream_id,
        "version": event.version,
        "global_position": event.global_position,
        "event_id": event.event_id,
        "type": event.event_type,
        "data": event.data,
        "metadata": event.metadata,
        "timestamp": event.timestamp,
    }


def _event_cells(event: StoredEvent) -> list[str]:
    return [
        str(event.global_position),
        moment(event.timestamp),
        event.stream_id,
        str(event.version),
        event.event_type,
        compact(event.data),
    ]


EVENTS: View[StoredEvent] = View(
    _event_record,
    [
        Column("Position", width=10, right=True),
        Column("Time (UTC)", width=19),
        Column("Stream", share=3),
        Column("Version", width=7, right=True),
        Column("Type", share=3),
        Column("Data", share=4),
    ],
    _event_cells,
)


STREAMS: View[StreamInfo] = View(
    msgspec.structs.asdict,
    [
        Column("Stream", share=1),
        Column("Version", width=9, right=True),
        Column("Created (UTC)", width=19),
        Column("Newest event (UTC)", width=27),
    ],
    lambda info: [
        info.stream_id,
        str(info.version),
        moment(info.created_at),
        "deleted " + moment(info.deleted_at) if info.deleted_at else moment(info.updated_at),
    ],
)


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first} to {last}"


RESULTS: View[AppendResult] = View(
    msgspec.structs.asdict,
    [
        Column("Stream", share=1),
        Column("Events", width=7, right=True),
        Column("Versions", width=20, right=True),
        Column("Positions", width=24, right=True),
    ],
    lambda result: [
        result.stream_id,
        str(len(result.event_ids)),
        _span(result.first_version, result.last_version),
        _span(result.first_position, result.last_position),
    ],
)


FINDINGS: View[Finding] = View(
    msgspec.structs.asdict,
    [Column("Kind", width=8), Column("Subject", share=2, fold=True), Column("Problem", share=4, fold=True)],
    lambda finding: [finding.kind, finding.subject, finding.problem],
)
