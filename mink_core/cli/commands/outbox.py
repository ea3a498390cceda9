"""`mink outbox`."""

from typing import Annotated
from uuid import UUID

import typer

from mink_core import MessageStatus
from mink_core.cli.details import Limit, OlderThan, count_all, group, pages, seconds, tell
from mink_core.cli.failures import REFUSED
from mink_core.cli.output import Printer
from mink_core.cli.session import AsJson, Debug, StoreUrl, session_of
from mink_core.cli.substore_views import MESSAGES

outbox = group("outbox", "Look at the outbox: list, show, requeue and purge messages")

Message = Annotated[UUID, typer.Argument(metavar="MESSAGE", help="A message's id.", show_default=False)]


@outbox.command("list")
def list_messages(
    ctx: typer.Context,
    *,
    status: Annotated[
        MessageStatus | None, typer.Option("--status", help="Only these; dead: the dead letters.", show_default=False)
    ] = None,
    after: Annotated[int, typer.Option("--after", metavar="N", min=0, help="Only above this position.")] = 0,
    limit: Limit = None,
    store: StoreUrl = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """List messages in the order of storing."""
    session = session_of(ctx, store, as_json, debug)
    printer = Printer(session, MESSAGES)
    with session.open() as opened:
        printer.all(
            pages(
                lambda above, size: opened.outbox.list(status=status, after=above, limit=size),
                after,
                lambda message: message.position,
                limit,
            )
        )


@outbox.command()
def show(
    ctx: typer.Context, message: Message, *, store: StoreUrl = None, as_json: AsJson = False, debug: Debug = False
) -> None:
    """Show one message whole, as JSON."""
    with session_of(ctx, store, as_json, debug).open() as opened:
        tell(opened.outbox.get(message), f"message {message}")


@outbox.command()
def requeue(
    ctx: typer.Context,
    messages: Annotated[
        list[UUID] | None, typer.Argument(metavar="MESSAGE...", help="Ids of dead letters.", show_default=False)
    ] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Every dead letter.")] = False,
    store: StoreUrl = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Make dead letters due again, with all their attempts.

    Ends with exit code 1 where one of them is no dead letter; the others are requeued all the same.
    """
    if everything == bool(messages):
        msg = "name dead letters, or give --all"
        raise typer.BadParameter(msg)
    refused = 0
    with session_of(ctx, store, as_json, debug).open() as opened:
        ids = messages or [
            message.message_id
            for message in pages(
                lambda above, size: opened.outbox.dead_letters(after=above, limit=size),
                0,
                lambda message: message.position,
                None,
            )
        ]
        for message_id in ids:
            if not opened.outbox.requeue(message_id):
                refused += 1
                typer.echo(f"mink: message {message_id} is no dead letter; it was left as it is", err=True)
        typer.echo(f"{len(ids) - refused} requeued")
    if refused:
        raise typer.Exit(REFUSED)


@outbox.command()
def purge(
    ctx: typer.Context,
    *,
    older_than: OlderThan,
    dead: Annotated[bool, typer.Option("--dead", help="Dead letters as well.")] = False,
    store: StoreUrl = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Delete messages that were done so long ago."""
    age = seconds(older_than)
    with session_of(ctx, store, as_json, debug).open() as opened:
        count_all(lambda: opened.outbox.purge(older_than=age, dead=dead), "deleted")
