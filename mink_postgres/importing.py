"""Events as they are, by COPY: their ids, versions and timestamps are given, their positions are new."""

from __future__ import annotations

from datetime import UTC, datetime
from struct import Struct
from typing import TYPE_CHECKING, Any

from psycopg.rows import tuple_row

from mink_core.errors import DuplicateEventError, StreamTombstonedError, UsageError
from mink_core.json_codec import encode_json
from mink_core.limits import category_of, check_event_id, check_event_type, check_stream_id
from mink_core.transfer.checks import check_version, timestamp_in_utc
from mink_core.transfer.digests import canonical
from mink_postgres.rows import stored_events

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import psycopg

    from mink_core.events import StoredEvent
    from mink_postgres.context import Context

_PIECE = 200
"""Events put together before the server gets them."""

# COPY's binary format: a field is its length and what the column's type receives; numbers are of the network's order.
_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"
_NULL = b"\xff\xff\xff\xff"
_COLUMNS = b"\0\7"
_JSONB_FORMAT = 1
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_length = Struct(">i").pack
_version_and_id = Struct(">iqi").pack
_length_and_format = Struct(">iB").pack
_stamp = Struct(">iq").pack


def import_events(context: Context, connection: psycopg.Connection[Any], events: Sequence[StoredEvent]) -> int:
    """Store events that go on with their streams. Runs inside a transaction that the caller holds.

    The trigger on `events` fences the COPY, so that readers of the feed skip nothing meanwhile.

    Returns:
        How many were stored; those that were there already are left out.

    Raises:
        UsageError: An event breaks a limit, or does not go on with its stream.
        DuplicateEventError: The store has another event in an event's place.
        StreamTombstonedError: A stream has new events, and was closed here.
    """
    first = {event.stream_id: event for event in reversed(events)}
    newest = {event.stream_id: event for event in events}
    for name, event in newest.items():
        check_stream_id(name)
        check_version(first[name])
        check_version(event)
    names = sorted(newest)
    filled: Any = context.sql.admin
    with connection.cursor(row_factory=tuple_row) as cursor:
        # A new stream's row is as it will be: what is refused below takes it away again.
        cursor.execute(
            filled("import_streams"),
            (
                names,
                [category_of(name) for name in names],
                [newest[name].version for name in names],
                [timestamp_in_utc(first[name]) for name in names],
                [timestamp_in_utc(newest[name]) for name in names],
            ),
        )
        stored = dict.fromkeys(names, 0)
        new = events
        marked = set[str]()
        if there := sorted(stored.keys() - {name for (name,) in cursor}):
            locked = cursor.execute(filled("import_lock"), (there,)).fetchall()
            stored |= {name: version for name, version, _ in locked}
            marked = {name for name, _, is_marked in locked if is_marked}
            if any(stored.values()):
                known = [event for event in events if event.version <= stored[event.stream_id]]
                _compare(cursor, filled("import_compare"), known)
                new = [event for event in events if event.version > stored[event.stream_id]]
            if not new:
                return 0
            if marked:
                named = sorted(marked & {event.stream_id for event in new})
                _refuse_tombstoned(cursor, filled("import_tombstoned"), named)
        # Where a new stream begins above version 1, what was before was purged.
        purged = {name: event.version - 1 for name, event in first.items() if not stored[name] and event.version > 1}
        versions = stored | purged
        with cursor.copy(filled("import_copy")) as copy:
            # The server works on one piece while the next is put together.
            for piece in _Rows(versions, context.sql.json_type).pieces(new):
                copy.write(piece)
        if purged:
            cursor.execute(filled("import_purged"), (list(purged), list(purged.values())))
        if grown := [name for name in there if versions[name] > stored[name]]:
            stamps = [timestamp_in_utc(newest[name]) for name in grown]
            cursor.execute(filled("import_versions"), (grown, [versions[name] for name in grown], stamps))
            if marked:
                # As an append does: what was deleted goes on after its hidden events.
                cursor.execute(filled("import_undeleted"), (grown,))
    return len(new)


class _Rows:
    """Events in COPY's binary format, which costs the server a tenth less than text does."""

    def __init__(self, versions: dict[str, int], json_type: str) -> None:
        """Take the streams as they are; `versions` goes on with every row."""
        self._versions = versions
        self._json = _jsonb if json_type == "jsonb" else _text
        self._beginnings: dict[str, bytes] = {}
        self._types: dict[str, bytes] = {}

    def pieces(self, events: Sequence[StoredEvent]) -> Iterator[bytes]:
        """What COPY takes, a piece at a time."""
        row = self._row
        yield _HEADER
        for start in range(0, len(events), _PIECE):
            yield b"".join([row(event) for event in events[start : start + _PIECE]])
        yield _TRAILER

    def _row(self, event: StoredEvent) -> bytes:
        """Check an event as an append would, and encode it.

        Raises:
            UsageError: The event is wrong, or not the next one of its stream.
        """
        stream_id, version = event.stream_id, event.version
        versions = self._versions
        if version != versions[stream_id] + 1 or type(version) is not int:  # 2.0 is equal to 2
            msg = (
                f"stream {stream_id!r} is at version {versions[stream_id]}, but the next event to import has version "
                f"{version!r}; nothing of this batch was stored: import what is between first"
            )
            raise UsageError(msg)
        versions[stream_id] = version
        event_type = check_event_type(event.event_type)
        event_id = check_event_id(event.event_id).bytes
        data = self._json(encode_json(event.data))
        metadata = self._json(encode_json(event.metadata, "metadata")) if event.metadata else _NULL
        beginning = self._beginnings.get(stream_id)
        if beginning is None:
            beginning = self._beginnings[stream_id] = _COLUMNS + _text(stream_id)
        kind = self._types.get(event_type)
        if kind is None:
            kind = self._types[event_type] = _text(event_type)
        since = timestamp_in_utc(event) - _EPOCH
        at = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
        return b"".join(
            (
                beginning,
                _version_and_id(8, version, 16),
                event_id,
                kind,
                data,
                metadata,
                _stamp(8, at),
            )
        )


def _text(text: str) -> bytes:
    encoded = text.encode()
    return _length(len(encoded)) + encoded


def _jsonb(text: str) -> bytes:
    encoded = text.encode()
    return _length_and_format(len(encoded) + 1, _JSONB_FORMAT) + encoded


def _refuse_tombstoned(cursor: psycopg.Cursor[Any], statement: Any, names: list[str]) -> None:
    """Refuse to go on with a stream that was closed here. Looked up once its row is locked, so that none is closed meanwhile."""
    if tombstoned := cursor.execute(statement, (names,)).fetchone():
        raise StreamTombstonedError(tombstoned[0])


def _compare(cursor: psycopg.Cursor[Any], statement: Any, events: Sequence[StoredEvent]) -> None:
    """Refuse where the store has something else in an event's place."""
    if not events:
        return
    keys = ([event.stream_id for event in events], [event.version for event in events])
    stored = stored_events(cursor.execute(statement, keys).fetchall(), ())
    found = {(event.stream_id, event.version): event for event in stored}
    for event in events:
        mine = found.get((event.stream_id, event.version))
        if mine is None or canonical(mine) != canonical(event):
            raise DuplicateEventError(event.event_id)
