"""The outbox: add, claim, settle, read, requeue, purge."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from mink_core.errors import DuplicateMessageError, LeaseLostError, UsageError
from mink_core.json_codec import decode_json
from mink_core.outbox import ClaimedMessage, MessageStatus, StoredMessage
from mink_core.prepare_substores.outbox import message_headers
from mink_postgres.query import Program, Query

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from mink_core.outbox import Verdict
    from mink_core.prepare import PreparedMessage
    from mink_postgres.context import Context
    from mink_postgres.query import Row, Rows

_encode = msgspec.json.Encoder().encode

# The conditions that messages are read by: constants, with $1 for what they compare with.
_BY_ID = "message_id = $1::uuid"
_ALL = "position > $1::bigint"
_BY_STATUS = {status: f"{_ALL} AND status = '{status.value}'" for status in MessageStatus}
# What waits for an earlier one of its stream is pending to everybody but the claim.
_BY_STATUS[MessageStatus.PENDING] = f"{_ALL} AND status IN ('pending', 'waiting')"


def encoded(messages: Sequence[PreparedMessage]) -> str:
    """Messages as the one JSON argument of `add_outbox`."""
    return f"[{','.join([_members(message) for message in messages])}]"


def columns_of_items(items: Iterable[Sequence[PreparedMessage]]) -> list[list[Any]]:
    """The messages of several appends, a list a column, the first the number of their append from 1; else nothing."""
    numbered = [(number, message) for number, messages in enumerate(items, 1) for message in messages]
    if not numbered:
        return []
    found = [message for _, message in numbered]
    return [
        [number for number, _ in numbered],
        [str(message.message_id) for message in found],
        [message.destination for message in found],
        [message.payload for message in found],
        [message.headers for message in found],
        [message.stream_id for message in found],
        [None if message.event_id is None else str(message.event_id) for message in found],
        [message.ordered for message in found],
        [message.delay for message in found],
        [message.max_attempts for message in found],
    ]


def _members(message: PreparedMessage) -> str:
    # Payload and headers are JSON text already: put together, not encoded again.
    return (
        f'{{"i":"{message.message_id}","d":{_text(message.destination)},"p":{message.payload},'
        f'"h":{message.headers},"s":{_text(message.stream_id)},'
        f'"e":{_text(message.event_id)},"o":{_text(message.ordered)},'
        f'"w":{message.delay!r},"m":{message.max_attempts}}}'
    )


def _text(value: Any) -> str:
    return _encode(value).decode()


def add(context: Context, messages: Sequence[PreparedMessage]) -> Program[None]:
    """Store messages, all or none."""
    rows = yield Query(context.sql.add_outbox, (encoded(messages),), retry_is_safe=True)
    if (duplicate := rows[0][0]) is not None:
        raise DuplicateMessageError(duplicate)


def claim(context: Context, worker: str, limit: int, lease: float) -> Program[list[ClaimedMessage]]:
    """Take due messages. A lost reply leaves them claimed until the lease ends: repeating it is safe."""
    rows = yield Query(context.sql.claim_outbox, (worker, limit, lease), retry_is_safe=True)
    _refuse_old_snapshot(rows)
    return [_claimed(worker, *row) for row in rows]


def _refuse_old_snapshot(rows: Rows) -> None:
    """Refuse where the server did, by a row of NULLs."""
    if rows and rows[0][0] is None:
        msg = (
            "outbox messages cannot be claimed or settled in a REPEATABLE READ or SERIALIZABLE transaction: its snapshot is "
            "older than the look for the next message of a stream, which could then wait for ever; nothing was done: do it "
            "in a transaction at READ COMMITTED, or outside of one"
        )
        raise UsageError(msg)


def _claimed(  # noqa: PLR0913, PLR0917 -- a row
    worker: str,
    suspect: bool,  # noqa: FBT001
    position: int,
    message_id: UUID,
    destination: str,
    payload: str,
    headers: str,
    stream_id: str | None,
    event_id: UUID | None,
    ordered: bool,  # noqa: FBT001
    attempts: int,
    max_attempts: int,
    due_at: datetime,
    last_error: str | None,
    created_at: datetime,
    token: int,
) -> ClaimedMessage:
    return ClaimedMessage(
        position,
        message_id,
        destination,
        decode_json(payload),
        message_headers(headers, message_id, event_id),
        stream_id,
        event_id,
        ordered,
        MessageStatus.CLAIMED,
        attempts,
        max_attempts,
        due_at.replace(tzinfo=UTC),
        worker,
        last_error,
        created_at.replace(tzinfo=UTC),
        None,
        token,
        suspect,
    )


def settle(context: Context, verdicts: Sequence[Verdict]) -> Program[list[ClaimedMessage]]:
    """Tell what became of messages; gives those that were refused."""
    if not verdicts:
        return []
    given = _encode([_verdict(verdict) for verdict in verdicts]).decode()
    rows = yield Query(context.sql.settle_outbox, (given,), retry_is_safe=True)
    _refuse_old_snapshot(rows)
    accepted = {(position, token) for position, token in rows}
    claimed = [verdict.message for verdict in verdicts]
    return [message for message in claimed if (message.position, message.token) not in accepted]


def _verdict(verdict: Verdict) -> dict[str, Any]:
    what = "untried" if verdict.untried else "done" if verdict.error is None else "failed"
    return {
        "p": verdict.message.position,
        "t": verdict.message.token,
        "v": what,
        "e": verdict.error,
        "w": 0 if verdict.untried else verdict.retry_in,
        "x": verdict.give_up,
    }


def settle_one(context: Context, verdicts: Sequence[Verdict]) -> Program[None]:
    """Tell what became of one message."""
    if refused := (yield from settle(context, verdicts)):
        name = f"outbox message {refused[0].message_id}"
        raise LeaseLostError(name, refused[0].token)


def get(context: Context, message_id: UUID) -> Program[StoredMessage | None]:
    """One message."""
    rows = yield Query(context.sql.read_outbox(_BY_ID), (message_id, 1))
    return _stored(rows[0]) if rows else None


def list_by(context: Context, status: MessageStatus | None, after: int, limit: int) -> Program[list[StoredMessage]]:
    """Messages in the order of storing."""
    condition = _ALL if status is None else _BY_STATUS[status]
    rows = yield Query(context.sql.read_outbox(condition), (after, limit))
    return [_stored(row) for row in rows]


def _stored(row: Row) -> StoredMessage:
    position, message_id, destination, payload, headers, stream_id, event_id, ordered, status, *rest = row
    attempts, max_attempts, due_at, claimed_by, last_error, created_at, finished_at = rest
    return StoredMessage(
        position,
        message_id,
        destination,
        decode_json(payload),
        message_headers(headers, message_id, event_id),
        stream_id,
        event_id,
        ordered,
        MessageStatus(status),
        attempts,
        max_attempts,
        due_at.replace(tzinfo=UTC),
        claimed_by,
        last_error,
        created_at.replace(tzinfo=UTC),
        finished_at and finished_at.replace(tzinfo=UTC),
    )


def requeue(context: Context, message_id: UUID) -> Program[bool]:
    """Make a dead letter due again."""
    return bool((yield Query(context.sql.requeue_outbox, (message_id,), retry_is_safe=True)))


def purge(context: Context, older_than: float, limit: int, *, dead: bool) -> Program[int]:
    """Delete a batch of finished messages."""
    rows = yield Query(context.sql.purge_outbox, ("done", older_than, limit), retry_is_safe=True)
    count = len(rows)
    if dead and count < limit:
        rows = yield Query(context.sql.purge_outbox, ("dead", older_than, limit - count), retry_is_safe=True)
        count += len(rows)
    return count
