"""`mink export`."""

from pathlib import Path
from typing import Annotated

import typer

from mink_core.administration import StreamMark
from mink_core.cli.files import STANDARD, is_compressed, opened, progress_bar
from mink_core.cli.output import write_json
from mink_core.cli.session import Session
from mink_core.errors import UsageError
from mink_core.transfer import Exported, Resumed
from mink_core.transfer import export as write_export
from mink_core.transfer import resume as read_export

EXAMPLES = """\
Examples:
  mink export events.jsonl
  mink export events.jsonl --resume
  mink export events.jsonl.zst
  mink export - | mink import - --store postgresql://localhost/copy
"""


def export(
    session: Session,
    *,
    file: Annotated[str, typer.Argument(metavar="FILE", help="Where to; - for stdout, .zst compresses.")],
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a FILE that an export was interrupted in.")
    ] = False,
) -> None:
    """Write all events as JSON lines, with a digest of every stream at the end.

    An event's line is what mink read prints. FILE must not be there yet, unless it is to be gone on
    with. Events are written as they are stored: what a transform has encrypted stays encrypted.
    """
    if resume and (file == STANDARD or is_compressed(file)):
        msg = "only a plain file can be gone on with: --resume needs a FILE that is not - and does not end in .zst"
        raise UsageError(msg)
    done = _go_on(session, file) if resume and Path(file).exists() else _begin(session, file)
    if file != STANDARD and session.speaks_json:
        write_json([done._asdict()])
    else:
        typer.echo(f"{done.events:,} events of {done.streams:,} streams, up to position {done.last_position}", err=True)


def _begin(session: Session, file: str) -> Exported:
    if file != STANDARD and Path(file).exists():
        further = "" if is_compressed(file) else ", or --resume to go on with it"
        msg = f"{file} is there already, and was not changed: choose another FILE{further}"
        raise UsageError(msg)
    with session.open() as opened_store:
        # Opened once the store is reached: a wrong URL leaves no empty file behind.
        opened_store.identity()
        with opened(file, "wb" if file == STANDARD else "xb") as out, progress_bar("exporting") as progress:
            return write_export(opened_store, out.write, marks=lambda: _marks(session), progress=progress)


def _marks(session: Session) -> list[StreamMark]:
    try:
        administration = session.administer()
    except UsageError:
        # An adapter without administration: there is nothing that an import could be told.
        return []
    with administration as opened_administration:
        return list(opened_administration.stream_marks())


def _go_on(session: Session, file: str) -> Exported:
    with opened(file, "r+b") as out:
        so_far = read_export(out)
        if so_far is not None and so_far.complete:
            return _whole(so_far)
        with session.open() as opened_store, progress_bar("exporting") as progress:
            out.truncate(so_far.size if so_far else 0)
            out.seek(so_far.size if so_far else 0)
            return write_export(opened_store, out.write, after=so_far, marks=lambda: _marks(session), progress=progress)


def _whole(so_far: Resumed) -> Exported:
    return Exported(so_far.digests.events, len(so_far.digests.streams), so_far.position)
