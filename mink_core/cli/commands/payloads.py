"""`mink payloads`."""

from enum import StrEnum
from typing import Annotated

import msgspec
import typer

from mink_core.cli.files import progress_bar
from mink_core.cli.output import write_json
from mink_core.cli.session import Session

EXAMPLES = """\
Examples:
  mink payloads json
  mink payloads jsonb
"""


class JsonType(StrEnum):
    """What PostgreSQL keeps data and metadata as."""

    JSON = "json"
    JSONB = "jsonb"


def payloads(
    session: Session,
    *,
    json_type: Annotated[
        JsonType,
        typer.Argument(
            metavar="json|jsonb", help="json is appended and read fastest; jsonb is searched fastest by SQL."
        ),
    ],
) -> None:
    """Keep the data and metadata of a store that is in use as json, or as jsonb again.

    The events are copied beside while the store is used: the storage needs room for them twice. Only for the last
    step all appends and reads wait, usually for less than two seconds. Broken off, it goes on where it was when it is run
    again. Open stores go on; open them again to have the whole effect.
    """
    with session.administer() as administration, progress_bar("copying") as progress:
        done = administration.change_payloads(json_type.value, progress)
    if session.speaks_json:
        write_json([msgspec.structs.asdict(done)])
    elif done.changed:
        typer.echo(
            f"payloads are {done.json_type}: {done.copied:,} events were copied, {done.copied_under_lock:,} of them while "
            f"others waited for {done.pause:.2f} s"
        )
    else:
        typer.echo(f"payloads are {done.json_type} already; nothing was changed")
