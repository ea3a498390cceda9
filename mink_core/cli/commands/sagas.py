"""`mink sagas`."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec
import typer

from mink_core import SagaStatus, Store
from mink_core.cli.defining import Group
from mink_core.cli.failures import REFUSED
from mink_core.cli.session import Session
from mink_core.cli.substore_commands import AfterId, Limit, Yes, done, meant, print_pages, tell
from mink_core.cli.substore_views import SAGAS

sagas = Group("sagas", "Look at sagas: list, show, requeue and delete them")

SagaId = Annotated[str, typer.Argument(metavar="SAGA", help="A saga's id.", show_default=False)]

_LIST = """\
Examples:
  mink sagas list
  mink sagas list --status stuck --type Payment
  mink sagas list --correlation order-42 --json
"""
_SHOW = """\
Example:
  mink sagas show payment-42 | jq .data
"""
_REQUEUE = """\
Example:
  mink sagas requeue payment-42
"""
_DELETE = """\
Example:
  mink sagas delete payment-42 --version 3 --yes
"""


@sagas.command("list", _LIST)
def list_sagas(
    session: Session,
    store: Store,
    *,
    status: Annotated[
        list[SagaStatus] | None,
        typer.Option(
            "--status",
            metavar="STATUS",
            help=f"Only these: {', '.join(status.value for status in SagaStatus)}; may be given again.",
            show_default=False,
        ),
    ] = None,
    kind: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help="Only of this type.", show_default=False)
    ] = None,
    correlation: Annotated[
        str | None,
        typer.Option("--correlation", metavar="ID", help="Only with this correlation id.", show_default=False),
    ] = None,
    after: AfterId = None,
    limit: Limit = None,
) -> None:
    """List sagas, in code point order of their ids."""
    print_pages(
        session,
        SAGAS,
        lambda above, size: store.sagas.find(
            correlation_id=correlation, saga_type=kind, statuses=status or (), after=above, limit=size
        ),
        lambda saga: saga.saga_id,
        after=after,
        limit=limit,
    )


@sagas.command("show", _SHOW)
def show(_: Session, store: Store, saga: SagaId) -> None:
    """Show one saga whole, as JSON."""
    tell(store.sagas.load(saga), f"saga {saga!r}")


@sagas.command("requeue", _REQUEUE)
def requeue(session: Session, store: Store, saga: SagaId) -> None:
    """Let a stuck saga run again: due now. Exit code 1 where it is not stuck."""
    found = store.sagas.load(saga)
    if found is None or found.status is not SagaStatus.STUCK:
        typer.echo(f"mink: saga {saga!r} is not stuck; it was left as it is", err=True)
        raise typer.Exit(REFUSED)
    again = msgspec.structs.replace(found, status=SagaStatus.RUNNING, due_at=datetime.now(UTC))
    store.sagas.save(again, expected_version=found.version)
    done(session, "requeued", 1)


@sagas.command("delete", _DELETE)
def delete(
    session: Session,
    store: Store,
    saga: SagaId,
    *,
    version: Annotated[int, typer.Option("--version", metavar="N", min=1, help="The version that was looked at.")],
    yes: Yes = False,
) -> None:
    """Delete a saga for good: its id cannot be used again."""
    meant(yes, f"saga {saga!r}")
    store.sagas.delete(saga, expected_version=version)
    done(session, "deleted", 1)
