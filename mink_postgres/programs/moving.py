"""The events moved into another table while they are used (docs/decisions/0065, 0152).

They are copied beside: positions below the feed's mark are settled, and events do not change. Then `events` is locked,
what came since is copied, and the tables change places in one transaction. `mink_postgres.moving` drives it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from mink_core.errors import SchemaError, TransientStorageError
from mink_postgres.programs.feed import feed_status
from mink_postgres.programs.json_columns import fit_functions
from mink_postgres.programs.layout import COPIES, Layout, layout, refuse_losses
from mink_postgres.programs.locks import moving_lock, schema_lock
from mink_postgres.query import Program, Query

if TYPE_CHECKING:
    from mink_postgres.context import Context

CHUNK = 20_000
"""Events copied in one transaction."""
LOCK_MILLISECONDS = 2000
"""How long the lock on `events` is waited for at a time."""
CLOSE = 20_000
"""Once the copy is so many positions behind, the rest is copied under the lock."""
_ALL = 2**63 - 1


class Move(NamedTuple):
    """What the events are moved into."""

    copy: str
    """The table that is made beside, of `COPIES`."""
    partitions: int
    """0 for one table."""
    json_type: str
    """Of its payloads."""
    unique_event_ids: bool

    def sql(self, context: Context, name: str) -> str:
        """A statement of `sql/admin`, with the copy put in."""
        said = {
            "{copy}": self.copy,
            "{type}": self.json_type,
            "{count}": str(self.partitions),
            "{parted}": "PARTITION BY HASH (stream_id)" if self.partitions else "",
            "{key}": "global_position, stream_id" if self.partitions else "global_position",
        }
        text = context.sql.admin(name)
        for placeholder, value in said.items():
            text = text.replace(placeholder, value)
        return text


Plan: TypeAlias = Callable[["Context", Layout], Move | None]
"""What is to be made of a store that is laid out so; None where nothing is to be done.

Raises:
    SchemaError: It cannot be made.
"""


def at_once(context: Context, move: Move) -> Program[None]:
    """Put an empty table in the place of one that is locked and empty."""
    yield from _refuse_taken(context, move)
    yield Query(move.sql(context, "move_make"), is_script=True)
    yield from _swap(context, move)


def begin(context: Context, plan: Plan) -> Program[tuple[Move, int] | None]:
    """Make the empty copy, or find one that was begun. Runs in a transaction of its own.

    Returns:
        The move and the highest position that the copy holds; None where nothing is to be done.

    Raises:
        SchemaError: It cannot be done.
    """
    yield Query(moving_lock(context))
    found = yield from layout(context)
    move = plan(context, found)
    if move is None:
        return None
    refuse_losses(found)
    if found.published:
        msg = (
            f"publication {', '.join(found.published)} is for every table, so its subscribers would be sent the copy of events, which "
            "they have no table for, and stand still; nothing was changed: drop it, or make it name its tables without events"
        )
        raise SchemaError(msg)
    for other in found.begun:
        if other != move.copy:
            msg = (
                f"a copy of the events was begun by `{COPIES[other]}` and not finished; nothing was changed: go on with that, "
                f"or DROP TABLE {context.sql.quoted}.{other}"
            )
            raise SchemaError(msg)
    yield from _refuse_taken(context, move)
    if move.copy not in found.begun:
        yield Query(move.sql(context, "move_make"), is_script=True)
    partitions, json_type, unique = (yield Query(move.sql(context, "move_state")))[0]
    if (partitions, json_type) != (move.partitions, move.json_type):
        was = f"{partitions} partitions" if partitions != move.partitions else f"payloads of type {json_type}"
        wanted = move.partitions if partitions != move.partitions else move.json_type
        msg = (
            f"a copy into {was} was begun, not {wanted}; nothing was changed: go on with that, "
            f"or DROP TABLE {context.sql.quoted}.{move.copy}"
        )
        raise SchemaError(msg)
    if unique != move.unique_event_ids:
        # Of a new copy, or it was made or dropped since the copy was begun.
        yield Query(_unique_index(context, move), is_script=True)
    return move, (yield from _copied(context, move))


def copy_chunk(context: Context, move: Move, after: int, mark: int) -> Program[tuple[int, int]]:
    """Copy some events that are settled. Runs in a transaction of its own.

    Returns:
        Up to where the copy is now, and how many were copied.

    Raises:
        SchemaError: Somebody else copies as well.
    """
    yield from _check_alone(context, move, after)
    rows = yield Query(context.sql.admin("move_next"), (after, mark, CHUNK))
    upto = rows[0][0]
    if upto is None:
        return mark, 0
    if rewritten := (yield from _rewritten(context, move)):
        yield Query(move.sql(context, "move_gone"), (rewritten,))
    copied = yield Query(move.sql(context, "move_copy"), (after, upto))
    return upto, copied[0][0]


def analyze(context: Context, move: Move) -> Program[None]:
    """Let the planner know the copy."""
    yield Query(f"ANALYZE {context.sql.quoted}.{move.copy}", is_script=True)


def finish(context: Context, plan: Plan, move: Move, after: int) -> Program[int]:
    """Copy the rest with everybody shut out, and put the copy in the table's place. Runs in one transaction.

    Args:
        context: The store.
        plan: What the move was made by: the store may have changed since.
        move: What `begin` gave.
        after: Up to where all settled events are copied.

    Returns:
        How many events were copied under the lock.

    Raises:
        TransientStorageError: Somebody is in the middle of an append for longer than the lock may be waited for.
        SchemaError: Somebody else copies as well, or the store was changed meanwhile.
    """
    quoted = context.sql.quoted
    yield from _check_alone(context, move, after)
    # Whoever comes after waits for this lock as well: so it is not waited for for long.
    yield Query(f"SET LOCAL lock_timeout = {LOCK_MILLISECONDS}", is_script=True)
    yield Query(schema_lock(context))
    yield Query(f"LOCK TABLE {quoted}.events IN ACCESS EXCLUSIVE MODE")
    found = yield from layout(context)
    refuse_losses(found)
    made = (yield Query(move.sql(context, "move_state")))[0]
    if plan(context, found) != move or tuple(made) != move[1:]:
        msg = (
            f"events or its copy {quoted}.{move.copy} was laid out otherwise while the events were copied; nothing was "
            "changed: run the command again"
        )
        raise SchemaError(msg)
    # The fence is keyed by the table that goes: who holds it without having inserted took positions by hand.
    if (yield Query(context.sql.feed_holders, (0,))):
        msg = "a transaction has called fence() and not inserted yet; nothing was changed: try again when it has ended"
        raise TransientStorageError(msg)
    rewritten = yield from _rewritten(context, move)
    if rewritten:
        yield Query(move.sql(context, "move_forget"), (rewritten,))
    rows = yield Query(move.sql(context, "move_copy"), (after, _ALL))
    if rewritten:
        yield Query(move.sql(context, "move_again"), (rewritten, after))
    yield from _swap(context, move)
    if move.json_type != found.json_type:
        yield from fit_functions(context, move.json_type)
    return int(rows[0][0])


def mark(context: Context) -> Program[int]:
    """Up to where events are settled.

    Raises:
        UsageError: The session's transactions are REPEATABLE READ or SERIALIZABLE: what is appended while the lock is waited for
            would not be copied.
    """
    return (yield from feed_status(context)).mark


def _swap(context: Context, move: Move) -> Program[None]:
    yield Query(move.sql(context, "move_swap"), is_script=True)
    if move.partitions:
        yield Query(context.sql.admin("move_row_guards"), is_script=True)


def _unique_index(context: Context, move: Move) -> str:
    name = f"idx_{move.copy}_event_id"
    if not move.unique_event_ids:
        return f"DROP INDEX {context.sql.quoted}.{name}"
    return f"CREATE UNIQUE INDEX {name} ON {context.sql.quoted}.{move.copy} (event_id)"


def _copied(context: Context, move: Move) -> Program[int]:
    """The highest position that the copy holds."""
    rows = yield Query(f"SELECT coalesce(max(global_position), 0) FROM {context.sql.quoted}.{move.copy}")  # noqa: S608 -- validated names
    return int(rows[0][0])


def _rewritten(context: Context, move: Move) -> Program[list[str]]:
    """The streams that privacy operations have worked on since the copy was begun."""
    return [stream for (stream,) in (yield Query(move.sql(context, "move_rewritten")))]


def _check_alone(context: Context, move: Move, after: int) -> Program[None]:
    """Refuse to go on beside another process that copies. It is waited for until it has done its piece, or all."""
    yield Query(moving_lock(context))
    found = yield from layout(context)
    if move.copy in found.begun and (yield from _copied(context, move)) <= after:
        return
    msg = (
        f"another process moves the events of schema {context.sql.schema!r} as well, and has gone on "
        "where this one was; nothing is lost: leave it to that one"
    )
    raise SchemaError(msg)


def _refuse_taken(context: Context, move: Move) -> Program[None]:
    """Refuse where a table has the name of a partition to be, as one that was detached has."""
    names = [f"events_p{number}" for number in range(move.partitions)]
    if names and (taken := (yield Query(move.sql(context, "move_taken"), (names,)))):
        quoted = context.sql.quoted
        msg = (
            f"a partition is to be called {taken[0][0]}, and there is another table of that name; nothing was changed: "
            f"rename it, or DROP TABLE {quoted}.{taken[0][0]}"
        )
        raise SchemaError(msg)
