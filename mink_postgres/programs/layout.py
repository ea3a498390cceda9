"""How `events` is laid out, and what stands in the way of another table in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mink_core.errors import SchemaError
from mink_postgres.query import Program, Query

if TYPE_CHECKING:
    from mink_postgres.context import Context

HASHED = "events_hashed"
RETYPED = "events_retyped"
COPIES = {HASHED: "mink partition", RETYPED: "mink payloads"}
"""The tables that a copy is made in, and the command that makes it."""


class Layout(NamedTuple):
    """How `events` is laid out."""

    partitions: int
    """0 for one table."""
    holds_events: bool
    has_grown: bool
    """Whether there may be events that this transaction cannot see."""
    unique_event_ids: bool
    json_type: str
    """Of payloads."""
    would_be_lost: list[str]
    """What somebody else has put on it, or made of it: indexes, triggers, policies, views and the like."""
    begun: list[str]
    """The copies that were begun and not finished, of `COPIES`."""
    published: list[str]
    """The publications that a copy would be in as soon as it is made."""


def layout(context: Context) -> Program[Layout]:
    """Look at the table."""
    text = context.sql.admin("layout").replace("{copies}", f"{{{','.join(COPIES)}}}")
    kind, count, *rest = (yield Query(text))[0]
    return Layout(count if kind == "p" else 0, *rest)


def refuse_losses(found: Layout) -> None:
    """Refuse to put another table in the place of one that somebody has put something on.

    Raises:
        SchemaError: There is something; says what.
    """
    if found.would_be_lost:
        msg = (
            f"events has {', '.join(found.would_be_lost)}, which the table that takes its place would not have; nothing was "
            "changed: drop that, and make it again afterwards"
        )
        raise SchemaError(msg)
