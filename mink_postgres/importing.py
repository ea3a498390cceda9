"""Events as they are, by COPY: their ids, versions and timestamps are given, their positions are new."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg.rows import tuple_row

from mink_core.errors import DuplicateEventError, UsageError
from mink_core.json_codec import encode_json
from mink_core.limits import category_of, check_event_type, check_stream_id
from mink_core.transfer.digests import canonical
from mink_postgres.rows import stored_events
from mink_postgres.statements import admin_sql

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg

    from mink_core.events import StoredEvent
    from mink_postgres.context import Context

_PIECE = 200
"""Events put together before the server gets them."""


def import_events(context: Context, connection: psycopg.Connection[Any], events: Sequence[StoredEvent]) -> int:
    """Store events that go on with their streams. Runs inside a transaction that the caller holds.

    The trigger on `events` fences the COPY, so that readers of the feed skip nothing meanwhile.

    Returns:
        How many were stored; those that were there already are left out.
    """
    first: dict[str, StoredEvent] = {}
    newest: dict[str, StoredEvent] = {}
    for event in events:
        stream_id = event.stream_id
        if stream_id not in first:
            first[check_stream_id(stream_id)] = event
        newest[stream_id] = event
    names = sorted(newest)
    schema = context.sql.quoted
    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(
            _filled("import_streams", schema),
            (names, [category_of(name) for name in names], [first[name].timestamp for name in names]),
        )
        stored: dict[str, int] = dict(cursor.execute(_filled("import_lock", schema), (names,)).fetchall())
        new = events
        if any(stored.values()):
            _compare(cursor, schema, [event for event in events if event.version <= stored[event.stream_id]])
            new = [event for event in events if event.version > stored[event.stream_id]]
        if not new:
            return 0
        # Where a new stream begins above version 1, what was before was purged.
        purged = {name: event.version - 1 for name, event in first.items() if not stored[name] and event.version > 1}
        versions = stored | purged
        with cursor.copy(_filled("import_copy", schema)) as copy:
            # The server works on one piece while the next is put together.
            for start in range(0, len(new), _PIECE):
                copy.write("".join([_line(event, versions) for event in new[start : start + _PIECE]]))
        if purged:
            cursor.execute(_filled("import_purged", schema), (list(purged), list(purged.values())))
        grown = [name for name in names if versions[name] > stored[name]]
        stamps = [newest[name].timestamp for name in grown]
        cursor.execute(_filled("import_versions", schema), (grown, [versions[name] for name in grown], stamps))
    return len(new)


def _line(event: StoredEvent, versions: dict[str, int]) -> str:
    """Check an event as an append would, and encode it in COPY's text format; `versions` goes on with it.

    Raises:
        UsageError: The event is wrong, or not the next one of its stream.
    """
    stream_id, version = event.stream_id, event.version
    if version != versions[stream_id] + 1:
        msg = (
            f"stream {stream_id!r} is at version {versions[stream_id]}, but the next event to import has version "
            f"{version}; nothing of this batch was stored: import what is between first"
        )
        raise UsageError(msg)
    versions[stream_id] = version
    event_type, stamp = check_event_type(event.event_type), event.timestamp
    if stamp.tzinfo is None:
        msg = f"the timestamp of event {event.event_id} has no time zone; nothing of this batch was stored"
        raise UsageError(msg)
    data = encode_json(event.data)
    metadata = encode_json(event.metadata, "metadata") if event.metadata else ""  # COPY is told that this is NULL
    text = f"{stream_id}\t{version}\t{event.event_id.hex}\t{event_type}\t{data}\t{metadata}\t"
    # Names hold no control characters and JSON escapes them: a backslash is all that COPY would misread.
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    return f"{text}{stamp.isoformat()}\n"


def _filled(name: str, schema: str) -> Any:
    return admin_sql(name).replace("{schema}", schema)


def _compare(cursor: psycopg.Cursor[Any], schema: str, events: Sequence[StoredEvent]) -> None:
    """Refuse where the store has something else in an event's place."""
    if not events:
        return
    keys = ([event.stream_id for event in events], [event.version for event in events])
    stored = stored_events(cursor.execute(_filled("import_compare", schema), keys).fetchall(), ())
    found = {(event.stream_id, event.version): event for event in stored}
    for event in events:
        mine = found.get((event.stream_id, event.version))
        if mine is None or canonical(mine) != canonical(event):
            raise DuplicateEventError(event.event_id)
