"""The outbox: add, claim, settle, read, requeue, purge."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID  # noqa: TC003 -- msgspec resolves a Struct's annotations at run time

import msgspec
from msgspec.structs import replace

from mink_core.deciding import same_json
from mink_core.errors import DuplicateMessageError, LeaseLostError
from mink_core.json_codec import decode_json
from mink_core.outbox import ClaimedMessage, MessageStatus, StoredMessage
from mink_core.prepare import PreparedMessage  # noqa: TC001 -- msgspec resolves annotations at run time
from mink_core.prepare_substores.outbox import message_headers
from mink_memory.records import Change

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mink_core.outbox import Verdict
    from mink_memory.keys import RecordKey
    from mink_memory.records import Records

OPEN = "outbox"
"""Messages that may still be published, by id."""
FINISHED = "outbox finished"
"""Those that were done or given up, apart, so that a claim does not look at them."""


class Row(msgspec.Struct, frozen=True):
    """A message as it is kept: encoded."""

    message: PreparedMessage
    position: int
    created_at: datetime
    due_at: datetime
    status: MessageStatus = MessageStatus.PENDING
    attempts: int = 0
    token: int = 0
    claimed_by: str | None = None
    last_error: str | None = None
    finished_at: datetime | None = None


def find(records: Records, message_id: UUID) -> Row | None:
    """A message, open or finished."""
    found: Row | None = records.get(OPEN, message_id) or records.get(FINISHED, message_id)
    return found


def _keys(ids: Iterable[UUID]) -> tuple[RecordKey, ...]:
    return tuple((OPEN, message_id) for message_id in sorted(ids, key=lambda message_id: message_id.int))


def _store(records: Records, message: PreparedMessage) -> None:
    due_at = records.now + timedelta(seconds=message.delay)
    records.put(OPEN, message.message_id, Row(message, records.next_token(), records.now, due_at))


def _finish(records: Records, row: Row) -> None:
    records.drop(OPEN, row.message.message_id)
    records.put(FINISHED, row.message.message_id, replace(row, finished_at=records.now))


def add(messages: Sequence[PreparedMessage]) -> Change[None]:
    """Store messages, all or none; one that is stored unchanged stays as it is."""

    def apply(records: Records) -> None:
        for message in messages:
            if (known := find(records, message.message_id)) is None:
                _store(records, message)
            elif not _same(known.message, message):
                raise DuplicateMessageError(message.message_id)

    return Change(_keys(message.message_id for message in messages), apply)


def _same(one: PreparedMessage, other: PreparedMessage) -> bool:
    return (
        (one.destination, one.ordered, one.stream_id, one.event_id)
        == (other.destination, other.ordered, other.stream_id, other.event_id)
        and same_json(one.payload, other.payload)
        and same_json(one.headers, other.headers)
    )


def add_with_append(messages: Sequence[PreparedMessage]) -> Change[None] | None:
    """Store the messages of an append that is no repeat, so that none can be known."""
    if not messages:
        return None

    def apply(records: Records) -> None:
        for message in messages:
            if find(records, message.message_id) is not None:
                raise DuplicateMessageError(message.message_id)
            _store(records, message)

    return Change(_keys(message.message_id for message in messages), apply)


def claim(worker: str, limit: int, lease: float) -> Change[list[ClaimedMessage]]:
    """Take due messages: fresh ones, and at most one whose lease ran out."""

    def apply(records: Records) -> list[ClaimedMessage]:
        rows: list[Row] = sorted((row for _, row in records.items(OPEN)), key=lambda row: (row.due_at, row.position))
        heads: dict[str | None, int] = {}
        for row in rows:
            if row.message.ordered:
                stream_id = row.message.stream_id
                heads[stream_id] = min(row.position, heads.get(stream_id, row.position))
        due = [row for row in rows if row.due_at <= records.now]
        lapsed = _take_lapsed(records, [row for row in due if row.status is MessageStatus.CLAIMED])
        picked: list[Row] = []
        for row in due:
            if len(picked) + len(lapsed) >= limit:
                break
            blocked = row.message.ordered and heads[row.message.stream_id] != row.position
            if (
                row.status is MessageStatus.PENDING
                and not blocked
                and not records.is_locked((OPEN, row.message.message_id))
            ):
                picked.append(row)
        picked.sort(key=lambda row: row.position)
        return [_claim(records, row, worker, lease, suspect=row in lapsed) for row in [*picked, *lapsed]]

    return Change((), apply)


def _take_lapsed(records: Records, rows: Sequence[Row]) -> list[Row]:
    """The first one with an attempt left; those without are given up."""
    taken: list[Row] = []
    for row in rows:
        used_up = row.attempts >= row.message.max_attempts
        if (not used_up and taken) or records.is_locked((OPEN, row.message.message_id)):
            continue
        if used_up:
            said = f"attempt {row.attempts} by {row.claimed_by} was never heard of again"
            error = f"{row.last_error}; {said}" if row.last_error else said
            _finish(records, replace(row, status=MessageStatus.DEAD, last_error=error))
        else:
            taken.append(row)
    return taken


def _claim(records: Records, row: Row, worker: str, lease: float, *, suspect: bool) -> ClaimedMessage:
    claimed = replace(
        row,
        status=MessageStatus.CLAIMED,
        attempts=row.attempts + 1,
        token=row.token + 1,
        claimed_by=worker,
        due_at=records.now + timedelta(seconds=lease),
    )
    records.put(OPEN, row.message.message_id, claimed)
    return ClaimedMessage(
        **msgspec.structs.asdict(_told(claimed)),
        token=claimed.token,
        suspect=suspect,
    )


def settle(verdicts: Sequence[Verdict]) -> Change[list[ClaimedMessage]]:
    """Tell what became of messages; gives those that were refused."""

    def apply(records: Records) -> list[ClaimedMessage]:
        return [verdict.message for verdict in verdicts if not _settle(records, verdict)]

    return Change(_keys(verdict.message.message_id for verdict in verdicts), apply)


def _settle(records: Records, verdict: Verdict) -> bool:
    row: Row | None = records.get(OPEN, verdict.message.message_id)
    if (
        row is None
        or row.token != verdict.message.token
        or row.status is not MessageStatus.CLAIMED
        or row.due_at <= records.now
    ):
        return False
    if verdict.untried:
        pending = replace(row, status=MessageStatus.PENDING, attempts=row.attempts - 1, due_at=records.now)
        records.put(OPEN, row.message.message_id, pending)
    elif verdict.error is None:
        _finish(records, replace(row, status=MessageStatus.DONE))
    elif verdict.give_up or row.attempts >= row.message.max_attempts:
        _finish(records, replace(row, status=MessageStatus.DEAD, last_error=verdict.error))
    else:
        due_at = records.now + timedelta(seconds=verdict.retry_in or 0)
        failed = replace(row, status=MessageStatus.PENDING, due_at=due_at, last_error=verdict.error)
        records.put(OPEN, row.message.message_id, failed)
    return True


def settle_one(verdicts: Sequence[Verdict]) -> Change[None]:
    """Tell what became of one message."""
    several = settle(verdicts)

    def apply(records: Records) -> None:
        if refused := several.apply(records):
            name = f"outbox message {refused[0].message_id}"
            raise LeaseLostError(name, refused[0].token)

    return Change(several.keys, apply)


def get(message_id: UUID) -> Change[StoredMessage | None]:
    """One message."""

    def apply(records: Records) -> StoredMessage | None:
        row = find(records, message_id)
        return _told(row) if row else None

    return Change((), apply)


def list_by(status: MessageStatus | None, after: int, limit: int) -> Change[list[StoredMessage]]:
    """Messages in the order of storing."""

    def apply(records: Records) -> list[StoredMessage]:
        rows: list[Row] = [row for table in (OPEN, FINISHED) for _, row in records.items(table)]
        found = [row for row in rows if row.position > after and status in (None, row.status)]
        return [_told(row) for row in sorted(found, key=lambda row: row.position)[:limit]]

    return Change((), apply)


def _told(row: Row) -> StoredMessage:
    message = row.message
    return StoredMessage(
        row.position,
        message.message_id,
        message.destination,
        decode_json(message.payload),
        message_headers(message.headers, message.message_id, message.event_id),
        message.stream_id,
        message.event_id,
        message.ordered,
        row.status,
        row.attempts,
        message.max_attempts,
        row.due_at,
        row.claimed_by,
        row.last_error,
        row.created_at,
        row.finished_at,
    )


def requeue(message_id: UUID) -> Change[bool]:
    """Make a dead letter due again."""

    def apply(records: Records) -> bool:
        row: Row | None = records.get(FINISHED, message_id)
        if row is None or row.status is not MessageStatus.DEAD:
            return False
        again = replace(
            row, status=MessageStatus.PENDING, attempts=0, due_at=records.now, claimed_by=None, finished_at=None
        )
        records.drop(FINISHED, message_id)
        records.put(OPEN, message_id, again)
        return True

    return Change(_keys([message_id]), apply)


def purge(older_than: float, limit: int, *, dead: bool) -> Change[int]:
    """Delete a batch of finished messages."""

    def apply(records: Records) -> int:
        before = records.now - timedelta(seconds=older_than)
        wanted = (MessageStatus.DONE, MessageStatus.DEAD) if dead else (MessageStatus.DONE,)
        found: list[Row] = [row for _, row in records.items(FINISHED) if row.status in wanted]
        old = [row.message.message_id for row in found if row.finished_at is not None and row.finished_at <= before]
        taken = [message_id for message_id in old[:limit] if not records.is_locked((OPEN, message_id))]
        for message_id in taken:
            records.drop(FINISHED, message_id)
        return len(taken)

    return Change((), apply)
