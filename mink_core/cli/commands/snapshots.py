"""`mink snapshots`."""

from typing import Annotated

import typer

from mink_core.cli.details import AfterId, Limit, group, pages, tell
from mink_core.cli.output import Printer
from mink_core.cli.session import AsJson, Debug, StoreUrl, session_of
from mink_core.cli.substore_views import SNAPSHOTS

snapshots = group("snapshots", "Look at snapshots: list, show and delete them")

Stream = Annotated[str, typer.Argument(metavar="STREAM", help="A stream's id.", show_default=False)]


@snapshots.command("list")
def list_snapshots(
    ctx: typer.Context,
    *,
    after: AfterId = None,
    limit: Limit = None,
    store: StoreUrl = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """List each stream's newest snapshot, in code point order of the streams."""
    session = session_of(ctx, store, as_json, debug)
    printer = Printer(session, SNAPSHOTS)
    with session.open() as opened:
        printer.all(
            pages(
                lambda above, size: opened.snapshots.list(after=above, limit=size),
                after,
                lambda info: info.stream_id,
                limit,
            )
        )


@snapshots.command()
def show(
    ctx: typer.Context,
    stream: Stream,
    *,
    at: Annotated[
        int | None, typer.Option("--at", metavar="VERSION", min=1, help="At or before it.", show_default=False)
    ] = None,
    store: StoreUrl = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Show a stream's snapshot whole, as JSON; bytes are shown as base64."""
    with session_of(ctx, store, as_json, debug).open() as opened:
        tell(opened.snapshots.load(stream, at_version=at), f"a snapshot of stream {stream!r}")


@snapshots.command()
def delete(
    ctx: typer.Context,
    stream: Stream,
    *,
    up_to: Annotated[
        int | None, typer.Option("--up-to", metavar="VERSION", min=1, help="Only up to it.", show_default=False)
    ] = None,
    store: StoreUrl = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Delete a stream's snapshots. Its events stay: the next reader begins at version 1."""
    with session_of(ctx, store, as_json, debug).open() as opened:
        typer.echo(f"{opened.snapshots.delete(stream, up_to_version=up_to)} deleted")
