"""`mink sagas`."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec
import typer

from mink_core import SagaStatus
from mink_core.cli.details import AfterId, Limit, group, pages, tell
from mink_core.cli.failures import REFUSED
from mink_core.cli.output import Printer
from mink_core.cli.session import AsJson, Debug, StoreUrl, session_of
from mink_core.cli.substore_views import SAGAS

sagas = group("sagas", "Look at sagas: list, show, requeue and delete them")

SagaId = Annotated[str, typer.Argument(metavar="SAGA", help="A saga's id.", show_default=False)]


@sagas.command("list")
def list_sagas(
    ctx: typer.Context,
    *,
    status: Annotated[
        list[SagaStatus] | None, typer.Option("--status", help="Only these; may be given again.", show_default=False)
    ] = None,
    kind: Annotated[str | None, typer.Option("--type", metavar="TYPE", help="Only these.", show_default=False)] = None,
    correlation: Annotated[
        str | None, typer.Option("--correlation", metavar="ID", help="Only these.", show_default=False)
    ] = None,
    after: AfterId = None,
    limit: Limit = None,
    store: StoreUrl = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """List sagas, in code point order of their ids."""
    session = session_of(ctx, store, as_json, debug)
    printer = Printer(session, SAGAS)
    with session.open() as opened:
        printer.all(
            pages(
                lambda above, size: opened.sagas.find(
                    correlation_id=correlation, saga_type=kind, statuses=status or (), after=above, limit=size
                ),
                after,
                lambda saga: saga.saga_id,
                limit,
            )
        )


@sagas.command()
def show(
    ctx: typer.Context, saga: SagaId, *, store: StoreUrl = None, as_json: AsJson = False, debug: Debug = False
) -> None:
    """Show one saga whole, as JSON."""
    with session_of(ctx, store, as_json, debug).open() as opened:
        tell(opened.sagas.load(saga), f"saga {saga!r}")


@sagas.command()
def requeue(
    ctx: typer.Context, saga: SagaId, *, store: StoreUrl = None, as_json: AsJson = False, debug: Debug = False
) -> None:
    """Let a stuck saga run again: due now. Exit code 1 where it is not stuck."""
    with session_of(ctx, store, as_json, debug).open() as opened:
        found = opened.sagas.load(saga)
        if found is None or found.status is not SagaStatus.STUCK:
            typer.echo(f"mink: saga {saga!r} is not stuck; it was left as it is", err=True)
            raise typer.Exit(REFUSED)
        again = msgspec.structs.replace(found, status=SagaStatus.RUNNING, due_at=datetime.now(UTC))
        opened.sagas.save(again, expected_version=found.version)
        typer.echo("1 requeued")


@sagas.command()
def delete(
    ctx: typer.Context,
    saga: SagaId,
    *,
    version: Annotated[int, typer.Option("--version", metavar="N", min=1, help="The version that was looked at.")],
    store: StoreUrl = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Delete a saga for good: its id cannot be used again."""
    with session_of(ctx, store, as_json, debug).open() as opened:
        opened.sagas.delete(saga, expected_version=version)
        typer.echo("1 deleted")
