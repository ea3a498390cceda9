"""Several callers' appends in one statement: what is sent, and what each caller is told."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from mink_core.errors import (
    ConcurrencyError,
    DuplicateEventError,
    DuplicateMessageError,
    MinkError,
    StreamTombstonedError,
)
from mink_core.events import AppendResult
from mink_postgres.programs import outbox
from mink_postgres.programs.appending import expected_code, must_ask_again, result_of
from mink_postgres.query import Program, Query

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from mink_core.prepare import PreparedAppend
    from mink_postgres.context import Context

_encode = msgspec.json.Encoder().encode


class Alone(Enum):
    """Nothing of an append was stored, and nothing refused: append it by itself."""

    LOCKED = "locked"
    """Somebody else has the stream."""
    FAILED = "failed"
    """The group failed as a whole, and was rolled back; or another stream may have its event ids, where those are unique."""


Answer: TypeAlias = AppendResult | MinkError | Alone


def append_group(
    context: Context, items: Sequence[PreparedAppend], array: Callable[[list[Any]], Any]
) -> Program[list[Answer]]:
    """Append in one round trip and one transaction; the answers stand in the order of the items.

    Args:
        context: The store's.
        items: The appends, of one caller each. Those of one stream are done in this order.
        array: Makes a driver's array argument of a list.
    """
    # In code point order, which is the order of locking; a sort keeps the order of equals.
    order = sorted(range(len(items)), key=lambda index: items[index].stream_id)
    ordered = [items[index] for index in order]
    events = [event for item in ordered for event in item.events]
    args: list[list[Any]] = [
        [item.stream_id for item in ordered],
        [expected_code(item.expected) for item in ordered],
        [len(item.events) for item in ordered],
        [event.event_id.hex for event in events],
        [event.event_type for event in events],
        [event.data for event in events],
        [event.metadata for event in events],
    ]
    statement = context.sql.append_group
    if messages := outbox.columns_of_items(item.messages for item in ordered):
        statement = context.sql.append_group_with_outbox
        args += messages
    # Whether it may be repeated is told to each caller for its own append.
    rows = yield Query(statement, tuple([array(column) for column in args]), retry_is_safe=True)
    answers: list[Answer] = [Alone.FAILED] * len(items)
    for index, item, row in zip(order, ordered, rows, strict=True):
        answer = _answer(item, *row)
        answers[index] = Alone.FAILED if isinstance(answer, MinkError) and must_ask_again(context, answer) else answer
    return answers


def _answer(  # noqa: PLR0913, PLR0917 -- the columns of a row
    item: PreparedAppend, outcome: str, actual: int, first_position: int, last_position: int, duplicate: UUID
) -> Answer:
    if outcome in ("appended", "repeated"):
        return result_of(item, actual, first_position, last_position)
    if outcome == "conflict":
        return ConcurrencyError(item.stream_id, item.expected, actual)
    if outcome == "duplicate_message":
        return DuplicateMessageError(duplicate)
    if outcome == "tombstoned":
        return StreamTombstonedError(item.stream_id)
    return DuplicateEventError(duplicate) if outcome == "duplicate" else Alone.LOCKED


def array_literal(values: list[Any]) -> str:
    """PostgreSQL's text form of an array: sent as it is, where a driver adapts lists item by item.

    JSON's list of texts, numbers and nulls has the same quotes and the same escapes of them, as long as no text has a
    control character: JSON text has none, and names with one are refused (`mink_core.limits`).
    """
    return f"{{{_encode(values)[1:-1].decode()}}}"
