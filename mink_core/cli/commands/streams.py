"""`mink streams`."""

from typing import Annotated

import typer

from mink_core.cli.output import Printer
from mink_core.cli.session import Session
from mink_core.cli.views import STREAMS

EXAMPLES = """\
Examples:
  mink streams
  mink streams --category order --after order-42 --limit 10
"""


def streams(
    session: Session,
    *,
    category: Annotated[
        str | None, typer.Option("--category", metavar="NAME", help="Only of this category.", show_default=False)
    ] = None,
    after: Annotated[
        str | None, typer.Option("--after", metavar="ID", help="Only ids after this one.", show_default=False)
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=0, help="At most so many.", show_default=False)
    ] = None,
) -> None:
    """List the streams, in code point order of their ids."""
    printer = Printer(session, STREAMS)
    with session.open() as opened:
        printer.all(opened.streams(category=category, after=after, limit=limit))
