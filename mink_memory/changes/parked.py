"""Parked events: keep, list, ask for a replay, let go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from mink_core.parked import MAX_PARKED_ERROR, ParkedEvent
from mink_memory.records import Change, Records

if TYPE_CHECKING:
    from mink_core.events import StoredEvent
    from mink_memory.keys import RecordKey

TABLE = "parked event"


def park(subscription: str, event: StoredEvent, attempts: int, error: str) -> Change[None]:
    """Keep an event, or what its replay said."""
    key = (subscription, event.global_position)
    said = error[:MAX_PARKED_ERROR].replace("\x00", "").encode(errors="replace").decode()

    def apply(records: Records) -> None:
        kept = ParkedEvent(
            *key, event.stream_id, event.version, event.event_type, attempts, said, records.now, replay=False
        )
        records.put(TABLE, key, kept)

    return Change(((TABLE, key),), apply)


def list_all(subscription: str | None, *, asked: bool) -> Change[list[ParkedEvent]]:
    """What is parked."""

    def apply(records: Records) -> list[ParkedEvent]:
        return [
            kept
            for key, kept in sorted(records.items(TABLE))
            if subscription in (None, key[0]) and (kept.replay or not asked)
        ]

    return Change((), apply)


def replay(subscription: str, position: int | None) -> Change[int]:
    """Ask for another try."""

    def apply(records: Records) -> int:
        asked = keys(records)
        for _, key in asked:
            records.put(TABLE, key, msgspec.structs.replace(records.get(TABLE, key), replay=True))
        return len(asked)

    def keys(records: Records) -> tuple[RecordKey, ...]:
        return tuple(
            (TABLE, key) for key, _ in records.items(TABLE) if key[0] == subscription and position in (None, key[1])
        )

    return Change(keys, apply)


def remove(subscription: str, position: int) -> Change[bool]:
    """Let go."""
    key = (subscription, position)

    def apply(records: Records) -> bool:
        found = records.get(TABLE, key) is not None
        if found:
            records.drop(TABLE, key)
        return found

    return Change(((TABLE, key),), apply)
