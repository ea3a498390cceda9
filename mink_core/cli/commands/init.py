"""`mink init`."""

from typing import Annotated

import typer

from mink_core.cli.output import write_json
from mink_core.cli.session import Session

EXAMPLES = """\
Examples:
  mink init --store postgresql://app@localhost/app
  mink init --hash-partitions 16
"""


def init(
    session: Session,
    *,
    hash_partitions: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=2,
            help="Keep a new store's events in so many partitions by stream (PostgreSQL).",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Create or upgrade what the store needs.

    Safe to repeat, and from several processes at once.
    """
    options = {} if hash_partitions is None else {"hash_partitions": hash_partitions}
    with session.open(**options) as opened:
        opened.initialize()
        identity = opened.identity()
    if session.speaks_json:
        write_json([{"initialized": True, "store": identity.store, "epoch": identity.epoch}])
    else:
        typer.echo(f"{session.shown_url} is ready: store {identity.store}, epoch {identity.epoch}")
