"""`mink partition`."""

from typing import Annotated

import msgspec
import typer

from mink_core.cli.files import progress_bar
from mink_core.cli.output import write_json
from mink_core.cli.session import Session

EXAMPLES = """\
Example:
  mink partition 16
"""


def partition(
    session: Session,
    *,
    partitions: Annotated[
        int, typer.Argument(metavar="N", min=2, help="How many partitions, by a hash of the stream.")
    ],
) -> None:
    """Move the events of a store that is in use into partitions by stream.

    They are copied beside while the store is used: the storage needs room for them twice. Only for the last
    step all appends and reads wait, usually for less than two seconds. Broken off, it goes on where it was when it is run
    again. Event ids cannot be kept unique over partitions.
    """
    with session.administer() as administration, progress_bar("copying") as progress:
        moved = administration.partition(partitions, progress)
    if session.speaks_json:
        write_json([msgspec.structs.asdict(moved)])
    else:
        typer.echo(
            f"the events are in {moved.partitions} partitions: {moved.copied:,} were copied, {moved.copied_under_lock:,} of "
            f"them while others waited for {moved.pause:.2f} s"
        )
