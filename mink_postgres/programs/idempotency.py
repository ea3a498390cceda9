"""Idempotency keys: reserve, complete, release, get, purge."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import msgspec

from mink_core.errors import LeaseLostError
from mink_core.idempotency import IdempotencyRecord, Reservation
from mink_core.json_codec import decode_json
from mink_postgres.query import Program, Query

if TYPE_CHECKING:
    from mink_core.prepare_substores.idempotency import PreparedKey
    from mink_postgres.context import Context
    from mink_postgres.query import Row


class Claim(msgspec.Struct):
    """What a caller knows of its reservation that is interrupted before it has the answer."""

    token: UUID = msgspec.field(default_factory=uuid4)
    may_hold: bool = False
    """Whether the server may have given it the key."""


def reserve(context: Context, given: PreparedKey, claim: Claim) -> Program[Reservation]:
    """Take the key, or tell what is stored under it."""
    args = (given.key, claim.token, given.ttl, given.stream_id, given.metadata)
    claim.may_hold = True
    rows = yield Query(context.sql.reserve_key, args, retry_is_safe=False)
    *record, claim.may_hold = rows[0]
    return Reservation(_record(record), claim.token if claim.may_hold else None)


def give_up(context: Context, given: PreparedKey, claim: Claim) -> Program[None]:
    """Give the key back, if it came to be ours."""
    yield Query(context.sql.release_key, (given.key, claim.token), retry_is_safe=True)


def complete(context: Context, reservation: Reservation, response: str, ttl: float) -> Program[IdempotencyRecord]:
    """Store the response, if the key is still ours."""
    key, token = _mine(reservation)
    rows = yield Query(context.sql.complete_key, (key, token, response, ttl), retry_is_safe=True)
    if not rows:
        name = f"idempotency key {key}"
        raise LeaseLostError(name, token)
    return _record(rows[0])


def release(context: Context, reservation: Reservation) -> Program[None]:
    """Give the key back, if it is still ours."""
    key, token = _mine(reservation)
    if not (yield Query(context.sql.release_key, (key, token), retry_is_safe=True)):
        name = f"idempotency key {key}"
        raise LeaseLostError(name, token)


def _mine(reservation: Reservation) -> tuple[str, UUID]:
    assert reservation.token is not None  # noqa: S101 -- the facade has checked it
    return reservation.record.key, reservation.token


def get(context: Context, key: str) -> Program[IdempotencyRecord | None]:
    """What is stored under a key."""
    rows = yield Query(context.sql.get_key, (key,))
    return _record(rows[0]) if rows else None


def list_all(context: Context, after: str | None, limit: int) -> Program[list[IdempotencyRecord]]:
    """What has not expired."""
    rows = yield Query(context.sql.list_keys, (after or "", limit))
    return [_record(row) for row in rows]


def purge(context: Context, limit: int) -> Program[int]:
    """Delete a batch of expired keys."""
    return len((yield Query(context.sql.purge_keys, (limit,), retry_is_safe=True)))


def _record(row: Row) -> IdempotencyRecord:
    key, completed, response, stream_id, metadata, reserved_at, completed_at, expires_at = row
    return IdempotencyRecord(
        key,
        completed,
        None if response is None else decode_json(response),
        stream_id,
        decode_json(metadata),
        reserved_at.replace(tzinfo=UTC),
        completed_at and completed_at.replace(tzinfo=UTC),
        expires_at.replace(tzinfo=UTC),
    )
