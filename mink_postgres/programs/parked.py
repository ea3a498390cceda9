"""Parked events: keep, list, ask for a replay, let go."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from mink_core.parked import MAX_PARKED_ERROR, ParkedEvent
from mink_postgres.query import Program, Query

if TYPE_CHECKING:
    from mink_core.events import StoredEvent
    from mink_postgres.context import Context
    from mink_postgres.query import Row


def park(context: Context, subscription: str, event: StoredEvent, attempts: int, error: str) -> Program[None]:
    """Keep an event, or what its replay said."""
    # NUL is not text in PostgreSQL; a lone surrogate is not UTF-8.
    said = error[:MAX_PARKED_ERROR].replace("\x00", "").encode(errors="replace").decode()
    yield Query(
        context.sql.park_event,
        (subscription, event.global_position, event.stream_id, event.version, event.event_type, attempts, said),
        retry_is_safe=True,
    )


def list_all(context: Context, subscription: str | None, *, asked: bool) -> Program[list[ParkedEvent]]:
    """What is parked."""
    rows = yield Query(context.sql.list_asked if asked else context.sql.list_parked, (subscription,))
    return [_parked(row) for row in rows]


def _parked(row: Row) -> ParkedEvent:
    name, position, stream_id, version, event_type, attempts, error, parked_at, asked = row
    return ParkedEvent(
        name, position, stream_id, version, event_type, attempts, error, parked_at.replace(tzinfo=UTC), asked
    )


def replay(context: Context, subscription: str, position: int | None) -> Program[int]:
    """Ask for another try."""
    rows = yield Query(context.sql.replay_parked, (subscription, position), retry_is_safe=True)
    count: int = rows[0][0]
    return count


def remove(context: Context, subscription: str, position: int) -> Program[bool]:
    """Let go."""
    return bool((yield Query(context.sql.remove_parked, (subscription, position), retry_is_safe=True)))
