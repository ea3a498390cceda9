"""`mink import`."""

from typing import Annotated

import typer

from mink_core.cli.files import opened, progress_bar
from mink_core.cli.output import write_json
from mink_core.cli.session import Session
from mink_core.transfer import import_lines, verify

EXAMPLES = """\
Examples:
  mink import events.jsonl
  mink import events.jsonl.zst --store postgresql://localhost/copy
"""


def import_(
    session: Session,
    *,
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="What mink export wrote; - for stdin, .zst is decompressed.")
    ],
    check: Annotated[bool, typer.Option("--verify/--no-verify", help="Read the store back and compare.")] = True,
) -> None:
    """Store the events of an export: their ids, versions, timestamps and order are kept, positions are new.

    Events that are there already are left out: after an interruption, run it again. At the end every
    stream's events are compared with what was exported, by number and digest.
    """
    with session.administer() as administration, opened(file, "rb") as lines, progress_bar("importing") as progress:
        done = import_lines(lines, administration, progress=progress)
    if check:
        with session.open() as opened_store, progress_bar("verifying") as progress:
            verify(opened_store, done.digests, progress=progress)
    if session.speaks_json:
        write_json([{"events": done.events, "stored": done.stored, "streams": done.streams, "verified": check}])
    else:
        there = f" ({done.events - done.stored:,} were there already)" if done.stored < done.events else ""
        typer.echo(f"{done.stored:,} events of {done.streams:,} streams stored{there}{', verified' if check else ''}")
