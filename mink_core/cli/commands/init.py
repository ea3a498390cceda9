"""`mink init`."""

import typer

from mink_core.cli.output import write_json
from mink_core.cli.session import AsJson, Debug, StoreUrl, session_of

EXAMPLES = """\
Example:
  mink init --store postgresql://app@localhost/app
"""


def init(ctx: typer.Context, *, store: StoreUrl = None, as_json: AsJson = False, debug: Debug = False) -> None:
    """Create or upgrade what the store needs.

    Safe to repeat, and from several processes at once.
    """
    session = session_of(ctx, store, as_json, debug)
    with session.open() as opened:
        opened.initialize()
        identity = opened.identity()
    if session.speaks_json:
        write_json([{"initialized": True, "store": identity.store, "epoch": identity.epoch}])
    else:
        typer.echo(f"{session.shown_url} is ready: store {identity.store}, epoch {identity.epoch}")
