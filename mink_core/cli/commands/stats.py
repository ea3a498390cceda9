"""`mink stats`."""

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mink_core.administration import RelationSize
from mink_core.cli.output import printable, write_json
from mink_core.cli.session import Session

EXAMPLES = """\
Examples:
  mink stats
  mink stats --json | jq .total_bytes
"""

_STEP = 1024
_UNITS = ("B", "kB", "MB", "GB", "TB")


def stats(session: Session) -> None:
    """Tell how much the store holds and how fast it grows.

    Rows are the database's own estimates, so that the look stays cheap at any size.
    """
    with session.administer() as administration:
        found = administration.statistics()
    if session.speaks_json:
        write_json([msgspec.to_builtins(found)])
        return
    console = Console()
    console.print(
        f"Head {found.head:,}, highest position {found.high:,}. About {found.events:,} events in {found.streams:,} "
        f"streams, {_size(found.total_bytes)} with indexes.\n"
        f"{found.events_last_minute:,} events in the last minute, {found.events_last_hour:,} in the last hour."
    )
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Table or index", overflow="fold")
    table.add_column("Rows", justify="right")
    table.add_column("Size", justify="right")
    for item in (*_largest(found.tables), *_largest(found.indexes)):
        table.add_row(Text(printable(item.name)), f"{item.rows:,}", _size(item.bytes))
    console.print(table)


def _largest(relations: tuple[RelationSize, ...]) -> list[RelationSize]:
    return sorted(relations, key=lambda item: item.bytes, reverse=True)


def _size(count: float) -> str:
    for unit in _UNITS[:-1]:
        if count < _STEP:
            return f"{count:.0f} {unit}"
        count /= _STEP
    return f"{count:.1f} {_UNITS[-1]}"
