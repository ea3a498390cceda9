"""Privacy: soft delete, tombstone, redact, purge, and the audit of them."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

from mink_core.errors import StreamNotFoundError, UsageError
from mink_core.json_codec import decode_json
from mink_core.limits import category_of
from mink_core.prepare_substores.privacy import redacted_event
from mink_core.privacy import PrivacyOperation, PrivacyRecord
from mink_postgres.query import Program, Query

if TYPE_CHECKING:
    from mink_postgres.context import Context
    from mink_postgres.query import Row

_ALL = 2**63 - 1


def soft_delete(context: Context, stream_id: str, by: str, reason: str) -> Program[PrivacyRecord]:
    """Make a stream read as missing."""
    return (yield from _done(context.sql.soft_delete_stream, (stream_id, category_of(stream_id), by, reason)))


def tombstone(context: Context, stream_id: str, by: str, reason: str) -> Program[PrivacyRecord]:
    """Refuse every append from now on."""
    return (yield from _done(context.sql.tombstone_stream, (stream_id, category_of(stream_id), by, reason)))


def redact(  # noqa: PLR0913, PLR0917 -- the arguments of `PrivacyStore.redact`
    context: Context, stream_id: str, version: int, data: Any, metadata: dict[str, Any] | None, by: str, reason: str
) -> Program[PrivacyRecord]:
    """Replace an event's content; its type and id are read first, as transforms may need them."""
    yield from _refuse_old_snapshot()
    found = yield Query(context.sql.event_head, (stream_id, version))
    if not found:
        raise StreamNotFoundError(stream_id)
    event_id, event_type = found[0]
    event = redacted_event(stream_id, event_id, event_type, data, metadata, context.transforms)
    args = (stream_id, version, event.data, event.metadata, by, reason)
    return (yield from _done(context.sql.redact_event, args))


def purge(context: Context, stream_id: str, up_to_version: int | None, by: str, reason: str) -> Program[PrivacyRecord]:
    """Remove events for good."""
    yield from _refuse_old_snapshot()
    up_to = _ALL if up_to_version is None else up_to_version
    return (yield from _done(context.sql.purge_stream, (stream_id, up_to, by, reason)))


def _refuse_old_snapshot() -> Program[None]:
    """Refuse what would not see, and so not erase, what others have committed since the caller's transaction began."""
    [(level,)] = yield Query("SELECT current_setting('transaction_isolation')")
    if level not in {"read committed", "read uncommitted"}:
        msg = (
            "an event cannot be redacted or purged in a REPEATABLE READ or SERIALIZABLE transaction: its snapshot may be older than "
            "what others keep of the event, which would stay; nothing was done: do it in a transaction at READ COMMITTED, or "
            "outside of one"
        )
        raise UsageError(msg)


def _done(sql: str, args: tuple[Any, ...]) -> Program[PrivacyRecord]:
    rows = yield Query(sql, args, retry_is_safe=True)
    if not rows:
        raise StreamNotFoundError(args[0])
    return _record(rows[0])


def audit(context: Context, stream_id: str | None, after: int, limit: int) -> Program[list[PrivacyRecord]]:
    """The records, in order."""
    rows = yield Query(context.sql.privacy_audit, (after, stream_id, limit))
    return [_record(row) for row in rows]


def _record(row: Row) -> PrivacyRecord:
    number, operation, stream_id, version, by, reason, counts, done_at = row
    return PrivacyRecord(
        number,
        PrivacyOperation(operation),
        stream_id,
        version,
        by,
        reason,
        decode_json(counts),
        done_at.replace(tzinfo=UTC),
    )
