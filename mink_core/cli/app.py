"""The typer application: which commands there are, and what stands before them."""

from collections.abc import Callable
from typing import Annotated, Any

import typer

from mink_core import __version__
from mink_core.cli.commands import (
    append,
    check,
    conformance,
    doctor,
    epoch,
    export,
    grants,
    idempotency,
    importing,
    info,
    init,
    migrate,
    outbox,
    parked,
    partition,
    payloads,
    read,
    sagas,
    snapshots,
    stats,
    streams,
    subscriptions,
    tail,
)
from mink_core.cli.commands.plugins import add_plugins
from mink_core.cli.defining import add_command, summary_of
from mink_core.cli.demo import command as demo
from mink_core.cli.failures import epilog
from mink_core.cli.group import MinkGroup
from mink_core.cli.session import AsJson, Debug, StoreUrl, session_of

_FIRST_STEPS = """\
\b
First steps:
  mink demo
  export MINK_STORE_URL=postgresql+embedded://./folder
  mink init
  mink append order-1 --expect none --type OrderPlaced --data '{"total": 12}'
  mink read order-1
  mink tail
"""


app = typer.Typer(
    name="mink",
    cls=MinkGroup,
    help="Append, read and follow events, on any storage that Mink has an adapter for.",
    epilog=epilog(_FIRST_STEPS),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mink {__version__}")
        raise typer.Exit


@app.callback()
def options(
    ctx: typer.Context,
    store: StoreUrl = None,
    as_json: AsJson = False,
    debug: Debug = False,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Take the options that stand before the command."""
    session_of(ctx, store, as_json, debug)


_COMMANDS: tuple[tuple[Callable[..., Any], str], ...] = (
    (init.init, init.EXAMPLES),
    (append.append, append.EXAMPLES),
    (read.read, read.EXAMPLES),
    (tail.tail, tail.EXAMPLES),
    (streams.streams, streams.EXAMPLES),
    (info.info, info.EXAMPLES),
    (subscriptions.subscriptions, subscriptions.EXAMPLES),
    (parked.parked, parked.EXAMPLES),
    (check.check, check.EXAMPLES),
    (migrate.migrate, migrate.EXAMPLES),
    (partition.partition, partition.EXAMPLES),
    (payloads.payloads, payloads.EXAMPLES),
    (grants.grants, grants.EXAMPLES),
    (doctor.doctor, doctor.EXAMPLES),
    (stats.stats, stats.EXAMPLES),
    (epoch.epoch, epoch.EXAMPLES),
    (export.export, export.EXAMPLES),
    (importing.import_, importing.EXAMPLES),
    (demo.demo, demo.EXAMPLES),
)
# Its options are the kit's own, so the parser hands over all that follows, --help included.
_HANDED_OVER: dict[str, Any] = {
    "context_settings": {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
}
app.command(
    short_help=summary_of(conformance.conformance), epilog=epilog(f"\b\n{conformance.EXAMPLES}"), **_HANDED_OVER
)(conformance.conformance)
for _command, _examples in _COMMANDS:
    # A keyword of the language cannot name a function: import_ is the command import.
    add_command(app, _command.__name__.rstrip("_"), _command, _examples)
for _group in (outbox.outbox, snapshots.snapshots, sagas.sagas, idempotency.idempotency):
    app.add_typer(_group.app)
add_plugins(app)
