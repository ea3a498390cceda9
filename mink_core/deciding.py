"""Deciding on appends, the same in every adapter: what is stored, repeated or refused."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from mink_core.encoded import result_of
from mink_core.errors import ConcurrencyError, DuplicateEventError, StreamTombstonedError
from mink_core.expected import ExpectedVersion, exact_version
from mink_core.json_codec import decode_json
from mink_core.stream_state import UNMARKED, StreamState

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from mink_core.encoded import EncodedEvent
    from mink_core.events import AppendResult
    from mink_core.expected import Expected
    from mink_core.prepare import PreparedAppend, PreparedEvent


class Staging(ABC):
    """An adapter's storage inside one transaction, as `store_appends` asks it.

    Nobody else may write to the streams of the call while it lasts, and what it has inserted it
    must see itself.
    """

    @abstractmethod
    def version(self, stream_id: str) -> int:
        """The stream's current version, 0 where it does not exist."""

    @abstractmethod
    def span(self, stream_id: str, after_version: int, last_version: int) -> Sequence[EncodedEvent]:
        """The stream's events above the first version, up to the last, in order; those that there are."""

    @abstractmethod
    def insert(self, item: PreparedAppend, version: int) -> Sequence[EncodedEvent]:
        """Store an item's events after the stream's current version.

        All get one timestamp: the time now, but at least a microsecond after the stream's newest
        event. That keeps time from going back (READ-07), and tells where an append ends (APPEND-09).

        Returns:
            What was stored, in order.
        """

    def state(self, stream_id: str) -> StreamState:
        """The marks on a stream; none unless the store has privacy operations.

        An adapter that declares `Capability.PRIVACY` overrides this, and clears `deleted_at` when it inserts.
        """
        del stream_id
        return UNMARKED

    def find(self, event_ids: Sequence[UUID]) -> Sequence[EncodedEvent]:
        """The stored events with these ids, in their order; none unless the store keeps ids unique.

        An adapter that declares `Capability.UNIQUE_EVENT_IDS` overrides this.
        """
        del event_ids
        return ()


def store_appends(staging: Staging, items: Sequence[PreparedAppend]) -> list[AppendResult]:
    """Decide on the items in order, and insert what is new (rules APPEND-03 to 05, 09 and 11).

    Returns:
        One result an item. Where the call is the repeat of a stored one, nothing was inserted.

    Raises:
        ConcurrencyError: For the first item that is not as expected. Items before and after it may
            have been inserted: the adapter rolls its transaction back.
        DuplicateEventError: Some of it is stored already, but not all of it by this same call. As above.
        StreamTombstonedError: One of the streams is closed for ever; nothing was inserted.
    """
    results: list[AppendResult] = []
    repeated: list[PreparedAppend] = []
    conflict: ConcurrencyError | None = None
    for item in items:
        if staging.state(item.stream_id).tombstoned:
            raise StreamTombstonedError(item.stream_id)
    for item in items:
        version = staging.version(item.stream_id)
        try:
            rows = _first_call(staging, item, version)
        except ConcurrencyError as error:
            # A DuplicateEventError of a later item outweighs it: no retry can mend that one.
            conflict = conflict or error
            continue
        if rows:
            repeated.append(item)
        else:
            rows = staging.insert(item, version)
        results.append(result_of(rows))
    if repeated and len(repeated) < len(items):
        raise DuplicateEventError(repeated[0].events[0].event_id)
    if conflict:
        raise conflict
    return results


def _first_call(staging: Staging, item: PreparedAppend, version: int) -> Sequence[EncodedEvent]:
    """What the call that this one repeats has stored; none where it is to be stored (APPEND-09)."""
    exact = exact_version(item.expected)
    state = staging.state(item.stream_id)
    gone = state.deleted_at is not None and version == state.hidden_version
    if exact == 0:
        exact = state.hidden_version  # a soft-deleted stream is missing, and is created after its last version
    ids = [event.event_id for event in item.events]
    if stored := staging.find(ids):
        after = min(row.version for row in stored) - 1
        here = len(stored) == len(ids) and all(row.stream_id == item.stream_id for row in stored)
        if not here or exact not in (None, after):
            raise DuplicateEventError(stored[0].event_id)
        return _repeat(staging, item, after)
    if gone:
        if item.expected in (ExpectedVersion.ANY, ExpectedVersion.NO_STREAM):
            return ()
    elif (exact == version) if exact is not None else fits(item.expected, version):
        return ()
    if exact is not None and exact != version and (first := _repeat(staging, item, exact)):
        return first
    raise ConcurrencyError(item.stream_id, item.expected, 0 if gone else version)


def _repeat(staging: Staging, item: PreparedAppend, after: int) -> Sequence[EncodedEvent]:
    end = after + len(item.events)
    around = staging.span(item.stream_id, max(after - 1, 0), end + 1)
    before = around[0] if around and around[0].version == after else None
    beyond = around[-1] if around and around[-1].version == end + 1 else None
    stored = [row for row in around if after < row.version <= end]
    return stored if _is_repeat(item, before, stored, beyond) else ()


def fits(expected: Expected, version: int) -> bool:
    """Whether a stream at `version` is as expected."""
    if expected is ExpectedVersion.ANY:
        return True
    if expected is ExpectedVersion.NO_STREAM:
        return version == 0
    if expected is ExpectedVersion.STREAM_EXISTS:
        return version > 0
    return version == expected


def _is_repeat(
    item: PreparedAppend, before: EncodedEvent | None, stored: Sequence[EncodedEvent], after: EncodedEvent | None
) -> bool:
    """Compare a call with the stored events that stand where its own would stand.

    All events of one append have one timestamp, and the stream's other events have another: that
    tells where the first call began and ended.

    Args:
        item: The call, of n events.
        before: The event at the version the call expects, if there is one.
        stored: The at most n events that follow it.
        after: The event that follows those, if there is one.

    Returns:
        Whether this is the same call; False when it shares no event id with what is stored.

    Raises:
        DuplicateEventError: It shares an id, but is not the same call.
    """
    known = {row.event_id for row in stored}
    shared = next((event.event_id for event in item.events if event.event_id in known), None)
    if shared is None:
        return False
    if [row.event_id for row in stored] != [event.event_id for event in item.events]:
        raise DuplicateEventError(shared)
    for event, row in zip(item.events, stored, strict=True):
        if not _same_content(event, row):
            raise DuplicateEventError(event.event_id)
    stamp = stored[0].timestamp
    if (
        stored[-1].timestamp != stamp
        or (before is not None and before.timestamp == stamp)
        or (after is not None and after.timestamp == stamp)
    ):
        raise DuplicateEventError(shared)
    return True


def _same_content(event: PreparedEvent, row: EncodedEvent) -> bool:
    return (
        event.event_type == row.event_type
        and same_json(event.data, row.data)
        # Absent metadata reads back as {}: a repeat that gives {} is the same call.
        and same_json(event.metadata or "{}", row.metadata or "{}")
    )


def same_json(one: str, other: str) -> bool:
    """Whether two texts are the same JSON, whatever the order of their keys (JSON-03)."""
    # Equal texts are the common case; the order of keys is all that may differ in equal values.
    return one == other or _same(decode_json(one), decode_json(other))


def _same(one: Any, other: Any) -> bool:
    if type(one) is not type(other):  # 1, 1.0 and true are three values
        return False
    if type(one) is dict:
        return one.keys() == other.keys() and all(_same(item, other[key]) for key, item in one.items())
    if type(one) is list:
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)
