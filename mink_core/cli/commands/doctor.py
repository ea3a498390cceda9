"""`mink doctor`."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mink_core.administration import Diagnosis, Level
from mink_core.cli.failures import REFUSED
from mink_core.cli.output import printable, write_json
from mink_core.cli.session import Session

EXAMPLES = """\
Examples:
  mink doctor
  mink doctor --max-lag 5
  mink doctor --json | jq 'select(.level == "critical")'
"""

_STYLES = {Level.OK: "green", Level.NOTICE: "cyan", Level.WARNING: "yellow", Level.CRITICAL: "bold red"}
_BAD = (Level.WARNING, Level.CRITICAL)


def doctor(
    session: Session,
    *,
    max_lag: Annotated[
        float,
        typer.Option(
            "--max-lag",
            metavar="SECONDS",
            min=0,
            help="How long an open transaction, a subscription or the outbox may lag; ten times that is critical.",
        ),
    ] = 60.0,
) -> None:
    """Look at a running store for everything that is known to go wrong, changing nothing.

    The server's version and settings, connections, the schema, guards, indexes, who holds the feed
    back, how far subscriptions and the outbox lag. Ends with exit code 1 where anything is a warning
    or critical.
    """
    with session.administer() as administration:
        found = administration.diagnose(max_lag=max_lag)
    if session.speaks_json:
        write_json(map(msgspec.structs.asdict, found))
    else:
        show(Console(), found)
    if any(item.level in _BAD for item in found):
        raise typer.Exit(REFUSED)


def show(console: Console, found: Sequence[Diagnosis]) -> None:
    """Print diagnoses as a table, advice below each."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Level", no_wrap=True)
    table.add_column("Subject", overflow="fold", ratio=1)
    table.add_column("Finding", overflow="fold", ratio=3)
    for item in found:
        # Text, not str: what a server says of others' queries is no markup.
        said = Text(printable(item.finding))
        if item.advice:
            said.append(f"\n→ {printable(item.advice)}", style="bold")
        table.add_row(Text(item.level.value, style=_STYLES[item.level]), Text(printable(item.subject)), said)
    console.print(table)
    bad = sum(item.level in _BAD for item in found)
    console.print("Nothing is wrong." if not bad else f"{bad} of {len(found)} looks found trouble.")
