"""`mink parked`."""

from enum import StrEnum
from typing import Annotated

import msgspec
import typer

from mink_core import ParkedEvent
from mink_core.cli.output import Column, Printer, View
from mink_core.cli.session import Session
from mink_core.cli.substore_commands import Yes, meant
from mink_core.cli.views import moment
from mink_core.errors import UsageError

EXAMPLES = """\
Examples:
  mink parked
  mink parked list mailer --json
  mink parked replay mailer
  mink parked remove mailer --position 1200 --yes
"""


class Action(StrEnum):
    """What to do."""

    LIST = "list"
    REPLAY = "replay"
    REMOVE = "remove"


VIEW: View[ParkedEvent] = View(
    msgspec.structs.asdict,
    [
        Column("Subscription", share=2),
        Column("Position", width=12, right=True),
        Column("Stream", share=2),
        Column("Version", width=7, right=True),
        Column("Type", share=2),
        Column("Tries", width=5, right=True),
        Column("Parked (UTC)", width=19),
        Column("Error", share=4),
    ],
    lambda kept: [
        kept.subscription,
        str(kept.global_position),
        kept.stream_id,
        str(kept.version),
        kept.event_type,
        str(kept.attempts),
        "to be replayed" if kept.replay else moment(kept.parked_at),
        kept.error,
    ],
)


def parked(
    session: Session,
    *,
    action: Annotated[Action, typer.Argument(metavar="ACTION", help="What to do.")] = Action.LIST,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Of which subscription; list: all without.", show_default=False)
    ] = None,
    position: Annotated[
        int | None,
        typer.Option("--position", metavar="N", min=1, help="Which event; replay: all without.", show_default=False),
    ] = None,
    yes: Yes = False,
) -> None:
    """List the events that subscriptions have parked, or ask for another try, or let go of one.

    An event is parked when a subscription's handler failed on it as often as it may, and was told
    to go on. A replay is done by the subscription's own workers, soon; what fails again is parked again.
    """
    if name is None and action is not Action.LIST:
        msg = f"{action.value} of which subscription? mink parked {action.value} NAME"
        raise UsageError(msg)
    if action is Action.REMOVE and position is None:
        msg = "remove which event? Say --position N"
        raise UsageError(msg)
    if action is Action.REMOVE:
        meant(yes, f"what {name!r} knows of the event at position {position}")
    if action is Action.LIST and position is not None:
        msg = "list takes no --position"
        raise UsageError(msg)
    with session.open() as opened:
        if name is not None and action is Action.REPLAY:
            if not opened.parked.replay(name, position):
                msg = f"nothing that fits is parked by {name!r}: see mink parked list {name}"
                raise UsageError(msg)
        elif name is not None and position is not None and not opened.parked.remove(name, position):
            msg = f"no event at position {position} is parked by {name!r}: see mink parked list {name}"
            raise UsageError(msg)
        Printer(session, VIEW).all(opened.parked.list(name))
