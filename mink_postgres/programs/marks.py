"""What privacy operations have done to streams, taken from one store to another."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from mink_core.administration import StreamMark
from mink_core.limits import category_of
from mink_postgres.query import Program, Query

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from mink_postgres.context import Context


def stream_marks(context: Context) -> Program[list[StreamMark]]:
    """The marks of all streams that have one."""
    rows = yield Query(context.sql.admin("stream_marks"))
    return [
        StreamMark(stream_id, version, purged, hidden, _aware(deleted), _aware(tombstoned))
        for stream_id, version, purged, hidden, deleted, tombstoned in rows
    ]


def import_marks(context: Context, marks: Sequence[StreamMark]) -> Program[None]:
    """Mark streams in this order of locking: the code points of their ids."""
    for mark in sorted(marks, key=lambda it: it.stream_id):
        category = category_of(mark.stream_id)
        # A stream may have no event left, and yet goes on after its last version.
        yield Query(context.sql.admin("import_mark_row"), (mark.stream_id, category, mark.version), retry_is_safe=True)
        if mark.hidden_version or mark.deleted_at or mark.tombstoned_at:
            yield Query(f"SELECT {context.sql.quoted}.mark_stream($1::text, $2::text)", (mark.stream_id, category))
        yield Query(
            context.sql.admin("import_mark"),
            (
                mark.stream_id,
                mark.purged_version,
                mark.hidden_version,
                _text(mark.deleted_at),
                _text(mark.tombstoned_at),
            ),
            retry_is_safe=True,
        )


def _aware(moment: datetime | None) -> datetime | None:
    return moment and moment.replace(tzinfo=UTC)


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
