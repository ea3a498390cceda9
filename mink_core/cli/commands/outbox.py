"""`mink outbox`."""

from typing import Annotated
from uuid import UUID

import typer

from mink_core import MessageStatus, Store
from mink_core.cli.defining import Group
from mink_core.cli.failures import REFUSED
from mink_core.cli.session import Session
from mink_core.cli.substore_commands import (
    Limit,
    OlderThan,
    Yes,
    done,
    meant,
    pages,
    print_pages,
    seconds,
    tell,
    until_none,
)
from mink_core.cli.substore_views import MESSAGES

outbox = Group("outbox", "Look at the outbox: list, show, requeue and purge messages")

Message = Annotated[UUID, typer.Argument(metavar="MESSAGE", help="A message's id.", show_default=False)]

_LIST = """\
Examples:
  mink outbox list
  mink outbox list --status dead --json | jq .last_error
"""
_SHOW = """\
Example:
  mink outbox show 3f1c9c1e-7a43-4a51-9f64-1f3a7d3a5c10
"""
_REQUEUE = """\
Examples:
  mink outbox requeue 3f1c9c1e-7a43-4a51-9f64-1f3a7d3a5c10
  mink outbox requeue --all
"""
_PURGE = """\
Examples:
  mink outbox purge --older-than 7d
  mink outbox purge --older-than 30d --dead --yes
"""


@outbox.command("list", _LIST)
def list_messages(
    session: Session,
    store: Store,
    *,
    status: Annotated[
        MessageStatus | None, typer.Option("--status", help="Only these; dead: the dead letters.", show_default=False)
    ] = None,
    after: Annotated[int, typer.Option("--after", metavar="N", min=0, help="Only above this position.")] = 0,
    limit: Limit = None,
) -> None:
    """List messages in the order of storing."""
    print_pages(
        session,
        MESSAGES,
        lambda above, size: store.outbox.list(status=status, after=above, limit=size),
        lambda message: message.position,
        after=after,
        limit=limit,
    )


@outbox.command("show", _SHOW)
def show(_: Session, store: Store, message: Message) -> None:
    """Show one message whole, as JSON."""
    tell(store.outbox.get(message), f"message {message}")


@outbox.command("requeue", _REQUEUE)
def requeue(
    session: Session,
    store: Store,
    messages: Annotated[
        list[UUID] | None, typer.Argument(metavar="MESSAGE", help="Ids of dead letters.", show_default=False)
    ] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Every dead letter.")] = False,
) -> None:
    """Make dead letters due again, with all their attempts.

    Ends with exit code 1 where one of them is no dead letter; the others are requeued all the same.
    """
    if everything == bool(messages):
        msg = "name dead letters, or give --all"
        raise typer.BadParameter(msg)
    refused = 0
    ids = messages or [
        message.message_id
        for message in pages(
            lambda above, size: store.outbox.dead_letters(after=above, limit=size),
            0,
            lambda message: message.position,
            None,
        )
    ]
    for message_id in ids:
        if not store.outbox.requeue(message_id):
            refused += 1
            typer.echo(f"mink: message {message_id} is no dead letter; it was left as it is", err=True)
    done(session, "requeued", len(ids) - refused)
    if refused:
        raise typer.Exit(REFUSED)


@outbox.command("purge", _PURGE)
def purge(
    session: Session,
    store: Store,
    *,
    older_than: OlderThan,
    dead: Annotated[bool, typer.Option("--dead", help="Dead letters as well; needs --yes.")] = False,
    yes: Yes = False,
) -> None:
    """Delete messages that were done so long ago."""
    age = seconds(older_than)
    if dead:
        meant(yes, "messages that were never published")
    done(session, "deleted", until_none(lambda: store.outbox.purge(older_than=age, dead=dead)))
