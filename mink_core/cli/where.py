"""The options that say which events of the feed are wanted."""

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
import typer

from mink_core import EventFilter
from mink_core.errors import UsageError

Categories = Annotated[
    list[str] | None,
    typer.Option("--category", metavar="NAME", help="Only of this category; may be given again.", show_default=False),
]
Types = Annotated[
    list[str] | None,
    typer.Option("--type", metavar="TYPE", help="Only of this type; may be given again.", show_default=False),
]
Streams = Annotated[
    list[str] | None,
    typer.Option("--stream", metavar="ID", help="Only of this stream; may be given again.", show_default=False),
]
Metadata = Annotated[
    list[str] | None,
    typer.Option(
        "--metadata",
        metavar="KEY=VALUE",
        help="Only with this in the metadata; may be given again. A value that is JSON is meant as JSON: "
        "tenant=42 is the number, tenant='\"42\"' the text.",
        show_default=False,
    ),
]
Since = Annotated[
    str | None,
    typer.Option("--since", metavar="TIME", help="Not before: ISO 8601, UTC without an offset.", show_default=False),
]
Until = Annotated[
    str | None, typer.Option("--until", metavar="TIME", help="Only before: as --since.", show_default=False)
]


def build_filter(
    *,
    categories: list[str] | None,
    types: list[str] | None,
    streams: list[str] | None,
    metadata: list[str] | None,
    since: str | None = None,
    until: str | None = None,
) -> EventFilter:
    """The filter that the options say.

    Raises:
        UsageError: One of them is wrong.
    """
    return EventFilter(
        event_types=tuple(types or ()),
        stream_ids=tuple(streams or ()),
        categories=tuple(categories or ()),
        metadata=dict(_pair(text) for text in metadata or ()),
        since=_moment(since, "--since"),
        until=_moment(until, "--until"),
    )


def _pair(text: str) -> tuple[str, Any]:
    key, separator, value = text.partition("=")
    if not separator or not key:
        msg = f"--metadata takes KEY=VALUE, not {text!r:.60}"
        raise UsageError(msg)
    try:
        return key, msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeEncodeError):  # the latter of an argument that is no UTF-8, which no event has
        return key, value


def _moment(text: str | None, option: str) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        msg = f"{option} takes a time such as 2026-01-31T12:00 or 2026-01-31T12:00+01:00, not {text!r:.60}"
        raise UsageError(msg) from None
    return found.replace(tzinfo=UTC) if found.utcoffset() is None else found
