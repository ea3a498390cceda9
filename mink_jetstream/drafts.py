"""A call while it is decided on, in memory."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from mink_core.deciding import Staging
from mink_core.encoded import EncodedEvent, encode_events
from mink_jetstream.messages import StreamTail

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mink_core.prepare import PreparedAppend

_TICK = timedelta(microseconds=1)


class Write(NamedTuple):
    """One item of a call that is to be stored."""

    item: PreparedAppend
    version: int
    """The stream's version before it."""
    time: datetime


class Draft(Staging):
    """A call while it is decided on, on what was read. Positions are counted from 1 until the server gives them."""

    def __init__(self, tails: dict[str, StreamTail], spans: dict[str, list[EncodedEvent]]) -> None:
        self._tails = dict(tails)
        self._spans = spans
        self.writes: list[Write] = []
        self.count = 0

    def version(self, stream_id: str) -> int:
        """See `Staging.version`."""
        return self._tails[stream_id].version

    def span(self, stream_id: str, after_version: int, last_version: int) -> Sequence[EncodedEvent]:
        """See `Staging.span`."""
        return [row for row in self._spans.get(stream_id, ()) if after_version < row.version <= last_version]

    def insert(self, item: PreparedAppend, version: int) -> Sequence[EncodedEvent]:
        """See `Staging.insert`."""
        time = next_time(self._tails[item.stream_id])
        rows = encode_events(item, version, self.count, time)
        self.count += len(rows)
        self.writes.append(Write(item, version, time))
        self._tails[item.stream_id] = StreamTail(version + len(rows), 0, time)
        self._spans.setdefault(item.stream_id, []).extend(rows)
        return rows


def rests(writes: Sequence[Write]) -> Iterator[str]:
    """For each event of a call, what its header `REST` says; empty where none comes after it."""
    left: dict[str, int] = {}
    for item, _, _ in writes:
        left[item.stream_id] = left.get(item.stream_id, 0) + len(item.events)
    total = sum(left.values())
    for item, _, _ in writes:
        for _ in item.events:
            total -= 1
            left[item.stream_id] -= 1
            yield f"{left[item.stream_id]} {total}" if total else ""


def next_time(tail: StreamTail) -> datetime:
    """The time now, but after a stream's newest event (READ-07)."""
    now = datetime.now(UTC)
    return now if tail.time is None else max(now, tail.time + _TICK)
