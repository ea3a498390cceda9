"""Append: encode, send, and tell what the server answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from mink_core.errors import (
    ConcurrencyError,
    DuplicateEventError,
    DuplicateMessageError,
    StorageError,
    StreamTombstonedError,
)
from mink_core.events import AppendResult
from mink_core.expected import Expected, ExpectedVersion, exact_version
from mink_postgres.programs import outbox
from mink_postgres.query import Program, Query
from mink_postgres.sqlstate import NOT_UNIQUE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from mink_core.errors import MinkError
    from mink_core.prepare import PreparedAppend, PreparedEvent
    from mink_postgres.context import Context
    from mink_postgres.query import Rows

_encode = msgspec.json.Encoder().encode
_REFUSALS = (ConcurrencyError, DuplicateEventError, DuplicateMessageError, StreamTombstonedError)


def append(context: Context, item: PreparedAppend) -> Program[AppendResult]:
    """Append to one stream, and store its messages, all or nothing, in one round trip (OUTBOX-01)."""
    if not context.unique_event_ids:
        return answered(context, item, (yield asked(context, item)))
    if not item.messages:
        return (yield from append_batch(context, [item]))[0]
    arguments = (*_batch([item]), outbox.encoded(item.messages))
    rows = yield Query(context.sql.append_batch_unique_with_outbox, arguments, retry_is_safe=True)
    outcome, _, *rest = rows[-1]
    return _told(context, item, outcome, *rest)


def asked(context: Context, item: PreparedAppend) -> Query:
    """What `append` sends where event ids may repeat. A lone append goes by this and `answered` alone.

    So it does where ids are unique, if the statement commits by itself: what the index refuses ends the transaction, and what
    is refused for another reason may be a repeat all the same (`must_ask_again`).
    """
    common = (item.stream_id, item.category, expected_code(item.expected))
    safe = is_retry_safe(context, item)
    messages = item.messages
    if len(item.events) == 1:
        event = item.events[0]
        alone = (event.event_id.hex, event.event_type, event.data, event.metadata)
        if not messages:
            return Query(context.sql.append_one, common + alone, safe)
        ids = f"{{{','.join([str(message.message_id) for message in messages])}}}"
        return Query(context.sql.append_one_with_outbox, (*common, *alone, ids, outbox.encoded(messages)), safe)
    events = _events(item.events)
    if not messages:
        return Query(context.sql.append, (*common, events), safe)
    return Query(context.sql.append_with_outbox, (*common, events, outbox.encoded(messages)), safe)


def is_retry_safe(context: Context, item: PreparedAppend) -> bool:
    """Whether the same append again is known for a repeat."""
    return context.unique_event_ids or exact_version(item.expected) is not None


def must_ask_again(context: Context, error: MinkError) -> bool:
    """Whether only `append` knows the answer to what `asked` was refused: another stream may have its event ids."""
    # A message's id that another call is storing is transient, here as there.
    of_index = type(error) is StorageError and error.sqlstate == NOT_UNIQUE
    return context.unique_event_ids and (of_index or isinstance(error, _REFUSALS))


def answered(context: Context, item: PreparedAppend, rows: Rows) -> AppendResult:
    """What the server's answer to `asked` comes to."""
    return _told(context, item, *rows[0])


def _told(  # noqa: PLR0913, PLR0917 -- a row
    context: Context,
    item: PreparedAppend,
    outcome: str,
    actual: int,
    first_position: int,
    last_position: int,
    duplicate: UUID | None,
) -> AppendResult:
    if outcome == "conflict":
        raise ConcurrencyError(item.stream_id, item.expected, actual)
    if outcome == "tombstoned":
        raise StreamTombstonedError(item.stream_id)
    if duplicate is not None:
        raise DuplicateMessageError(duplicate) if outcome == "duplicate_message" else DuplicateEventError(duplicate)
    if context.written is not None and outcome == "appended":
        context.wrote((first_position,))
    return result_of(item, actual, first_position, last_position)


def append_batch(context: Context, items: Sequence[PreparedAppend]) -> Program[list[AppendResult]]:
    """Append to several streams, all or nothing."""
    streams, wanted = _batch(items)
    unique = context.unique_event_ids
    rows = yield Query(
        context.sql.append_batch_unique if unique else context.sql.append_batch,
        (streams, wanted),
        retry_is_safe=all(is_retry_safe(context, item) for item in items),
    )
    outcome, number, actual, _, _, duplicate = rows[-1]
    if outcome == "conflict":
        refused = items[number - 1]
        raise ConcurrencyError(refused.stream_id, refused.expected, actual)
    if outcome == "tombstoned":
        raise StreamTombstonedError(items[number - 1].stream_id)
    if outcome == "duplicate":
        raise DuplicateEventError(duplicate)
    if context.written is not None and outcome == "appended":
        context.wrote(row[3] for row in rows)
    return [
        result_of(items[number - 1], actual, first_position, last_position)
        for _, number, actual, first_position, last_position, _ in sorted(rows, key=lambda row: row[1])
    ]


def _batch(items: Sequence[PreparedAppend]) -> tuple[str, str]:
    """The JSON arguments of `append_batch`: the streams, and the appends to them."""
    streams = _streams(items)
    place = {name: number for number, (name, _, _) in enumerate(streams, 1)}
    listed = _encode([{"s": name, "c": category, "new": new} for name, category, new in streams]).decode()
    wanted = ",".join(
        f'{{"k":{place[item.stream_id]},"x":{expected_code(item.expected)},"e":{_events(item.events)}}}'
        for item in items
    )
    return listed, f"[{wanted}]"


def _streams(items: Sequence[PreparedAppend]) -> list[tuple[str, str, bool]]:
    """Each stream once, in code point order, and whether its first item may create it."""
    found: dict[str, tuple[str, bool]] = {}
    for item in items:
        creates = item.expected in (ExpectedVersion.ANY, ExpectedVersion.NO_STREAM)
        found.setdefault(item.stream_id, (item.category, creates))
    return [(name, *found[name]) for name in sorted(found)]


def expected_code(expected: Expected) -> int:
    """An expectation as the SQL functions take it."""
    if expected is ExpectedVersion.ANY:
        return -1
    if expected is ExpectedVersion.STREAM_EXISTS:
        return -2
    return exact_version(expected) or 0


def _events(events: Sequence[PreparedEvent]) -> str:
    # data and metadata are JSON text already: put together, not encoded again.
    return "[{}]".format(
        ",".join(
            f'{{"i":"{event.event_id.hex}","t":{_encode(event.event_type).decode()},'
            f'"d":{event.data},"m":{event.metadata or "null"}}}'
            for event in events
        )
    )


def result_of(item: PreparedAppend, before: int, first_position: int, last_position: int) -> AppendResult:
    """What the call returns, now and when it is repeated."""
    events = item.events
    ids = (events[0].event_id,) if len(events) == 1 else tuple([event.event_id for event in events])
    return AppendResult(item.stream_id, before + 1, before + len(events), first_position, last_position, ids)
