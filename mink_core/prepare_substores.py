"""What goes into the stores around the log, checked and encoded in one place for every adapter."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from mink_core.errors import UsageError
from mink_core.expected import MAX_VERSION
from mink_core.idempotency import Reservation
from mink_core.json_codec import decode_json, encode_json
from mink_core.limits import (
    MAX_CALL_BYTES,
    MAX_CALL_EVENTS,
    MAX_JSON_BYTES,
    check_between,
    check_count,
    check_destination,
    check_seconds,
    check_stream_id,
    check_text,
)
from mink_core.outbox import ClaimedMessage, OutboxMessage, Verdict
from mink_core.prepare import PreparedAppend, PreparedMessage
from mink_core.sagas import MAX_HANDLED, Saga, SagaStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


MAX_KEPT_SNAPSHOTS = 1000
_MAX_INT32 = 2**31 - 1
_MAX_ERROR = 2000


class PreparedSnapshot(msgspec.Struct, frozen=True):
    """A snapshot that was checked and encoded."""

    stream_id: str
    version: int
    data: bytes
    is_json: bool
    snapshot_type: str
    schema_version: int
    keep: int


def prepare_snapshot(  # noqa: PLR0913 -- the arguments of `SnapshotStore.save`
    stream_id: str, version: int, data: Any, *, snapshot_type: str, schema_version: int, keep: int
) -> PreparedSnapshot:
    """Check and encode the arguments of `SnapshotStore.save`.

    Raises:
        UsageError: One is wrong; nothing was sent.
    """
    check_snapshot_filter(snapshot_type, schema_version)
    is_json = not isinstance(data, (bytes, bytearray, memoryview))
    encoded = encode_json(data).encode() if is_json else bytes(data)
    if len(encoded) > MAX_JSON_BYTES:
        msg = f"a snapshot may hold {MAX_JSON_BYTES} bytes, not {len(encoded)}"
        raise UsageError(msg)
    return PreparedSnapshot(
        check_stream_id(stream_id),
        check_between(version, "version", 1, MAX_VERSION),
        encoded,
        is_json,
        snapshot_type,
        schema_version,
        check_between(keep, "keep", 1, MAX_KEPT_SNAPSHOTS),
    )


def snapshot_data(data: bytes, *, is_json: bool) -> Any:
    """What was saved."""
    return decode_json(data) if is_json else bytes(data)


def check_snapshot_filter(snapshot_type: object, schema_version: object) -> None:
    """Check a snapshot's type ("" for none) and schema version; None asks for any.

    Raises:
        UsageError: One is wrong.
    """
    if snapshot_type is not None and snapshot_type != "":
        check_text(snapshot_type, "snapshot type")
    if schema_version is not None:
        check_between(schema_version, "schema_version", 1, _MAX_INT32)


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
        check_between(message.max_attempts, "max_attempts", 1, _MAX_INT32),
    )


def message_headers(headers: str, message_id: UUID, event_id: UUID | None) -> dict[str, str]:
    """A message's headers with the ids that consumers deduplicate by."""
    found: dict[str, str] = decode_json(headers)
    found["message-id"] = str(message_id)
    if event_id is not None:
        found["event-id"] = str(event_id)
    return found


def prepare_verdicts(verdicts: object, delay_of: Callable[[int], float]) -> list[Verdict]:
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
        retry_in = delay_of(verdict.message.attempts) if verdict.retry_in is None else verdict.retry_in
        error = str(verdict.error)[:_MAX_ERROR].encode(errors="replace").decode().replace("\0", "?")
        retry_in = check_seconds(retry_in, "retry_in", zero=True)
        prepared.append(msgspec.structs.replace(verdict, error=error, retry_in=retry_in))
    return prepared


def check_reservation(reservation: object) -> UUID:
    """The token of a reservation of ours.

    Raises:
        UsageError: It is none, or somebody else's.
    """
    if not isinstance(reservation, Reservation) or reservation.token is None:
        msg = "only a reservation of one's own (is_mine) can be completed or released"
        raise UsageError(msg)
    return reservation.token


class PreparedSaga(msgspec.Struct, frozen=True):
    """A saga that was checked and encoded."""

    saga_id: str
    saga_type: str
    state: str
    """JSON text."""
    status: SagaStatus
    correlation_id: str | None
    due_at: datetime | None
    handled: tuple[UUID, ...]
    expected: int


def prepare_saga(saga: object, expected_version: object) -> PreparedSaga:
    """Check and encode the arguments of `SagaStore.save`.

    Raises:
        UsageError: One is wrong; nothing was sent.
    """
    if not isinstance(saga, Saga):
        msg = f"save takes a Saga, not {type(saga).__name__}"
        raise UsageError(msg)
    if not isinstance(saga.status, SagaStatus):
        msg = f"a saga's status is a SagaStatus, not {saga.status!r:.60}"
        raise UsageError(msg)
    if saga.due_at is not None and (not isinstance(saga.due_at, datetime) or saga.due_at.utcoffset() is None):
        msg = f"a saga's due_at is an aware datetime or None, not {saga.due_at!r:.60}"
        raise UsageError(msg)
    handled: Sequence[Any] = tuple(saga.handled)
    if not all(isinstance(event_id, UUID) for event_id in handled):
        msg = "a saga's handled holds UUIDs of events"
        raise UsageError(msg)
    return PreparedSaga(
        check_text(saga.saga_id, "saga id"),
        check_text(saga.saga_type, "saga type"),
        encode_json(saga.state, "state"),
        saga.status,
        None if saga.correlation_id is None else check_text(saga.correlation_id, "correlation id"),
        saga.due_at,
        tuple(handled[-MAX_HANDLED:]),
        check_count(expected_version, "expected_version"),
    )


def check_find(correlation_id: object, saga_type: object, statuses: object, after: object, limit: object) -> None:
    """Check the arguments of `SagaStore.find`.

    Raises:
        UsageError: One is wrong.
    """
    for value, what in ((correlation_id, "correlation id"), (saga_type, "saga type"), (after, "saga id")):
        if value is not None:
            check_text(value, what)
    given = statuses if isinstance(statuses, (list, tuple, set, frozenset)) else [None]
    if not all(isinstance(status, SagaStatus) for status in given):
        msg = f"statuses must be a sequence of SagaStatus, not {statuses!r:.60}"
        raise UsageError(msg)
    check_count(limit, "limit")


class PreparedKey(msgspec.Struct, frozen=True):
    """The arguments of `IdempotencyStore.reserve`, checked and encoded."""

    key: str
    ttl: float
    stream_id: str | None
    metadata: str
    """JSON text of an object."""


def prepare_key(key: object, ttl: object, stream_id: object, metadata: object) -> PreparedKey:
    """Check and encode the arguments of `IdempotencyStore.reserve`.

    Raises:
        UsageError: One is wrong; nothing was sent.
    """
    if metadata is not None and type(metadata) is not dict:
        msg = f"metadata must be a dict or None, not {type(metadata).__name__}"
        raise UsageError(msg)
    return PreparedKey(
        check_text(key, "idempotency key"),
        check_seconds(ttl, "ttl"),
        None if stream_id is None else check_stream_id(stream_id),
        encode_json(metadata or {}, "metadata"),
    )
