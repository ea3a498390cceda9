"""What `mink doctor` looks at, one small program each. Nothing is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mink_core.administration import Diagnosis, Level
from mink_core.errors import MinkError
from mink_postgres.programs import feed
from mink_postgres.programs.grants import TABLES
from mink_postgres.programs.index_health import indexes
from mink_postgres.programs.layout import COPIES, HASHED, layout
from mink_postgres.programs.schema import applied_migrations, check_current, check_sequence, disarmed
from mink_postgres.programs.server_health import connections, pooler, replication, settings
from mink_postgres.query import Program, Query
from mink_postgres.statements import admin_sql

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mink_core.feed_status import FeedHolder
    from mink_postgres.context import Context
    from mink_postgres.options import PostgresOptions

_MANY = 10_000
_CRITICAL_TIMES = 10


def diagnose(context: Context, options: PostgresOptions, *, session: int, max_lag: float) -> Program[list[Diagnosis]]:
    """Look at the server, then at the schema, then at what moves: each part only where the one before allows it.

    Args:
        context: The store's.
        options: The store's.
        session: The process that serves this connection, as the connection was told when it was opened.
        max_lag: Seconds.
    """
    found: list[Diagnosis] = list((yield from settings()))
    found += yield from pooler(session, options)
    found += yield from connections(options.max_size)
    found += yield from replication()
    if not (yield from applied_migrations(context)):
        said = f"there is no store in schema {context.sql.schema!r}"
        return [*found, Diagnosis("schema", Level.CRITICAL, said, "mink init")]
    try:
        yield from check_current(context)
        yield from check_sequence(context)
    except MinkError as error:
        # Without the schema there is nothing more to look at.
        return [*found, Diagnosis("schema", Level.CRITICAL, str(error), "mink migrate status")]
    found.append(Diagnosis("schema", Level.OK, f"schema {context.sql.schema!r} is up to date"))
    found += yield from _guards(context)
    found += yield from _tables(context)
    found += yield from _sequences(context)
    found += yield from _layout(context)
    if context.sql.json_type == "json":
        found.append(Diagnosis("payloads", Level.OK, "payloads are kept as json", "", {"type": "json"}))
    found += yield from indexes(context)
    found += yield from _feed(context, max_lag)
    found += yield from _checkpoints(context, max_lag)
    found += yield from _parked(context)
    found += yield from _outbox(context, max_lag)
    return found


def _lateness(seconds: float, max_lag: float) -> Level:
    if seconds > max_lag * _CRITICAL_TIMES:
        return Level.CRITICAL
    return Level.WARNING if seconds > max_lag else Level.OK


def _guards(context: Context) -> Program[list[Diagnosis]]:
    lost = yield from disarmed(context)
    if not lost:
        return [Diagnosis("guards", Level.OK, "the fence and the append-only guard are armed")]
    return [
        Diagnosis(
            kind,
            Level.CRITICAL,
            f"the trigger {trigger} on {table} is missing, disabled or not ENABLE ALWAYS",
            _rearming(context.sql.quoted, table, trigger),
            {"table": table, "trigger": trigger},
        )
        for table, kind, trigger in lost
    ]


_MADE_BY = {
    "events_guard_positions": "BEFORE INSERT ON {table} FOR EACH STATEMENT EXECUTE FUNCTION {schema}.guard_positions()",
    "events_append_only": (
        "BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION {schema}.guard_events()"
    ),
}
"""The guards that a partition does not get from its table."""


def _rearming(schema: str, name: str, trigger: str) -> str:
    table = f'{schema}."{name.replace(chr(34), chr(34) * 2)}"'
    made = _MADE_BY.get(trigger)
    again = "" if made is None else f"CREATE OR REPLACE TRIGGER {trigger} {made.format(table=table, schema=schema)}; "
    return f"{again}ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}"


def _tables(context: Context) -> Program[list[Diagnosis]]:
    """What somebody has made of the store's tables by which events are lost, or left out, without a word."""
    found: list[Diagnosis] = []
    for name, is_unlogged, hides_rows in (yield Query(admin_sql("table_states"), (context.sql.schema, list(TABLES)))):
        table = f'{context.sql.quoted}."{name}"'
        if is_unlogged:
            said = f"{name} is unlogged: a crash of the server empties it, and no standby has it"
            found.append(Diagnosis(f"table {name}", Level.CRITICAL, said, f"ALTER TABLE {table} SET LOGGED"))
        if hides_rows:
            found.append(
                Diagnosis(
                    f"row security {name}",
                    Level.WARNING,
                    f"row-level security is on for {name}: a role that it applies to is shown a part of it without a word, so "
                    "that reads, exports and subscriptions leave out the rest, and go past it",
                    f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY, and keep tenants apart by schema",
                )
            )
    return found


def _sequences(context: Context) -> Program[list[Diagnosis]]:
    return [
        Diagnosis(
            f"sequence {table}.{column}",
            Level.CRITICAL,
            f"it is at {last:,}, behind the newest of {newest:,}, as where logical replication has moved the rows: what is new is "
            "refused for a number that is taken, or gets one that was somebody else's",
            f"SELECT setval('{name.replace(chr(39), chr(39) * 2)}', {newest})",
            {"last": last, "newest": newest},
        )
        for name, table, column, last, newest in (yield Query(context.sql.admin("sequences_behind")))
    ]


def _layout(context: Context) -> Program[list[Diagnosis]]:
    found = yield from layout(context)
    diagnoses = [
        Diagnosis(
            "partitions" if copy == HASHED else "payloads",
            Level.NOTICE,
            f"a copy of the events was begun by `{COPIES[copy]}` and not finished",
            f"go on with `{COPIES[copy]}`, or DROP TABLE {context.sql.quoted}.{copy}",
        )
        for copy in found.begun
    ]
    if found.partitions:
        said = f"events are kept in {found.partitions} partitions by stream"
        diagnoses.append(Diagnosis("partitions", Level.OK, said, "", {"partitions": found.partitions}))
    return diagnoses


def _feed(context: Context, max_lag: float) -> Program[list[Diagnosis]]:
    try:
        status = yield from feed.feed_status(context)
    except MinkError as error:
        return [Diagnosis("feed", Level.CRITICAL, str(error))]
    figures = {"head": status.head, "mark": status.mark, "high": status.high, "holders": len(status.holders)}
    if not status.holders:
        return [Diagnosis("feed", Level.OK, f"nobody holds the feed back; its head is {status.head}", "", figures)]
    return [_holder(item, status.high, max_lag) for item in status.holders]


def _holder(item: FeedHolder, high: int, max_lag: float) -> Diagnosis:
    who = "a prepared transaction" if item.process is None else f"backend {item.process}"
    called = f" ({item.application})" if item.application else ""
    advice = (
        "find it in pg_prepared_xacts, then COMMIT PREPARED or ROLLBACK PREPARED"
        if item.process is None
        else f"end the transaction where it runs, or: SELECT pg_terminate_backend({item.process})"
    )
    return Diagnosis(
        "feed",
        _lateness(item.seconds, max_lag),
        f"{who}{called} has appended and been open for {item.seconds:.1f} s; events above position "
        f"{item.after_position} wait for it. It is doing: {item.doing or 'hidden from this role'}",
        advice,
        {
            "process": item.process,
            "application": item.application,
            "seconds": item.seconds,
            "after_position": item.after_position,
            "high": high,
            "doing": item.doing,
        },
    )


def _checkpoints(context: Context, max_lag: float) -> Program[list[Diagnosis]]:
    rows = yield Query(context.sql.admin("checkpoint_lag"))
    return [
        Diagnosis(
            f"subscription {name}",
            # Late is an event that waits for long; an old checkpoint alone may be a quiet store.
            _lateness(min(waits or 0.0, since), max_lag) if behind else Level.OK,
            f"at position {position}, {_count(behind)} behind, last moved {since:.0f} s ago",
            "see whether its worker runs, and what it logs" if behind and min(waits or 0.0, since) > max_lag else "",
            {"position": position, "behind": behind, "seconds_since_moved": since, "oldest_waits_seconds": waits},
        )
        for name, position, since, behind, waits in rows
    ]


def _parked(context: Context) -> Program[list[Diagnosis]]:
    rows = yield Query(context.sql.admin("parked_events"))
    return [
        Diagnosis(
            f"parked events of {name}",
            Level.WARNING,
            f"its handler has given up on {_count(count)}, the oldest {seconds:.0f} s ago",
            "look at store.parked, mend the handler, then replay them",
            {"parked": count, "oldest_seconds": seconds},
        )
        for name, count, seconds in rows
    ]


def _count(behind: int) -> str:
    return f"{_MANY:,} events or more" if behind >= _MANY else f"{behind:,} event{'' if behind == 1 else 's'}"


def _outbox(context: Context, max_lag: float) -> Program[list[Diagnosis]]:
    there = yield Query("SELECT to_regclass($1::text) IS NOT NULL", (f"{context.sql.quoted}.outbox",))
    if not there[0][0]:
        return []
    waiting, seconds, dead = (yield Query(context.sql.admin("outbox_backlog")))[0]
    return list(_outbox_findings(waiting, seconds, dead, max_lag))


def _outbox_findings(waiting: int, seconds: float, dead: int, max_lag: float) -> Iterator[Diagnosis]:
    level = _lateness(seconds, max_lag) if waiting else Level.OK
    yield Diagnosis(
        "outbox",
        level,
        f"{waiting:,} messages are due, the oldest for {max(seconds, 0):.0f} s" if waiting else "no message is due",
        "see whether a relay runs, and what it logs" if level is not Level.OK else "",
        {"due": waiting, "oldest_seconds": max(seconds, 0.0)},
    )
    if dead:
        yield Diagnosis(
            "outbox dead letters",
            Level.WARNING,
            f"{dead:,} messages have used up their attempts",
            "look at store.outbox.dead_letters(), then requeue or purge them",
            {"dead": dead},
        )
