"""`mink idempotency`."""

from typing import Annotated

import typer

from mink_core.cli.details import AfterId, Limit, count_all, group, pages, tell
from mink_core.cli.output import Printer
from mink_core.cli.session import AsJson, Debug, StoreUrl, session_of
from mink_core.cli.substore_views import KEYS

idempotency = group("idempotency", "Look at idempotency keys: list, show and purge them")


@idempotency.command("list")
def list_keys(
    ctx: typer.Context,
    *,
    after: AfterId = None,
    limit: Limit = None,
    store: StoreUrl = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """List the keys that have not expired, in code point order."""
    session = session_of(ctx, store, as_json, debug)
    printer = Printer(session, KEYS)
    with session.open() as opened:
        printer.all(
            pages(
                lambda above, size: opened.idempotency.list(after=above, limit=size),
                after,
                lambda record: record.key,
                limit,
            )
        )


@idempotency.command()
def show(
    ctx: typer.Context,
    key: Annotated[str, typer.Argument(metavar="KEY", help="An idempotency key.", show_default=False)],
    *,
    store: StoreUrl = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Show what is stored under a key, as JSON."""
    with session_of(ctx, store, as_json, debug).open() as opened:
        tell(opened.idempotency.get(key), f"idempotency key {key!r}")


@idempotency.command()
def purge(ctx: typer.Context, *, store: StoreUrl = None, as_json: AsJson = False, debug: Debug = False) -> None:
    """Delete the keys that have expired, and only those."""
    with session_of(ctx, store, as_json, debug).open() as opened:
        count_all(lambda: opened.idempotency.purge(), "deleted")  # noqa: PLW0108 -- the parameter has a default
