"""The payloads of a store that is in use as `json` in place of `jsonb`, or back (docs/decisions/0152)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mink_postgres.options import check_json_type
from mink_postgres.programs.layout import RETYPED, Layout
from mink_postgres.programs.moving import Move, Plan
from mink_postgres.query import Program, Query

if TYPE_CHECKING:
    from mink_postgres.context import Context


def into_type(json_type: str) -> Plan:
    """The plan to move the events into a table that is laid out as theirs, but for the type of their payloads.

    Raises:
        UsageError: There is no such type.
    """
    check_json_type(json_type)

    def plan(_context: Context, found: Layout) -> Move | None:
        if found.json_type == json_type:
            return None
        return Move(RETYPED, found.partitions, json_type, found.unique_event_ids)

    return plan


def name_unfit(context: Context, move: Move, after: int) -> Program[None]:
    """Look for the first event after a position that jsonb cannot hold.

    Raises:
        SchemaError: There is one; says which.
    """
    text = move.sql(context, "move_unfit").replace("{after}", str(after))
    yield Query(text, is_script=True)
