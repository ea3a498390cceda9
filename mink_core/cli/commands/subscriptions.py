"""`mink subscriptions`."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Any

import msgspec
import typer

from mink_core import PartitionStatus, SubscriptionStatus
from mink_core.cli.output import Column, Printer, View, write_json
from mink_core.cli.session import Session
from mink_core.cli.views import moment
from mink_core.errors import SubscriptionNotFoundError, UsageError

EXAMPLES = """\
Examples:
  mink subscriptions
  mink subscriptions pause mailer
  mink subscriptions rewind mailer --to 1200
  mink subscriptions reset mailer --yes
"""


class Action(StrEnum):
    """What to do."""

    LIST = "list"
    PAUSE = "pause"
    RESUME = "resume"
    REWIND = "rewind"
    RESET = "reset"


_Row = tuple[SubscriptionStatus, PartitionStatus]


def _record(row: _Row) -> dict[str, Any]:
    status = row[0]
    return {**msgspec.structs.asdict(status), "lag_events": status.lag_events, "lag_seconds": status.lag_seconds}


def _cells(row: _Row) -> list[str]:
    status, part = row
    return [
        status.name,
        str(part.partition),
        "none" if part.position is None else str(part.position),
        str(part.lag_events),
        f"{part.lag_seconds:.1f}",
        str(status.parked),
        "paused since " + moment(status.paused_at) if status.paused_at else part.owner or "nobody",
    ]


VIEW: View[_Row] = View(
    _record,
    [
        Column("Subscription", share=2),
        Column("Part", width=4, right=True),
        Column("Position", width=12, right=True),
        Column("Lag", width=7, right=True),
        Column("Seconds", width=9, right=True),
        Column("Parked", width=6, right=True),
        Column("Owner", share=3),
    ],
    _cells,
)


def subscriptions(
    session: Session,
    *,
    action: Annotated[Action, typer.Argument(metavar="ACTION", help="What to do.")] = Action.LIST,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Which subscription; list: all without.", show_default=False)
    ] = None,
    to: Annotated[
        int | None,
        typer.Option("--to", metavar="N", min=0, help="For rewind: everything above comes again.", show_default=False),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="For reset: it is meant.")] = False,
) -> None:
    """List durable subscriptions with lag and owner, or pause, resume, rewind or reset one.

    Lag: events of the partition above its checkpoint, counted up to 10,000, and the age of the
    oldest. Running workers notice at their next beat, a quarter of their lease at most. A rewind
    puts every checkpoint of the subscription to a position: what comes after it is handled again.
    A reset forgets the subscription: checkpoints, partitions, parked events.
    """
    given = _check(action, name, to, yes=yes)
    with session.open() as opened:
        kept = opened.subscriptions
        if action is Action.PAUSE:
            kept.pause(given)
        elif action is Action.RESUME:
            kept.resume(given)
        elif action is Action.REWIND:
            kept.rewind(given, to or 0)
        elif action is Action.RESET:
            kept.reset(given)
            if session.speaks_json:
                write_json([{"reset": given}])
            return
        printer = Printer(session, VIEW)
        found = [status for status in kept.list() if name in (None, status.name)]
        if name is not None and not found:
            raise SubscriptionNotFoundError(name)
        printer.all(_rows(found, whole=session.speaks_json))


def _check(action: Action, name: str | None, to: int | None, *, yes: bool) -> str:
    if name is None and action is not Action.LIST:
        msg = f"{action.value} which subscription? mink subscriptions {action.value} NAME"
        raise UsageError(msg)
    if (to is not None) != (action is Action.REWIND):
        msg = "rewind takes --to N, and nothing else does"
        raise UsageError(msg)
    if action is Action.RESET and not yes:
        msg = f"reset forgets the checkpoints and the parked events of {name!r}; if that is meant, add --yes"
        raise UsageError(msg)
    return name or ""


def _rows(found: Iterable[SubscriptionStatus], *, whole: bool) -> Iterable[_Row]:
    """A line a partition; in JSON, a line a subscription, with its partitions in it."""
    for status in found:
        for part in status.partitions[:1] if whole else status.partitions:
            yield status, part
