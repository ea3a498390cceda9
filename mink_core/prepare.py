"""Everything that can be refused before anything is sent, in one place for every adapter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from uuid import UUID

import msgspec

from mink_core.errors import UsageError
from mink_core.events import NewEvent, StreamAppend
from mink_core.expected import Expected  # noqa: TC001 -- looked up at run time by get_type_hints
from mink_core.json_codec import encode_json
from mink_core.limits import MAX_CALL_BYTES, MAX_CALL_EVENTS, check_event_type, check_expected, checked_category
from mink_core.transforms import EventTransform, apply_outgoing


class PreparedEvent(msgspec.Struct, frozen=True, gc=False):
    """An event that was checked and encoded; no object of the caller is left in it."""

    event_id: UUID
    event_type: str
    data: str
    """JSON text."""
    metadata: str | None
    """JSON text of an object, None where none was given."""


class PreparedMessage(msgspec.Struct, frozen=True):
    """An outbox message that was checked and encoded."""

    message_id: UUID
    destination: str
    payload: str
    """JSON text."""
    headers: str
    """JSON text of an object."""
    stream_id: str | None
    event_id: UUID | None
    ordered: bool
    delay: float
    max_attempts: int


class PreparedAppend(msgspec.Struct, frozen=True, gc=False):
    """An append that was checked and encoded."""

    stream_id: str
    category: str
    expected: Expected
    """As by `check_expected`: an exact 0 is `NO_STREAM`."""
    events: tuple[PreparedEvent, ...]
    messages: tuple[PreparedMessage, ...] = ()
    """Outbox messages to store with it, all or nothing; see `prepare_substores.outbox.with_messages`."""


def prepare_append(
    stream_id: str,
    events: Iterable[NewEvent],
    expected_version: Expected,
    transforms: Sequence[EventTransform] = (),
) -> PreparedAppend:
    """Check and encode one append (rules APPEND-07, APPEND-08, APPEND-12, JSON-01, JSON-02).

    Raises:
        UsageError: For whatever is wrong with it. Nothing was sent.
    """
    given = _sequence(events)
    if len(given) > 1:
        return prepare_batch([StreamAppend(stream_id, given, expected_version)], transforms)[0]
    # The common case: one event is within every limit of a call, and its id is not there twice.
    category = checked_category(stream_id)
    expected = check_expected(expected_version)
    return PreparedAppend(stream_id, category, expected, (_prepare_event(stream_id, 0, given[0], transforms),))


def prepare_batch(items: Iterable[StreamAppend], transforms: Sequence[EventTransform] = ()) -> list[PreparedAppend]:
    """Check and encode an `append_batch`; the limits and equal ids count over the whole call.

    Raises:
        UsageError: For whatever is wrong with it. Nothing was sent.
    """
    prepared: list[PreparedAppend] = []
    ids: set[int] = set()
    count = length = size = 0
    for item in items:
        if not isinstance(item, StreamAppend):
            msg = f"append_batch takes StreamAppend items, not {type(item).__name__}"
            raise UsageError(msg)
        stream_id = item.stream_id
        category = checked_category(stream_id)
        expected = check_expected(item.expected_version)
        given = tuple(_sequence(item.events))  # a list may change meanwhile
        count += len(given)
        if count > MAX_CALL_EVENTS:
            msg = f"a call may hold {MAX_CALL_EVENTS} events, not {count} or more: append them in several calls"
            raise UsageError(msg)
        encoded = tuple([_prepare_event(stream_id, index, event, transforms) for index, event in enumerate(given)])
        prepared.append(PreparedAppend(stream_id, category, expected, encoded))
        for event in encoded:
            ids.add(event.event_id.int)  # a UUID's own hash takes longer
            length += len(event.data) + len(event.metadata or "")
        if len(ids) < count:
            raise _refuse_repeated(prepared)
        # Bytes are counted only where characters, of four bytes at most, could be too many.
        if size or length * 4 > MAX_CALL_BYTES:
            size += _bytes(prepared[-1:] if size else prepared)
        if size > MAX_CALL_BYTES:
            msg = f"a call may hold {MAX_CALL_BYTES} bytes of JSON, not {size}: append it in several calls"
            raise UsageError(msg)
    if not prepared:
        msg = "append_batch got no item; give at least one StreamAppend"
        raise UsageError(msg)
    return prepared


def _sequence(events: object) -> Sequence[NewEvent]:
    if type(events) is list and events:
        return events
    if isinstance(events, NewEvent) or not isinstance(events, Iterable) or isinstance(events, (str, bytes, dict)):
        msg = f"events must be a sequence of NewEvent, not {type(events).__name__}"
        raise UsageError(msg)
    given = events if isinstance(events, (list, tuple)) else list(events)
    if not given:
        msg = "an append needs at least one event; nothing was stored"
        raise UsageError(msg)
    return given


def _prepare_event(stream_id: str, index: int, given: NewEvent, transforms: Sequence[EventTransform]) -> PreparedEvent:
    if not isinstance(given, NewEvent):
        msg = f"events[{index}] must be a NewEvent, not {type(given).__name__}"
        raise UsageError(msg)
    event = apply_outgoing(transforms, stream_id, given) if transforms else given
    check_event_type(event.event_type)
    if not isinstance(event.event_id, UUID):
        msg = f"events[{index}].event_id must be a UUID, not {type(event.event_id).__name__}"
        raise UsageError(msg)
    metadata = event.metadata
    if metadata is not None and type(metadata) is not dict:
        msg = f"events[{index}].metadata must be a dict or None, not {type(metadata).__name__}"
        raise UsageError(msg)
    return PreparedEvent(
        event.event_id,
        event.event_type,
        encode_json(event.data, "data"),
        None if metadata is None else encode_json(metadata, "metadata"),
    )


def _refuse_repeated(prepared: Sequence[PreparedAppend]) -> UsageError:
    ids = Counter(event.event_id for item in prepared for event in item.events)
    return UsageError(f"event id {ids.most_common(1)[0][0]} stands twice in one call; every event needs its own")


def _bytes(prepared: Sequence[PreparedAppend]) -> int:
    texts = [text for item in prepared for event in item.events for text in (event.data, event.metadata or "")]
    return sum([len(text) if text.isascii() else len(text.encode()) for text in texts])
