"""`mink migrate`."""

from enum import Enum
from typing import Annotated

import msgspec
import typer

from mink_core.administration import SchemaStatus, SchemaStep
from mink_core.cli.failures import REFUSED
from mink_core.cli.files import progress_bar
from mink_core.cli.output import Column, Printer, View, write_json, write_script
from mink_core.cli.session import Session
from mink_core.cli.views import moment

EXAMPLES = """\
Examples:
  mink migrate status
  mink migrate up --sql > upgrade.sql
  mink migrate up
"""


class Action(Enum):
    """What to do."""

    STATUS = "status"
    UP = "up"


def migrate(
    session: Session,
    *,
    action: Annotated[
        Action, typer.Argument(metavar="ACTION", help="Show what is applied, or apply what is pending.")
    ] = Action.STATUS,
    sql: Annotated[bool, typer.Option("--sql", help="Print what up would run, and change nothing.")] = False,
) -> None:
    """Show the schema's migrations, or apply those that are pending.

    All pending ones are applied, or none. Migrate first, then roll out the code that needs it: older
    code goes on working where the new migrations allow it, which status shows. Tables of the same
    design that something else has filled are taken over with their data.
    """
    with session.administer() as administration:
        if sql:
            write_script(session, administration.migration_script())
        elif action is Action.STATUS:
            _tell(session, administration.schema_status())
        else:
            with progress_bar("migrating"):
                applied = administration.migrate()
            if session.speaks_json:
                write_json([{"applied": list(applied)}])
            else:
                typer.echo("\n".join(f"applied {name}" for name in applied) or "nothing was pending")


_STEPS: View[SchemaStep] = View(
    msgspec.structs.asdict,
    [
        Column("Migration", share=2, fold=True),
        Column("Applied (UTC)", width=19),
        Column("Oldest code", width=11, right=True),
        Column("", share=1),
    ],
    lambda step: [
        step.name,
        moment(step.applied_at) or "pending",
        str(step.oldest_code),
        "" if step.known else "newer than this code",
    ],
)


def _tell(session: Session, status: SchemaStatus) -> None:
    Printer(session, _STEPS).batch(status.steps)
    if not session.speaks_json:
        pending = len(status.pending)
        typer.echo(f"The schema is at {status.version}, this code at {status.code_version}.")
        typer.echo("Nothing is pending." if not pending else f"{pending} pending: mink migrate up")
    if status.pending:
        raise typer.Exit(REFUSED)
