"""Sagas: save by compare-and-set, load, find, claim those that are due, delete."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mink_core.errors import SagaConflictError
from mink_core.json_codec import decode_json
from mink_core.sagas import SagaStatus, StoredSaga
from mink_postgres.query import Program, Query

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mink_core.prepare_substores.sagas import PreparedSaga
    from mink_postgres.context import Context
    from mink_postgres.query import Row


def save(context: Context, saga: PreparedSaga) -> Program[StoredSaga]:
    """Compare-and-set in one round trip."""
    args = (
        saga.saga_id,
        saga.expected,
        saga.saga_type,
        saga.status.value,
        saga.correlation_id,
        saga.state,
        saga.due_at,
        list(saga.handled),
    )
    rows = yield Query(context.sql.save_saga, args, retry_is_safe=True)
    saved, actual, created_at, updated_at = rows[0]
    if not saved:
        raise SagaConflictError(saga.saga_id, saga.expected, actual)
    return StoredSaga(
        saga.saga_id,
        saga.saga_type,
        decode_json(saga.state),
        saga.status,
        saga.correlation_id,
        saga.due_at,
        saga.handled,
        version=actual,
        claims=0,
        created_at=created_at.replace(tzinfo=UTC),
        updated_at=updated_at.replace(tzinfo=UTC),
    )


def load(context: Context, saga_id: str) -> Program[StoredSaga | None]:
    """One saga."""
    rows = yield Query(context.sql.find_sagas("AND saga_id = $2::text"), (1, saga_id))
    return _stored(rows[0]) if rows else None


def find(  # noqa: PLR0913, PLR0917 -- the arguments of `SagaStore.find`
    context: Context,
    correlation_id: str | None,
    saga_type: str | None,
    statuses: Sequence[SagaStatus],
    after: str | None,
    limit: int,
) -> Program[list[StoredSaga]]:
    """Sagas that have all of what is given; only what is given stands in the statement, so that it finds its index."""
    clauses: list[str] = []
    args: list[Any] = [limit]
    for clause, value in (
        ("correlation_id = ${}::text", correlation_id),
        ("saga_type = ${}::text", saga_type),
        ("status = ANY (${}::text[])", [status.value for status in statuses] or None),
        ('saga_id COLLATE "C" > ${}::text', after),
    ):
        if value is not None:
            args.append(value)
            clauses.append("AND " + clause.format(len(args)))
    rows = yield Query(context.sql.find_sagas(" ".join(clauses)), tuple(args))
    return [_stored(row) for row in rows]


def claim_due(
    context: Context, limit: int, lease: float, saga_type: str | None, max_claims: int
) -> Program[list[StoredSaga]]:
    """Take due sagas. A lost reply leaves them claimed until the lease ends: repeating it is safe."""
    rows = yield Query(context.sql.claim_sagas, (limit, lease, saga_type, max_claims), retry_is_safe=True)
    return [_stored(row) for row in rows]


def delete(context: Context, saga_id: str, expected: int) -> Program[None]:
    """Delete for good."""
    rows = yield Query(context.sql.delete_saga, (saga_id, expected), retry_is_safe=True)
    deleted, actual = rows[0]
    if not deleted:
        raise SagaConflictError(saga_id, expected, actual)


def _stored(row: Row) -> StoredSaga:
    saga_id, saga_type, state, status, correlation_id, due_at, handled, version, claims, created_at, updated_at = row
    return StoredSaga(
        saga_id,
        saga_type,
        decode_json(state),
        SagaStatus(status),
        correlation_id,
        due_at and due_at.replace(tzinfo=UTC),
        # asyncpg has a UUID class of its own.
        tuple(event_id if type(event_id) is UUID else UUID(int=event_id.int) for event_id in handled),
        version=version,
        claims=claims,
        created_at=created_at.replace(tzinfo=UTC),
        updated_at=updated_at.replace(tzinfo=UTC),
    )
