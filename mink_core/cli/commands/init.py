"""`mink init`."""

from typing import Annotated

import typer

from mink_core.cli.output import write_json
from mink_core.cli.session import Session

EXAMPLES = """\
Examples:
  mink init --store postgresql://app@localhost/app
  mink init --hash-partitions 16
  mink init --json-type json
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
    json_type: Annotated[
        str | None,
        typer.Option(
            metavar="TYPE",
            help="Keep a new store's payloads as jsonb, which it does, or as json (PostgreSQL).",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Create or upgrade what the store needs.

    Safe to repeat, and from several processes at once.
    """
    given = {"hash_partitions": hash_partitions, "json_type": json_type}
    options = {name: value for name, value in given.items() if value is not None}
    with session.open(**options) as opened:
        opened.initialize()
        identity = opened.identity()
    if session.speaks_json:
        write_json([{"initialized": True, "store": identity.store, "epoch": identity.epoch}])
    else:
        typer.echo(f"{session.shown_url} is ready: store {identity.store}, epoch {identity.epoch}")
