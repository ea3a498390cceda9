"""Privacy: soft delete, tombstone, redact, purge, and the audit of them.

Each runs in a transaction of its own that has locked the stream, and looks for locks on everything
else it will touch before it changes anything. All of it is changed at once with the transaction's end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from mink_core.errors import StreamNotFoundError, TransientStorageError
from mink_core.prepare_substores.privacy import redacted_event
from mink_core.privacy import PrivacyOperation, PrivacyRecord
from mink_memory.changes import idempotency, outbox, parked, sagas, snapshots
from mink_memory.holes import hole, is_hole
from mink_memory.records import Change
from mink_memory.rows import with_content

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet
    from uuid import UUID

    from mink_core.stream_state import StreamState
    from mink_memory.handle import Handle
    from mink_memory.keys import RecordKey
    from mink_memory.records import Records

TABLE = "privacy audit"


def soft_delete(handle: Handle[Any], stream_id: str, by: str, reason: str) -> Change[PrivacyRecord]:
    """Make a stream read as missing."""

    def apply(records: Records) -> PrivacyRecord:
        log = handle.log.rewriter(stream_id, records)
        rows, state = log.rows, log.state
        if not rows or state.deleted_at is not None:
            raise StreamNotFoundError(stream_id)
        erasure = _Erasure(records)
        erasure.snapshots(stream_id, 0)
        erasure.apply()
        log.mark(replace(state, hidden_version=rows[-1].version, deleted_at=records.now))
        return _audit(records, PrivacyOperation.SOFT_DELETE, stream_id, rows[-1].version, by, reason, erasure.counts)

    return Change((stream_id,), apply)


def tombstone(handle: Handle[Any], stream_id: str, by: str, reason: str) -> Change[PrivacyRecord]:
    """Refuse every append from now on."""

    def apply(records: Records) -> PrivacyRecord:
        log = handle.log.rewriter(stream_id, records)
        log.mark(replace(log.state, tombstoned=True))
        rows = log.rows
        version = rows[-1].version if rows else 0
        return _audit(records, PrivacyOperation.TOMBSTONE, stream_id, version, by, reason, {})

    return Change((stream_id,), apply)


def redact(  # noqa: PLR0913, PLR0917 -- the arguments of `PrivacyStore.redact`
    handle: Handle[Any],
    stream_id: str,
    version: int,
    data: Any,
    metadata: dict[str, Any] | None,
    by: str,
    reason: str,
) -> Change[PrivacyRecord]:
    """Replace an event's content."""

    def apply(records: Records) -> PrivacyRecord:
        log = handle.log.rewriter(stream_id, records)
        rows = log.rows
        if version > len(rows) or is_hole(rows[version - 1]):
            raise StreamNotFoundError(stream_id)
        row = rows[version - 1]
        event = redacted_event(stream_id, row.event_id, row.event_type, data, metadata, handle.transforms)
        erasure = _Erasure(records)
        erasure.snapshots(stream_id, version)
        erasure.messages(None, {row.event_id})
        erasure.keys(stream_id)
        erasure.parked_errors(stream_id, version)
        erasure.apply()
        log.rewrite(row, with_content(row, event.data, event.metadata))
        log.mark(_erased(log.state, version, rows[-1].version))
        counts = {"events": 1, **erasure.counts}
        return _audit(records, PrivacyOperation.REDACT, stream_id, version, by, reason, counts)

    return Change((stream_id,), apply)


def purge(
    handle: Handle[Any], stream_id: str, up_to_version: int | None, by: str, reason: str
) -> Change[PrivacyRecord]:
    """Remove events for good."""

    def apply(records: Records) -> PrivacyRecord:
        log = handle.log.rewriter(stream_id, records)
        rows = log.rows
        if not rows:
            raise StreamNotFoundError(stream_id)
        purged = [row for row in rows[:up_to_version] if not is_hole(row)]
        last = rows[:up_to_version][-1]
        erasure = _Erasure(records)
        erasure.snapshots(stream_id, 0)
        erasure.messages(stream_id, {row.event_id for row in purged}, {row.event_id for row in rows[last.version :]})
        erasure.keys(stream_id)
        erasure.sagas(stream_id)
        erasure.parked(stream_id, last.version)
        erasure.apply()
        for row in purged:
            log.rewrite(row, hole(row))
        state = _erased(log.state, 1, rows[-1].version) if purged else log.state
        log.mark(replace(state, purged_version=max(state.purged_version, last.version)))
        counts = {"events": len(purged), **erasure.counts}
        return _audit(records, PrivacyOperation.PURGE, stream_id, last.version, by, reason, counts)

    return Change((stream_id,), apply)


def audit(stream_id: str | None, after: int, limit: int) -> Change[list[PrivacyRecord]]:
    """The records, in order."""

    def apply(records: Records) -> list[PrivacyRecord]:
        found = [record for number, record in sorted(records.items(TABLE)) if number > after]
        return [record for record in found if stream_id in (None, record.stream_id)][:limit]

    return Change((), apply)


def _erased(state: StreamState, first: int, last: int) -> StreamState:
    others = [span for span in state.erased if not (first <= span[0] and span[1] <= last)]
    return replace(state, erased=(*others, (first, last)))


class _Erasure:
    """What an operation does to the stores around the log, gathered first and then done at once."""

    def __init__(self, records: Records) -> None:
        self.counts: dict[str, int] = {}
        self._records = records
        self._steps: list[tuple[RecordKey, RecordKey, Any]] = []
        self._locks: list[RecordKey] = []
        """Of what there is nothing of as yet."""

    def _will(self, what: str, table: str, key: Any, record: Any, lock: RecordKey | None = None) -> None:
        self._steps.append(((table, key) if lock is None else lock, (table, key), record))
        self.counts[what] = self.counts.get(what, 0) + 1

    def snapshots(self, stream_id: str, from_version: int) -> None:
        """Drop a stream's snapshots from a version on. What an open transaction has saved would come later."""
        self.counts["snapshots"] = 0
        self._locks.append((snapshots.TABLE, stream_id))
        kept = self._records.get(snapshots.TABLE, stream_id) or ()
        left = tuple(row for row in kept if row.snapshot.version < from_version)
        if len(left) < len(kept):
            self._will("snapshots", snapshots.TABLE, stream_id, left or None)
            self.counts["snapshots"] = len(kept) - len(left)

    def messages(self, stream_id: str | None, gone: AbstractSet[UUID], there: AbstractSet[UUID] = frozenset()) -> None:
        """Drop the messages of events that are gone, and those of a stream but for those of events that are still there."""
        self.counts["messages"] = 0
        for table in (outbox.OPEN, outbox.FINISHED):
            for key, row in self._records.items(table):
                event_id = row.message.event_id
                of_stream = stream_id is not None and row.message.stream_id == stream_id
                if event_id in gone or (of_stream and event_id not in there):
                    self._will("messages", table, key, None, (outbox.OPEN, key))

    def keys(self, stream_id: str) -> None:
        """Empty a stream's idempotency keys; the keys stay, so that no work is done twice."""
        self.counts["keys"] = 0
        for key, row in self._records.items(idempotency.TABLE):
            if row.given.stream_id == stream_id:
                given = replace(row.given, metadata="{}")
                response = None if row.completed_at is None else "null"
                self._will("keys", idempotency.TABLE, key, replace(row, given=given, response=response))

    def sagas(self, correlation_id: str) -> None:
        """Delete sagas for good."""
        self.counts["sagas"] = 0
        for key, row in self._records.items(sagas.TABLE):
            if row.saga.correlation_id == correlation_id and not row.deleted:
                self._will("sagas", sagas.TABLE, key, sagas.erased(row, self._records.now))

    def parked(self, stream_id: str, up_to_version: int) -> None:
        """Let go of parked events."""
        self.counts["parked"] = 0
        for key, kept in self._records.items(parked.TABLE):
            if kept.stream_id == stream_id and kept.version <= up_to_version:
                self._will("parked", parked.TABLE, key, None)

    def parked_errors(self, stream_id: str, version: int) -> None:
        """Empty what handlers said of an event."""
        self.counts["parked"] = 0
        for key, kept in self._records.items(parked.TABLE):
            if kept.stream_id == stream_id and kept.version == version:
                self._will("parked", parked.TABLE, key, replace(kept, error="redacted"))

    def apply(self) -> None:
        """Do it, unless another transaction has changed some of it.

        Raises:
            TransientStorageError: It has; nothing was done.
        """
        for lock in (*self._locks, *(lock for lock, _, _ in self._steps)):
            if self._records.is_locked(lock):
                msg = f"{lock[0]} {lock[1]!r} is being changed by another transaction; nothing was done: try again"
                raise TransientStorageError(msg)
        for _, (table, key), record in self._steps:
            if record is None:
                self._records.drop(table, key)
            else:
                self._records.put(table, key, record)


def _audit(  # noqa: PLR0913, PLR0917 -- what a record says
    records: Records,
    operation: PrivacyOperation,
    stream_id: str,
    version: int,
    by: str,
    reason: str,
    counts: dict[str, int],
) -> PrivacyRecord:
    number = records.next_token()
    record = PrivacyRecord(number, operation, stream_id, version, by, reason, counts, records.now)
    records.put(TABLE, number, record)
    return record
