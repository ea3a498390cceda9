"""Checkpoints: load, save by compare-and-set, reset, list."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from mink_core.checkpoints import Checkpoint
from mink_core.errors import CheckpointConflictError, LeaseLostError
from mink_core.events import StoreIdentity
from mink_postgres.query import Program, Query

if TYPE_CHECKING:
    from mink_core.leases import Lease
    from mink_postgres.context import Context
    from mink_postgres.query import Row


def _checkpoint(row: Row) -> Checkpoint:
    name, position, store, epoch, updated_at = row
    identity = None if store is None else StoreIdentity(store, epoch)
    return Checkpoint(name, position, identity, updated_at.replace(tzinfo=UTC))


def load(context: Context, name: str) -> Program[Checkpoint | None]:
    """One checkpoint."""
    rows = yield Query(context.sql.load_checkpoint, (name,))
    return _checkpoint(rows[0]) if rows else None


def save(  # noqa: PLR0913, PLR0917 -- the arguments of `CheckpointStore.save`
    context: Context,
    name: str,
    position: int,
    expected: int | None,
    identity: StoreIdentity | None,
    lease: Lease | None,
) -> Program[None]:
    """Compare-and-set, fenced by the lease, in one round trip."""
    history = (None, None) if identity is None else (identity.store, identity.epoch)
    fence = (None, None, None) if lease is None else (lease.subscription, lease.partition, lease.token)
    rows = yield Query(context.sql.save_checkpoint, (name, position, expected, *history, *fence), retry_is_safe=True)
    outcome, actual = rows[0]
    if outcome == "fenced" and lease is not None:
        raise LeaseLostError(name, lease.token)
    if outcome == "conflict":
        raise CheckpointConflictError(name, expected, actual)


def reset(context: Context, name: str, position: int | None) -> Program[None]:
    """Put it there, whatever it is."""
    yield Query(context.sql.reset_checkpoint, (name, position), retry_is_safe=True)


def list_all(context: Context) -> Program[list[Checkpoint]]:
    """All of them."""
    rows = yield Query(context.sql.list_checkpoints)
    return [_checkpoint(row) for row in rows]
