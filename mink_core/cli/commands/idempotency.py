"""`mink idempotency`."""

from typing import Annotated

import typer

from mink_core import Store
from mink_core.cli.defining import Group
from mink_core.cli.session import Session
from mink_core.cli.substore_commands import AfterId, Limit, done, print_pages, tell, until_none
from mink_core.cli.substore_views import KEYS

idempotency = Group("idempotency", "Look at idempotency keys: list, show and purge them")

_LIST = """\
Examples:
  mink idempotency list
  mink idempotency list --after order-41 --limit 20 --json
"""
_SHOW = """\
Example:
  mink idempotency show order-42
"""
_PURGE = """\
Example:
  mink idempotency purge
"""


@idempotency.command("list", _LIST)
def list_keys(session: Session, store: Store, *, after: AfterId = None, limit: Limit = None) -> None:
    """List the keys that have not expired, in code point order."""
    print_pages(
        session,
        KEYS,
        lambda above, size: store.idempotency.list(after=above, limit=size),
        lambda record: record.key,
        after=after,
        limit=limit,
    )


@idempotency.command("show", _SHOW)
def show(
    _: Session,
    store: Store,
    key: Annotated[str, typer.Argument(metavar="KEY", help="An idempotency key.", show_default=False)],
) -> None:
    """Show what is stored under a key, as JSON."""
    tell(store.idempotency.get(key), f"idempotency key {key!r}")


@idempotency.command("purge", _PURGE)
def purge(session: Session, store: Store) -> None:
    """Delete the keys that have expired, and only those."""
    done(session, "deleted", until_none(store.idempotency.purge))
