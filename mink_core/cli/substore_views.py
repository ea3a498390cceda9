"""How messages, snapshots, sagas and idempotency keys look, as JSON and in a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from mink_core.cli.output import Column, View
from mink_core.cli.views import compact, moment

if TYPE_CHECKING:
    from mink_core import IdempotencyRecord, SnapshotInfo, StoredMessage, StoredSaga


MESSAGES: View[StoredMessage] = View(
    msgspec.structs.asdict,
    [
        Column("Position", width=10, right=True),
        Column("Message", width=36),
        Column("Status", width=8),
        Column("Attempts", width=8, right=True),
        Column("Last error", share=1),
    ],
    lambda message: [
        str(message.position),
        str(message.message_id),
        message.status.value,
        f"{message.attempts}/{message.max_attempts}",
        message.last_error or "",
    ],
)

SNAPSHOTS: View[SnapshotInfo] = View(
    msgspec.structs.asdict,
    [
        Column("Stream", share=3),
        Column("Version", width=10, right=True),
        Column("Type", share=2),
        Column("Schema", width=6, right=True),
        Column("Bytes", width=10, right=True),
        Column("Saved (UTC)", width=19),
    ],
    lambda info: [
        info.stream_id,
        str(info.version),
        info.snapshot_type,
        str(info.schema_version),
        str(info.size),
        moment(info.created_at),
    ],
)

SAGAS: View[StoredSaga] = View(
    msgspec.structs.asdict,
    [
        Column("Saga", share=3),
        Column("Type", share=2),
        Column("Status", width=19),
        Column("Version", width=8, right=True),
        Column("Saved (UTC)", width=19),
    ],
    lambda saga: [
        saga.saga_id,
        saga.saga_type,
        saga.status.value,
        str(saga.version),
        moment(saga.updated_at),
    ],
)

KEYS: View[IdempotencyRecord] = View(
    msgspec.structs.asdict,
    [
        Column("Key", share=2),
        Column("State", width=9),
        Column("Expires (UTC)", width=19),
        Column("Response", share=2),
    ],
    lambda record: [
        record.key,
        "completed" if record.completed else "reserved",
        moment(record.expires_at),
        compact(record.response) if record.completed else "",
    ],
)
