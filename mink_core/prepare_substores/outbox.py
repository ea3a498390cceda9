"""Outbox messages and the verdicts on them, checked and encoded."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from mink_core.backoff import Backoff
from mink_core.errors import UsageError
from mink_core.json_codec import decode_json, encode_json
from mink_core.limits import (
    MAX_CALL_BYTES,
    MAX_CALL_EVENTS,
    MAX_INT32,
    MAX_WORKER_NAME,
    check_between,
    check_count,
    check_destination,
    check_seconds,
    check_stream_id,
    check_text,
)
from mink_core.outbox import ClaimedMessage, MessageStatus, OutboxMessage, Verdict
from mink_core.prepare import PreparedAppend, PreparedMessage

if TYPE_CHECKING:
    from collections.abc import Sequence

_MAX_ERROR = 2000
_BACKOFF = Backoff()


def prepare_messages(messages: object, append: PreparedAppend | None = None) -> tuple[PreparedMessage, ...]:
    """Check and encode outbox messages; in an append they belong to its stream and its first event.

    Raises:
        UsageError: One is wrong, an id stands twice, or an event is not of the append. Nothing was sent.
    """
    given = [messages] if isinstance(messages, OutboxMessage) else messages
    if not isinstance(given, Iterable) or isinstance(given, (str, bytes, dict)):
        msg = f"outbox messages must be OutboxMessage values, not {type(messages).__name__}"
        raise UsageError(msg)
    prepared = tuple([_prepare_message(index, message, append) for index, message in enumerate(given)])
    if len(prepared) > 1:
        _check_together(prepared)
    return prepared


def _check_together(messages: Sequence[PreparedMessage]) -> None:
    """Ids and limits over a whole call; one message by itself is within all of them."""
    seen: set[UUID] = set()
    size = 0
    for one in messages:
        if one.message_id in seen:
            msg = f"message id {one.message_id} stands twice in one call; every message needs its own"
            raise UsageError(msg)
        seen.add(one.message_id)
        size += len(one.payload.encode()) + len(one.headers)
    if len(messages) > MAX_CALL_EVENTS or size > MAX_CALL_BYTES:
        msg = f"a call may hold {MAX_CALL_EVENTS} outbox messages and {MAX_CALL_BYTES} bytes of them"
        raise UsageError(msg)


def with_messages(append: PreparedAppend, messages: object) -> PreparedAppend:
    """An append with outbox messages to store with it.

    Raises:
        UsageError: As `prepare_messages`.
    """
    if messages == ():
        return append
    prepared = prepare_messages(messages, append)
    return PreparedAppend(append.stream_id, append.category, append.expected, append.events, prepared)


def _prepare_message(index: int, message: object, append: PreparedAppend | None) -> PreparedMessage:
    if not isinstance(message, OutboxMessage):
        msg = f"outbox messages[{index}] must be an OutboxMessage, not {type(message).__name__}"
        raise UsageError(msg)
    stream_id, event_id = message.stream_id, message.event_id
    if append is not None and event_id is None:
        event_id = append.events[0].event_id
    elif append is not None and all(event.event_id != event_id for event in append.events):
        msg = f"an outbox message of an append tells of one of its events, but {event_id!r:.60} is none of them"
        raise UsageError(msg)
    if stream_id is not None:
        check_stream_id(stream_id)
    elif append is not None:
        stream_id = append.stream_id
    if not isinstance(message.message_id, UUID) or not (event_id is None or isinstance(event_id, UUID)):
        msg = "an outbox message's message_id and event_id must be UUIDs"
        raise UsageError(msg)
    ordered, headers = message.ordered, message.headers
    if type(ordered) is not bool or (ordered and stream_id is None):
        msg = "an outbox message's ordered is a bool, and an ordered message needs a stream_id to be in order with"
        raise UsageError(msg)
    if type(headers) is not dict or any(type(value) is not str for value in headers.values()):
        msg = "an outbox message's headers must be a dict of str to str"
        raise UsageError(msg)
    return PreparedMessage(
        message.message_id,
        check_destination(message.destination),
        encode_json(message.payload, "payload"),
        encode_json(headers, "headers") if headers else "{}",
        stream_id,
        event_id,
        ordered,
        check_seconds(message.delay, "delay", zero=True),
        check_between(message.max_attempts, "max_attempts", 1, MAX_INT32),
    )


def message_headers(headers: str, message_id: UUID, event_id: UUID | None) -> dict[str, str]:
    """A message's headers with the ids that consumers deduplicate by."""
    found: dict[str, str] = decode_json(headers)
    found["message-id"] = str(message_id)
    if event_id is not None:
        found["event-id"] = str(event_id)
    return found


def prepare_verdicts(verdicts: object) -> list[Verdict]:
    """Check verdicts, and put in the backoff where a failure has none; an error is cut to 2,000 characters.

    Raises:
        UsageError: One is wrong, or there are two on one message.
    """
    prepared: list[Verdict] = []
    seen: set[tuple[int, int]] = set()
    for verdict in verdicts if isinstance(verdicts, Iterable) else [verdicts]:
        if not isinstance(verdict, Verdict) or not isinstance(verdict.message, ClaimedMessage):
            msg = f"settle takes verdicts on claimed messages, not {type(verdict).__name__}"
            raise UsageError(msg)
        claim = (verdict.message.position, verdict.message.token)
        if claim in seen:
            msg = f"two verdicts on one claim of message {verdict.message.message_id}"
            raise UsageError(msg)
        seen.add(claim)
        if verdict.error is None:
            prepared.append(verdict)
            continue
        retry_in = _BACKOFF.delay(verdict.message.attempts) if verdict.retry_in is None else verdict.retry_in
        error = str(verdict.error)[:_MAX_ERROR].encode(errors="replace").decode().replace("\0", "?")
        retry_in = check_seconds(retry_in, "retry_in", zero=True)
        prepared.append(msgspec.structs.replace(verdict, error=error, retry_in=retry_in))
    return prepared


def check_claim(worker: object, limit: object, lease: object) -> None:
    """Check the arguments of `claim`.

    Raises:
        UsageError: One is wrong.
    """
    check_text(worker, "worker", MAX_WORKER_NAME)
    check_between(limit, "limit", 1, MAX_CALL_EVENTS)
    check_seconds(lease, "lease")


def check_message_id(message_id: object) -> None:
    """Refuse what is no message id.

    Raises:
        UsageError: It is no UUID.
    """
    if not isinstance(message_id, UUID):
        msg = f"message_id must be a UUID, not {message_id!r:.60}"
        raise UsageError(msg)


def check_list(status: object, after: object, limit: object) -> None:
    """Check the arguments of `list` and `dead_letters`.

    Raises:
        UsageError: One is wrong.
    """
    if status is not None and not isinstance(status, MessageStatus):
        msg = f"status must be a MessageStatus or None, not {status!r:.60}"
        raise UsageError(msg)
    check_count(after, "after")
    check_count(limit, "limit")


def check_purge(older_than: object, dead: object, limit: object) -> None:
    """Check the arguments of `purge`. A mistyped filter must never delete more than was meant.

    Raises:
        UsageError: One is wrong.
    """
    check_seconds(older_than, "older_than", zero=True)
    check_count(limit, "limit")
    if type(dead) is not bool:
        msg = f"dead must be a bool, not {dead!r:.60}"
        raise UsageError(msg)
