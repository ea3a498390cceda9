"""Sagas: save by compare-and-set, load, find, claim those that are due, delete."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from mink_core.errors import SagaConflictError
from mink_core.json_codec import decode_json
from mink_core.prepare_substores.sagas import PreparedSaga  # noqa: TC001 -- msgspec resolves annotations at run time
from mink_core.sagas import SagaStatus, StoredSaga
from mink_memory.records import Change

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mink_memory.records import Records

TABLE = "saga"


class Row(msgspec.Struct, frozen=True):
    """A saga as it is kept: encoded. A deleted one keeps its row, so that it cannot come back."""

    saga: PreparedSaga
    version: int
    created_at: datetime
    updated_at: datetime
    claims: int = 0
    deleted: bool = False

    def told(self, *, claimed: bool = False) -> StoredSaga:
        """As the caller sees it."""
        saga = self.saga
        return StoredSaga(
            saga.saga_id,
            saga.saga_type,
            decode_json(saga.state),
            saga.status,
            saga.correlation_id,
            None if claimed else saga.due_at,
            saga.handled,
            version=self.version,
            claims=self.claims,
            created_at=self.created_at,
            updated_at=self.updated_at,
        )


def _expected(records: Records, saga_id: str, expected: int) -> Row | None:
    row: Row | None = records.get(TABLE, saga_id)
    actual = 0 if row is None else None if row.deleted else row.version
    if actual != expected:
        raise SagaConflictError(saga_id, expected, actual)
    return row


def save(saga: PreparedSaga) -> Change[StoredSaga]:
    """Compare-and-set."""

    def apply(records: Records) -> StoredSaga:
        before = _expected(records, saga.saga_id, saga.expected)
        created_at = records.now if before is None else before.created_at
        updated_at = records.now if before is None else max(records.now, before.updated_at)
        row = Row(saga, saga.expected + 1, created_at, updated_at)
        records.put(TABLE, saga.saga_id, row)
        return row.told()

    return Change(((TABLE, saga.saga_id),), apply)


def load(saga_id: str) -> Change[StoredSaga | None]:
    """One saga."""

    def apply(records: Records) -> StoredSaga | None:
        row: Row | None = records.get(TABLE, saga_id)
        return None if row is None or row.deleted else row.told()

    return Change((), apply)


def find(
    correlation_id: str | None,
    saga_type: str | None,
    statuses: Sequence[SagaStatus],
    after: str | None,
    limit: int,
) -> Change[list[StoredSaga]]:
    """Sagas that have all of what is given."""

    def fits(row: Row) -> bool:
        return (
            not row.deleted
            and row.saga.saga_id > (after or "")
            and correlation_id in (None, row.saga.correlation_id)
            and saga_type in (None, row.saga.saga_type)
            and (not statuses or row.saga.status in statuses)
        )

    def apply(records: Records) -> list[StoredSaga]:
        rows: list[Row] = [row for _, row in records.items(TABLE) if fits(row)]
        return [row.told() for row in sorted(rows, key=lambda row: row.saga.saga_id)[:limit]]

    return Change((), apply)


def claim_due(limit: int, lease: float, saga_type: str | None, max_claims: int) -> Change[list[StoredSaga]]:
    """Take due sagas, a new version each; one that was claimed too often is stuck."""

    def apply(records: Records) -> list[StoredSaga]:
        due: list[tuple[datetime, Row]] = [
            (row.saga.due_at, row)
            for _, row in records.items(TABLE)
            if row.saga.due_at is not None
            and row.saga.due_at <= records.now
            and saga_type in (None, row.saga.saga_type)
        ]
        claimed: list[StoredSaga] = []
        for _, row in sorted(due, key=lambda pair: pair[0]):
            stuck = row.claims >= max_claims
            if (len(claimed) == limit and not stuck) or records.is_locked((TABLE, row.saga.saga_id)):
                continue
            if stuck:
                saga = replace(row.saga, status=SagaStatus.STUCK, due_at=None)
                stopped = replace(row, saga=saga, version=row.version + 1, updated_at=records.now)
                records.put(TABLE, saga.saga_id, stopped)
            else:
                saga = replace(row.saga, due_at=records.now + timedelta(seconds=lease))
                taken = replace(row, saga=saga, version=row.version + 1, claims=row.claims + 1)
                records.put(TABLE, saga.saga_id, taken)
                claimed.append(taken.told(claimed=True))
        return sorted(claimed, key=lambda saga: saga.saga_id)

    return Change((), apply)


def delete(saga_id: str, expected: int) -> Change[None]:
    """Delete for good."""

    def apply(records: Records) -> None:
        row = _expected(records, saga_id, expected)
        if row is None:
            raise SagaConflictError(saga_id, expected, 0)
        records.put(TABLE, saga_id, erased(row, records.now))

    return Change(((TABLE, saga_id),), apply)


def erased(row: Row, now: datetime) -> Row:
    """The row of a deleted saga: nothing of its content is left."""
    saga = replace(row.saga, state="null", handled=(), correlation_id=None, due_at=None)
    return replace(row, saga=saga, version=row.version + 1, updated_at=now, deleted=True)
