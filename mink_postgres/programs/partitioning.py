"""The events in partitions by a hash of their stream (docs/decisions/0065).

A new store is made so by `initialize()`. One that holds events is copied beside while it is used: positions below
the feed's mark are settled, and events do not change. Then `events` is locked, what came since is copied, and the
tables change places in one transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mink_core.errors import SchemaError, TransientStorageError
from mink_postgres.options import check_hash_partitions
from mink_postgres.query import Program, Query

if TYPE_CHECKING:
    from mink_postgres.context import Context

CHUNK = 20_000
"""Events copied in one transaction."""
LOCK_MILLISECONDS = 2000
"""How long the lock on `events` is waited for at a time."""
CLOSE = 20_000
"""Once the copy is so many positions behind, the rest is copied under the lock."""


class Layout(NamedTuple):
    """How `events` is laid out."""

    partitions: int
    """0 for one table."""
    holds_events: bool
    unique_event_ids: bool
    would_be_lost: list[str]
    """What somebody else has put on it, or made of it: indexes, triggers, policies, views and the like."""
    begun: bool
    """Whether a copy was begun and not finished."""


def layout(context: Context) -> Program[Layout]:
    """Look at the table."""
    kind, count, *rest = (yield Query(context.sql.admin("partition_state")))[0]
    return Layout(count if kind == "p" else 0, *rest)


def partition_new(context: Context) -> Program[None]:
    """Lay out a store that holds no event. Runs inside the transaction of `initialize`.

    Raises:
        SchemaError: The store holds events, or is laid out otherwise.
    """
    wanted = context.hash_partitions
    found = yield from layout(context)
    if found.partitions == wanted:
        return
    yield Query(f"LOCK TABLE {context.sql.quoted}.events IN ACCESS EXCLUSIVE MODE")
    found = yield from layout(context)
    if found.partitions:
        msg = (
            f"schema {context.sql.schema!r} keeps its events in {found.partitions} partitions, not {wanted}; nothing was "
            "changed: open it without hash_partitions, or move it by `mink export` and `mink import`"
        )
        raise SchemaError(msg)
    if found.holds_events:
        msg = (
            f"schema {context.sql.schema!r} holds events in one table; nothing was changed: open it without "
            f"hash_partitions, or move them with `mink partition {wanted}`"
        )
        raise SchemaError(msg)
    _refuse(context, found)
    yield Query(_make(context, wanted), is_script=True)
    yield Query(context.sql.admin("partition_swap"), is_script=True)


def begin(context: Context, partitions: int) -> Program[int]:
    """Make the empty copy, or find one that was begun. Runs in a transaction of its own.

    Returns:
        The highest position that the copy holds.

    Raises:
        SchemaError: The store is partitioned already, or cannot be.
    """
    check_hash_partitions(partitions)
    yield Query(_lock(context))
    found = yield from layout(context)
    if found.partitions:
        msg = f"schema {context.sql.schema!r} keeps its events in {found.partitions} partitions already; nothing was changed"
        raise SchemaError(msg)
    _refuse(context, found)
    if not found.begun:
        yield Query(_make(context, partitions), is_script=True)
    count = yield Query(
        "SELECT count(*) FROM pg_inherits AS i WHERE i.inhparent = $1::text::regclass",
        (f"{context.sql.quoted}.events_hashed",),
    )
    if count[0][0] != partitions:
        msg = (
            f"a copy into {count[0][0]} partitions was begun, not {partitions}; nothing was changed: go on with that number, "
            f"or DROP TABLE {context.sql.quoted}.events_hashed"
        )
        raise SchemaError(msg)
    return (yield from _copied(context))


def copy_chunk(context: Context, after: int, mark: int) -> Program[tuple[int, int]]:
    """Copy some events that are settled. Runs in a transaction of its own.

    Returns:
        Up to where the copy is now, and how many were copied.

    Raises:
        SchemaError: Somebody else copies as well.
    """
    yield from _check_alone(context, after)
    rows = yield Query(context.sql.admin("partition_next"), (after, mark, CHUNK))
    upto = rows[0][0]
    if upto is None:
        return mark, 0
    copied = yield Query(context.sql.admin("partition_copy"), (after, upto))
    return upto, copied[0][0]


def analyze(context: Context) -> Program[None]:
    """Let the planner know the copy."""
    yield Query(f"ANALYZE {context.sql.quoted}.events_hashed", is_script=True)


def finish(context: Context, after: int) -> Program[int]:
    """Copy the rest with everybody shut out, and put the copy in the table's place. Runs in one transaction.

    Args:
        context: The store.
        after: Up to where all settled events are copied.

    Returns:
        How many events were copied under the lock.

    Raises:
        TransientStorageError: Somebody is in the middle of an append for longer than the lock may be waited for.
        SchemaError: Somebody else copies as well.
    """
    quoted = context.sql.quoted
    yield from _check_alone(context, after)
    # Whoever comes after waits for this lock as well: so it is not waited for for long.
    yield Query(f"SET LOCAL lock_timeout = {LOCK_MILLISECONDS}", is_script=True)
    yield Query(f"LOCK TABLE {quoted}.events IN ACCESS EXCLUSIVE MODE")
    found = yield from layout(context)
    _refuse(context, found)
    # The fence is keyed by the table that goes: who holds it without having inserted took positions by hand.
    if (yield Query(context.sql.feed_holders, (0,))):
        msg = "a transaction has called fence() and not inserted yet; nothing was changed: try again when it has ended"
        raise TransientStorageError(msg)
    rows = yield Query(context.sql.admin("partition_copy"), (after, 2**63 - 1))
    for (stream,) in (yield Query(context.sql.admin("partition_rewritten"))):
        yield Query(f"DELETE FROM {quoted}.events_hashed WHERE stream_id = $1::text", (stream,))  # noqa: S608 -- a validated name
        yield Query(
            f"INSERT INTO {quoted}.events_hashed SELECT e.* FROM {quoted}.events AS e WHERE e.stream_id = $1::text",  # noqa: S608 -- as above
            (stream,),
        )
    yield Query(context.sql.admin("partition_swap"), is_script=True)
    return int(rows[0][0])


def mark(context: Context) -> Program[int]:
    """Up to where events are settled."""
    return int((yield Query(context.sql.feed_mark))[0][0])


def _lock(context: Context) -> str:
    # The schema's name is letters, digits and _: nothing to quote.
    return f"SELECT pg_advisory_xact_lock(hashtextextended('mink partitions {context.sql.schema}', 0))"


def _copied(context: Context) -> Program[int]:
    """The highest position that the copy holds."""
    rows = yield Query(f"SELECT coalesce(max(global_position), 0) FROM {context.sql.quoted}.events_hashed")  # noqa: S608 -- a validated name
    return int(rows[0][0])


def _check_alone(context: Context, after: int) -> Program[None]:
    """Refuse to go on beside another process that copies. It is waited for until it has done its piece, or all."""
    yield Query(_lock(context))
    found = yield from layout(context)
    if found.begun and (yield from _copied(context)) <= after:
        return
    msg = (
        f"another process moves the events of schema {context.sql.schema!r} into partitions as well, and has gone on "
        "where this one was; nothing is lost: leave it to that one"
    )
    raise SchemaError(msg)


def _refuse(context: Context, found: Layout) -> None:
    if found.unique_event_ids:
        msg = (
            f"schema {context.sql.schema!r} keeps event ids unique, which no index over partitions by stream can; "
            f"nothing was changed: DROP INDEX {context.sql.quoted}.idx_events_event_id to do without"
        )
        raise SchemaError(msg)
    if found.would_be_lost:
        msg = (
            f"events has {', '.join(found.would_be_lost)}, which the partitioned table would not have; nothing was "
            "changed: drop that, and make it again afterwards"
        )
        raise SchemaError(msg)


def _make(context: Context, partitions: int) -> str:
    return context.sql.admin("partition_make").replace("{count}", str(partitions))
