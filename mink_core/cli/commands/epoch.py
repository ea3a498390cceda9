"""`mink epoch`."""

from typing import TYPE_CHECKING, Annotated

import typer

from mink_core import Store, StoreIdentity
from mink_core.cli.output import write_json
from mink_core.cli.session import Session
from mink_core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLES = """\
Examples:
  mink epoch
  mink epoch --bump
"""


def epoch(
    session: Session,
    *,
    bump: Annotated[
        bool, typer.Option("--bump", help="Raise it: the store's newest events may have been lost.")
    ] = False,
) -> None:
    """Show or raise the store's epoch.

    Raise it after a backup was restored, or after a failover that may have lost events, before anything
    reads the feed again: readers that kept the old epoch are then told, and none goes on in silence.
    """
    with session.open() as opened:
        found = _bumped(session, opened) if bump else opened.identity()
    if session.speaks_json:
        write_json([{"store": found.store, "epoch": found.epoch}])
    else:
        typer.echo(f"store {found.store} is at epoch {found.epoch}")


def _bumped(session: Session, store: Store) -> StoreIdentity:
    bump: Callable[[], StoreIdentity] | None = getattr(store, "bump_epoch", None)
    if bump is None:
        msg = f"a {session.scheme}:// store has no epoch that could be raised"
        raise UsageError(msg)
    return bump()
