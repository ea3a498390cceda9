"""Events as JSON lines: what `append` reads, which is what `read` and `tail` print."""

from __future__ import annotations

from codecs import BOM_UTF8
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID, uuid4

import msgspec

from mink_core import NewEvent
from mink_core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_WANTED = ("type", "data", "metadata", "event_id", "stream_id")
# Where the event was in the store it was read from: of no use where it goes.
_PASSED_OVER = ("version", "global_position", "timestamp")


class EventLine(NamedTuple):
    """One line: an event, and the stream that the line names."""

    event: NewEvent
    stream_id: str | None


def parse_lines(lines: Iterable[bytes]) -> Iterator[EventLine]:
    """Parse events one a line; empty lines are passed over.

    Raises:
        UsageError: With the number of the line that is wrong.
    """
    for number, line in enumerate(lines, 1):
        text = line if number > 1 else line.removeprefix(BOM_UTF8)
        if text.strip():
            yield _parse(text, number)


def parse_json(text: bytes | str, what: str) -> Any:
    """Decode JSON.

    Raises:
        UsageError: It is none; says `what`.
    """
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        msg = f"{what} is not JSON: {error}"
        raise UsageError(msg) from None


def _parse(line: bytes, number: int) -> EventLine:
    where = f"line {number} of the input"
    given = parse_json(line, where)
    if not isinstance(given, dict):
        msg = f"{where} must be a JSON object with type and data, not {type(given).__name__}"
        raise UsageError(msg)
    if missing := [key for key in ("type", "data") if key not in given]:
        msg = f"{where} has no {missing[0]!r}"
        raise UsageError(msg)
    if unknown := given.keys() - set(_WANTED) - set(_PASSED_OVER):
        msg = f"{where} has {min(unknown)!r:.60}; known are {', '.join(_WANTED)}"
        raise UsageError(msg)
    event = NewEvent(given["type"], given["data"], given.get("metadata"), _event_id(given.get("event_id"), where))
    return EventLine(event, given.get("stream_id"))


def _event_id(text: object, where: str) -> UUID:
    if text is None:
        return uuid4()
    with suppress(ValueError):
        if isinstance(text, str):
            return UUID(text)
    msg = f"{where}: event_id must be a UUID, not {text!r:.60}"
    raise UsageError(msg)
