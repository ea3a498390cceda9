"""The lines of an export: a head, the events as `mink read` prints them, a line a stream, an end.

{"mink_export": 1, "store": "…", "epoch": 1, "head": 3}
{"stream_id": "order-1", "version": 1, "global_position": 1, "event_id": "…", "type": "…", …}
{"mink_mark": {"stream_id": "order-1", "tombstoned_at": "…", …}}
{"mink_stream": "order-1", "version": 1, "events": 1, "digest": "…"}
{"mink_end": {"events": 1, "streams": 1, "marks": 1, "order": "…"}}
"""

from __future__ import annotations

from codecs import BOM_UTF8
from datetime import datetime  # noqa: TC003 -- looked up at run time by msgspec
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import UUID  # noqa: TC003 -- looked up at run time by msgspec

import msgspec

from mink_core.administration import StreamMark  # noqa: TC001 -- as above
from mink_core.errors import UsageError
from mink_core.events import StoredEvent
from mink_core.json_codec import encode_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FORMAT = 1
HEAD_BEGINS = b'{"mink_export"'
"""What an export begins with."""


class Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The first line: which store, and up to where."""

    mink_export: int
    store: UUID
    epoch: int
    head: int
    """The newest position when the export began: what a progress bar ends at."""
    marks: int = 0
    """Streams with marks when the export began, so that who takes none refuses the file before an event is stored."""


class MarkLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What privacy operations have done to a stream, for those that have one."""

    mink_mark: StreamMark


class StreamLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What stands for a stream."""

    mink_stream: str
    version: int
    events: int
    digest: str


class Totals(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What stands for the whole."""

    events: int
    streams: int
    marks: int
    order: str


class End(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The last line: without it, the file is not complete."""

    mink_end: Totals


class _EventLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    stream_id: str
    version: int
    global_position: int
    event_id: UUID
    type: str
    data: Any
    metadata: dict[str, Any]
    timestamp: datetime


Line: TypeAlias = Head | StoredEvent | MarkLine | StreamLine | End

_encode = msgspec.json.Encoder().encode
_event = msgspec.json.Decoder(_EventLine).decode
_OTHERS: tuple[tuple[bytes, Any], ...] = (
    (HEAD_BEGINS, msgspec.json.Decoder(Head).decode),
    (b'{"mink_mark"', msgspec.json.Decoder(MarkLine).decode),
    (b'{"mink_stream"', msgspec.json.Decoder(StreamLine).decode),
    (b'{"mink_end"', msgspec.json.Decoder(End).decode),
)


def event_line(event: StoredEvent) -> bytes:
    """An event as a line. Large floats are written without an exponent, so that any database keeps them floats."""
    return _encode(
        {
            "stream_id": event.stream_id,
            "version": event.version,
            "global_position": event.global_position,
            "event_id": event.event_id,
            "type": event.event_type,
            "data": msgspec.Raw(encode_json(event.data).encode()),
            "metadata": msgspec.Raw(encode_json(event.metadata, "metadata").encode()),
            "timestamp": event.timestamp,
        }
    )


def other_line(line: Head | MarkLine | StreamLine | End) -> bytes:
    """Any other line."""
    return _encode(line)


def parse(lines: Iterable[bytes]) -> Iterator[tuple[int, Line]]:
    """The lines of an export with their numbers.

    Raises:
        UsageError: A line is not one of an export; says which and why.
    """
    for number, line in enumerate(lines, 1):
        try:
            yield number, _parse(line if number > 1 else line.removeprefix(BOM_UTF8))
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            msg = f"line {number} is not a line of an export: {error}"
            raise UsageError(msg) from None


def _parse(line: bytes) -> Line:
    for start, decode in _OTHERS:
        if line.startswith(start):
            other: Line = decode(line)
            return other
    it = _event(line)
    return StoredEvent(
        it.stream_id, it.version, it.global_position, it.event_id, it.type, it.data, it.metadata, it.timestamp
    )
