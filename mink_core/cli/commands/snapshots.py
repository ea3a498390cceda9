"""`mink snapshots`."""

from typing import Annotated

import typer

from mink_core import Store
from mink_core.cli.defining import Group
from mink_core.cli.session import Session
from mink_core.cli.substore_commands import AfterId, Limit, done, print_pages, tell
from mink_core.cli.substore_views import SNAPSHOTS

snapshots = Group("snapshots", "Look at snapshots: list, show and delete them")

Stream = Annotated[str, typer.Argument(metavar="STREAM", help="A stream's id.", show_default=False)]

_LIST = """\
Examples:
  mink snapshots list
  mink snapshots list --after order-41 --limit 20 --json
"""
_SHOW = """\
Examples:
  mink snapshots show order-42
  mink snapshots show order-42 --at 100 | jq .data
"""
_DELETE = """\
Examples:
  mink snapshots delete order-42
  mink snapshots delete order-42 --up-to 100
"""


@snapshots.command("list", _LIST)
def list_snapshots(session: Session, store: Store, *, after: AfterId = None, limit: Limit = None) -> None:
    """List each stream's newest snapshot, in code point order of the streams."""
    print_pages(
        session,
        SNAPSHOTS,
        lambda above, size: store.snapshots.list(after=above, limit=size),
        lambda info: info.stream_id,
        after=after,
        limit=limit,
    )


@snapshots.command("show", _SHOW)
def show(
    _: Session,
    store: Store,
    stream: Stream,
    *,
    at: Annotated[
        int | None, typer.Option("--at", metavar="VERSION", min=1, help="At or before it.", show_default=False)
    ] = None,
) -> None:
    """Show a stream's snapshot whole, as JSON; bytes are shown as base64."""
    tell(store.snapshots.load(stream, at_version=at), f"a snapshot of stream {stream!r}")


@snapshots.command("delete", _DELETE)
def delete(
    session: Session,
    store: Store,
    stream: Stream,
    *,
    up_to: Annotated[
        int | None, typer.Option("--up-to", metavar="VERSION", min=1, help="Only up to it.", show_default=False)
    ] = None,
) -> None:
    """Delete a stream's snapshots. Its events stay: the next reader begins at version 1."""
    done(session, "deleted", store.snapshots.delete(stream, up_to_version=up_to))
