"""`mink grants`."""

from typing import Annotated

import typer

from mink_core.administration import Access
from mink_core.cli.output import write_json, write_script
from mink_core.cli.session import Session

EXAMPLES = """\
Examples:
  mink grants --role app
  mink grants --role app --as writer --as subscriber --apply
  mink grants --role reports --as reader --apply

\b
owner       everything: migrations and privacy operations
writer      append and read; never UPDATE, DELETE or choose a global_position
reader      read streams and the feed
subscriber  read, and keep checkpoints
"""


def grants(
    session: Session,
    *,
    role: Annotated[str, typer.Option("--role", metavar="NAME", help="The database role. It must be there.")],
    access: Annotated[
        list[Access] | None,
        typer.Option(
            "--as",
            metavar="owner|writer|reader|subscriber",
            help="What it may do; may be given again.",
            show_default=False,
        ),
    ] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Run the statements rather than print them.")] = False,
) -> None:
    """Print or apply what gives a database role exactly the access it needs.

    Without --as: writer. What the role could do with the store's tables beyond that is taken away.
    """
    wanted = access or [Access.WRITER]
    with session.administer() as administration:
        if not apply:
            write_script(session, administration.grants_script(role, wanted))
            return
        administration.grant(role, wanted)
    named = [item.value for item in wanted]
    if session.speaks_json:
        write_json([{"role": role, "access": named}])
    else:
        typer.echo(f"{role} is now {' and '.join(named)}")
