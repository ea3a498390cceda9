"""Idempotency keys: reserve, complete, release, get, purge."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec
from msgspec.structs import replace

from mink_core.deciding import same_json
from mink_core.errors import LeaseLostError
from mink_core.idempotency import IdempotencyRecord, Reservation
from mink_core.json_codec import decode_json
from mink_core.prepare_substores.idempotency import PreparedKey  # noqa: TC001 -- msgspec resolves annotations at run time
from mink_memory.records import Change

if TYPE_CHECKING:
    from mink_memory.records import Records

TABLE = "idempotency key"


class Row(msgspec.Struct, frozen=True):
    """A key as it is kept: encoded."""

    given: PreparedKey
    token: UUID
    reserved_at: datetime
    expires_at: datetime
    response: str | None = None
    completed_at: datetime | None = None

    def told(self) -> IdempotencyRecord:
        """As the caller sees it."""
        return IdempotencyRecord(
            self.given.key,
            self.completed_at is not None,
            None if self.response is None else decode_json(self.response),
            self.given.stream_id,
            decode_json(self.given.metadata),
            self.reserved_at,
            self.completed_at,
            self.expires_at,
        )


def _valid(records: Records, key: str) -> Row | None:
    row: Row | None = records.get(TABLE, key)
    return None if row is None or row.expires_at <= records.now else row


def reserve(given: PreparedKey, token: UUID) -> Change[Reservation]:
    """Take the key, or tell what is stored under it."""

    def apply(records: Records) -> Reservation:
        if (row := _valid(records, given.key)) is not None:
            return Reservation(row.told(), None)
        mine = Row(given, token, records.now, records.now + timedelta(seconds=given.ttl))
        records.put(TABLE, given.key, mine)
        return Reservation(mine.told(), mine.token)

    return Change(((TABLE, given.key),), apply)


def give_up(given: PreparedKey, token: UUID) -> Change[None]:
    """Give the key back, if it came to be ours."""

    def apply(records: Records) -> None:
        row = _valid(records, given.key)
        if row is not None and row.token == token and row.completed_at is None:
            records.drop(TABLE, given.key)

    return Change(((TABLE, given.key),), apply)


def _mine(records: Records, reservation: Reservation) -> Row:
    key, token = reservation.record.key, reservation.token
    row = _valid(records, key)
    if row is None or token is None or row.token != token:
        name = f"idempotency key {key}"
        raise LeaseLostError(name, token or UUID(int=0))
    return row


def complete(reservation: Reservation, response: str, ttl: float) -> Change[IdempotencyRecord]:
    """Store the response, if the key is still ours."""
    key = reservation.record.key

    def apply(records: Records) -> IdempotencyRecord:
        row = _mine(records, reservation)
        if row.response is not None and not same_json(row.response, response):
            name = f"idempotency key {key}"
            raise LeaseLostError(name, row.token)
        expires_at = records.now + timedelta(seconds=ttl)
        done = replace(row, response=response, completed_at=records.now, expires_at=expires_at)
        records.put(TABLE, key, done)
        return done.told()

    return Change(((TABLE, key),), apply)


def release(reservation: Reservation) -> Change[None]:
    """Give the key back, if it is still ours."""
    key = reservation.record.key

    def apply(records: Records) -> None:
        row = _mine(records, reservation)
        if row.completed_at is not None:
            name = f"idempotency key {key}"
            raise LeaseLostError(name, row.token)
        records.drop(TABLE, key)

    return Change(((TABLE, key),), apply)


def get(key: str) -> Change[IdempotencyRecord | None]:
    """What is stored under a key."""

    def apply(records: Records) -> IdempotencyRecord | None:
        row = _valid(records, key)
        return row.told() if row else None

    return Change((), apply)


def list_all(after: str | None, limit: int) -> Change[list[IdempotencyRecord]]:
    """What has not expired."""

    def apply(records: Records) -> list[IdempotencyRecord]:
        rows: list[Row] = [
            row for key, row in records.items(TABLE) if key > (after or "") and row.expires_at > records.now
        ]
        return [row.told() for row in sorted(rows, key=lambda row: row.given.key)[:limit]]

    return Change((), apply)


def purge(limit: int) -> Change[int]:
    """Delete a batch of expired keys."""

    def apply(records: Records) -> int:
        expired = [key for key, row in records.items(TABLE) if row.expires_at <= records.now]
        taken = [key for key in expired[:limit] if not records.is_locked((TABLE, key))]
        for key in taken:
            records.drop(TABLE, key)
        return len(taken)

    return Change((), apply)
