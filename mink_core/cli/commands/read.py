"""`mink read`."""

from typing import Annotated

import typer

from mink_core import Direction
from mink_core.cli.output import Printer
from mink_core.cli.session import Session
from mink_core.cli.views import EVENTS
from mink_core.cli.where import Categories, Metadata, Since, Streams, Types, Until, build_filter
from mink_core.errors import UsageError

EXAMPLES = """\
Examples:
  mink read order-42
  mink read order-42 --after 10 --limit 5
  mink read --category order --type OrderPlaced --metadata tenant_id=acme
  mink read --backwards --limit 20 --since 2026-01-31
  mink read order-42 --json | jq .data
"""


def read(
    session: Session,
    *,
    stream: Annotated[
        str | None, typer.Argument(metavar="STREAM", help="The stream. Without: the feed.", show_default=False)
    ] = None,
    categories: Categories = None,
    types: Types = None,
    streams: Streams = None,
    metadata: Metadata = None,
    since: Since = None,
    until: Until = None,
    after: Annotated[
        int, typer.Option("--after", metavar="N", min=0, help="Only above this version of STREAM, or position.")
    ] = 0,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=0, help="At most so many events.", show_default=False)
    ] = None,
    backwards: Annotated[bool, typer.Option("--backwards", help="The newest first.")] = False,
) -> None:
    """Print the events of a stream, or of the whole feed.

    A stream that does not exist reads as empty. The feed is read up to where it was safe at the start.
    """
    where = build_filter(
        categories=categories, types=types, streams=streams, metadata=metadata, since=since, until=until
    )
    if stream is not None and not where.is_empty:
        msg = f"a filter is for the feed: give --stream {stream} in place of STREAM to filter a stream's events"
        raise UsageError(msg)
    printer = Printer(session, EVENTS)
    direction = Direction.BACKWARD if backwards else Direction.FORWARD
    with session.open() as opened:
        if stream is None:
            events = opened.read_all(after_position=after, limit=limit, where=where, direction=direction)
        else:
            events = opened.read_stream(stream, after_version=after, limit=limit, direction=direction)
        printer.all(events)
