"""The events in partitions by a hash of their stream (docs/decisions/0065).

A new store is made so by `initialize()`. One that holds events is moved while it is used (`programs/moving.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mink_core.errors import SchemaError
from mink_postgres.options import check_hash_partitions
from mink_postgres.programs.layout import HASHED, Layout, layout, refuse_losses
from mink_postgres.programs.moving import Move, Plan, at_once
from mink_postgres.query import Program, Query

if TYPE_CHECKING:
    from mink_postgres.context import Context


def partition_new(context: Context) -> Program[None]:
    """Lay out a store that holds no event. Runs inside the transaction of `initialize`.

    Raises:
        SchemaError: The store holds events, or is laid out otherwise.
    """
    wanted = context.hash_partitions
    found = yield from layout(context)
    if found.partitions == wanted:
        return
    # Before it asks for the lock, behind which everybody would wait for who reads the table, as a dump does for hours.
    _refuse_held(context, found, holds_events=found.holds_events)
    yield Query(f"LOCK TABLE {context.sql.quoted}.events IN ACCESS EXCLUSIVE MODE")
    found = yield from layout(context)
    _refuse_held(context, found, holds_events=found.holds_events or found.has_grown)
    refuse_losses(found)
    yield from at_once(context, _move(context, found, wanted))


def _refuse_held(context: Context, found: Layout, *, holds_events: bool) -> None:
    wanted = context.hash_partitions
    if found.partitions:
        msg = (
            f"schema {context.sql.schema!r} keeps its events in {found.partitions} partitions, not {wanted}; nothing was "
            "changed: open it without hash_partitions, or move it by `mink export` and `mink import`"
        )
        raise SchemaError(msg)
    if holds_events:
        msg = (
            f"schema {context.sql.schema!r} holds events in one table; nothing was changed: open it without "
            f"hash_partitions, or move them with `mink partition {wanted}`"
        )
        raise SchemaError(msg)


def into_partitions(partitions: int) -> Plan:
    """The plan to move the events of a store in one table into so many partitions.

    Raises:
        UsageError: The number cannot be.
    """
    check_hash_partitions(partitions)

    def plan(context: Context, found: Layout) -> Move:
        if found.partitions:
            msg = f"schema {context.sql.schema!r} keeps its events in {found.partitions} partitions already; nothing was changed"
            raise SchemaError(msg)
        return _move(context, found, partitions)

    return plan


def _move(context: Context, found: Layout, partitions: int) -> Move:
    if found.unique_event_ids:
        msg = (
            f"schema {context.sql.schema!r} keeps event ids unique, which no index over partitions by stream can; "
            f"nothing was changed: DROP INDEX {context.sql.quoted}.idx_events_event_id to do without"
        )
        raise SchemaError(msg)
    return Move(HASHED, partitions, found.json_type, unique_event_ids=False)
