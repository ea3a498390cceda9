"""`mink append`."""

import sys
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Annotated

import typer

from mink_core import AppendResult, Expected, ExpectedVersion, NewEvent, Store, StreamAppend
from mink_core.cli.event_lines import EventLine, parse_json, parse_lines
from mink_core.cli.failures import leave_closed_pipe
from mink_core.cli.output import Printer, batches
from mink_core.cli.session import Session
from mink_core.cli.views import RESULTS
from mink_core.errors import UsageError
from mink_core.expected import exact_version
from mink_core.limits import MAX_CALL_EVENTS

EXAMPLES = """\
Examples:
  mink append order-42 --expect none --type OrderPlaced --data '{"total": 12}'
  mink append order-42 --expect 1 < events.jsonl
  mink read order-42 | mink append copy-42 --expect none
  mink read --category order | mink append --expect none --store URL

\b
A line of the input:
  {"type": "OrderPlaced", "data": {"total": 12}, "metadata": {"user_id": "u1"}}
It may also say "event_id" (to repeat a call safely after a lost reply) and
"stream_id" (the stream, where no STREAM is given; a given STREAM wins).
What mink read prints is such a line.
"""

_WORDS = {
    "any": ExpectedVersion.ANY,
    "none": ExpectedVersion.NO_STREAM,
    "exists": ExpectedVersion.STREAM_EXISTS,
}


def append(
    session: Session,
    *,
    expect: Annotated[
        str,
        typer.Option(
            "--expect",
            metavar="any|none|exists|N",
            help="What the stream must be: at version N, absent (none), there (exists), or any.",
        ),
    ],
    stream: Annotated[str | None, typer.Argument(metavar="STREAM", help="The stream.", show_default=False)] = None,
    event_type: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help="Append one event, of this type.", show_default=False)
    ] = None,
    data: Annotated[str | None, typer.Option("--data", metavar="JSON", help="Its data.", show_default=False)] = None,
    metadata: Annotated[
        str | None, typer.Option("--metadata", metavar="JSON", help="Its metadata, an object.", show_default=False)
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option(
            "--batch",
            metavar="N",
            min=1,
            max=MAX_CALL_EVENTS,
            help="Append every N lines by a call of their own, rather than all lines or none.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Append events, all of them or none.

    One event by --type and --data, or JSON lines from stdin. Prints where they are, a result a stream;
    where nobody reads that any more, the rest is stored all the same.
    """
    expected = parse_expected(expect)
    printer = Printer(session, RESULTS)
    if event_type is not None:
        lines: Iterable[EventLine] = [_one(stream, event_type, data, metadata)]
    elif data is not None or metadata is not None:
        msg = "--data and --metadata belong to one event: give its --type too"
        raise UsageError(msg)
    else:
        lines = parse_lines(_stdin())
    with session.open() as opened:
        appender = Appender(opened, stream, expected)
        for group in batches(lines, batch) if batch else [_at_once(lines)]:
            results = appender.send(group)
            try:
                printer.batch(results)
            except BrokenPipeError:
                leave_closed_pipe()  # nobody reads the results, but all of the input was to be stored


def parse_expected(text: str) -> Expected:
    """The expectation that `--expect` says.

    Raises:
        UsageError: It is none.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text.isascii() and text.isdecimal():
        return int(text)
    msg = f"--expect takes any, none, exists or a version of at least 0, not {text!r:.60}"
    raise UsageError(msg)


class Appender:
    """Appends groups of lines; what a stream is expected to be goes on from call to call."""

    def __init__(self, store: Store, stream: str | None, expected: Expected) -> None:
        """Expect `expected` of every stream that the lines name, or of `stream` alone."""
        self._store = store
        self._stream = stream
        self._first = expected
        self._next: dict[str, Expected] = {}

    def send(self, lines: list[EventLine]) -> list[AppendResult]:
        """Append lines, all or none: neighbours of one stream in one item, in the order they came."""
        items: list[StreamAppend] = []
        for stream_id, group in groupby(lines, self._stream_of):
            events = [line.event for line in group]
            expected = self._next.get(stream_id, self._first)
            items.append(StreamAppend(stream_id, events, expected))
            version = exact_version(expected)
            self._next[stream_id] = expected if version is None else version + len(events)
        if len(items) == 1:
            item = items[0]
            return [self._store.append(item.stream_id, item.events, expected_version=item.expected_version)]
        return self._store.append_batch(items)

    def _stream_of(self, line: EventLine) -> str:
        stream_id = self._stream if self._stream is not None else line.stream_id
        if stream_id is None:
            msg = "which stream? Give STREAM, or stream_id in every line; nothing of this call was stored"
            raise UsageError(msg)
        return stream_id


def _one(stream: str | None, event_type: str, data: str | None, metadata: str | None) -> EventLine:
    if stream is None or data is None:
        msg = "one event needs STREAM, --type and --data"
        raise UsageError(msg)
    extra = None if metadata is None else parse_json(metadata, "--metadata")
    return EventLine(NewEvent(event_type, parse_json(data, "--data"), extra), None)


def _stdin() -> Iterator[bytes]:
    if sys.stdin.isatty():
        sys.stderr.write("mink: reading events, one JSON object a line; Ctrl-D ends them\n")
    yield from sys.stdin.buffer


def _at_once(lines: Iterable[EventLine]) -> list[EventLine]:
    given: list[EventLine] = []
    for line in lines:
        given.append(line)
        if len(given) > MAX_CALL_EVENTS:
            msg = f"one append holds {MAX_CALL_EVENTS} events at most: --batch N appends the lines in several calls"
            raise UsageError(msg)
    if not given:
        msg = "the input holds no event; nothing was stored"
        raise UsageError(msg)
    return given
