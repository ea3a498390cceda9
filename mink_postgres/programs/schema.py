"""Create, upgrade and check the schema."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, NamedTuple

from mink_core.errors import SchemaError
from mink_core.finding import Finding
from mink_postgres.migrations import (
    Migration,
    check_works,
    grant_statements,
    owner_statements,
    pending,
    raw_migrations,
    step_statements,
    table_statements,
)
from mink_postgres.programs.json_columns import fit_new, has_json, json_new, json_statements
from mink_postgres.programs.layout import layout
from mink_postgres.programs.locks import schema_lock
from mink_postgres.programs.partitioning import partition_new
from mink_postgres.query import Program, Query

if TYPE_CHECKING:
    from datetime import datetime

    from mink_postgres.context import Context

_INIT = "run `mink init`, or call store.initialize()"


GUARDS = (("fence", "events_guard_positions"), ("append-only", "events_append_only"))
"""What keeps events, and the trigger that does it."""
ROW_GUARDS = (("fence of rows", "events_fenced_rows"), ("append-only rows", "events_kept_rows"))
"""What a partitioned table has besides: PostgreSQL copies them to partitions that are attached later."""


_LAST_ON_TABLES = 15
"""The newest step that locks `streams` or `events`."""


class Applied(NamedTuple):
    """A step that the database has."""

    version: int
    name: str
    checksum: str
    applied_at: datetime
    oldest_code: int


def applied_migrations(context: Context) -> Program[list[Applied]]:
    """The steps that the database has, in order; none where there is no record of them."""
    sql = context.sql
    # Not to_regclass: a session that found nothing before it waited for a lock may find nothing again.
    there = yield Query(
        "SELECT 1 FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace "
        "WHERE n.nspname = $1::text AND c.relname = 'schema_migrations'",
        (sql.schema,),
    )
    if not there:
        return []
    rows = yield Query(sql.admin("applied_migrations"))
    return [
        Applied(version, name, checksum, at.replace(tzinfo=UTC), oldest) for version, name, checksum, at, oldest in rows
    ]


def _pending(applied: list[Applied]) -> list[Migration]:
    check_works({step.version: step.oldest_code for step in applied})
    return pending({step.version: step.checksum for step in applied})


def migrate(context: Context, *, through: int | None = None) -> Program[list[Migration]]:
    """Bring the schema to this code's version, or only `through` a step. Runs inside the driver's transaction.

    A schema that is up to date is left as it is, so that a role that may change nothing can call it.

    Returns:
        The steps that were applied.

    Raises:
        SchemaError: The schema is newer than this code can work on, was changed by hand, or cannot
            hold the store.
    """
    applied = yield from applied_migrations(context)
    if not applied or _pending(applied):
        # One at a time: CREATE … IF NOT EXISTS alone fails when two processes start at once.
        yield Query("SELECT set_config('lock_timeout', '0', true)")
        yield Query(schema_lock(context))
        encoding = (yield Query("SHOW server_encoding"))[0][0]
        if encoding != "UTF8":
            msg = (
                f"the database's encoding is {encoding}, but events need UTF8; nothing was created: "
                "use another database"
            )
            raise SchemaError(msg)
        # Somebody else may have done it while this one waited for the lock.
        applied = yield from applied_migrations(context)
    steps = [step for step in _pending(applied) if through is None or step.version <= through]
    for statement in (yield from _statements(context, steps, adopt=not applied)):
        yield Query(statement, is_script=True)
    yield from check_sequence(context)
    if context.json_type == "json" and through is None:
        yield from json_new(context)
    elif (yield from has_json(context)):
        yield from fit_new(context)
    if context.hash_partitions and through is None:
        yield from partition_new(context)
    if context.unique_event_ids:
        yield from _unique_index(context)
    return steps


def migration_script(context: Context) -> Program[str]:
    """What `migrate` would run, as a script for a database administrator to review and run; empty: nothing."""
    applied = yield from applied_migrations(context)
    steps = _pending(applied)
    statements = yield from _statements(context, steps, adopt=not applied)
    made = [f"migrations {', '.join(step.name for step in steps)}"] if steps else []
    if context.json_type == "json" and not (yield from has_json(context)):
        statements += json_statements(context)
        made.append("payloads as json")
    if not made:
        return ""
    body = ";\n\n".join(text.rstrip(";") for text in ("BEGIN", schema_lock(context), *statements, "COMMIT"))
    return f"-- Mink, schema {context.sql.quoted}: {', '.join(made)}\n{body};\n"


def _statements(context: Context, steps: list[Migration], *, adopt: bool) -> Program[list[str]]:
    """What to run for some steps, each with its record."""
    sql = context.sql
    if not steps:
        return []
    statements: list[str] = []
    if not (yield Query("SELECT 1 FROM pg_namespace WHERE nspname = $1::text", (sql.schema,))):
        # Only if missing: a role may own the schema without the right to create schemas.
        statements.append(f"CREATE SCHEMA {sql.quoted}")
    # Only if needed: ALTER TABLE waits for whoever reads the table, as a dump does for hours, and every store that is
    # opened meanwhile waits behind it.
    if not (
        yield Query(
            "SELECT 1 FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid "
            "JOIN pg_namespace AS n ON n.oid = c.relnamespace "
            "WHERE n.nspname = $1::text AND c.relname = 'schema_migrations' AND a.attname = 'oldest_code'",
            (sql.schema,),
        )
    ):
        statements += table_statements(sql.quoted)
    if not adopt and steps[0].version <= _LAST_ON_TABLES:
        # In the order of an append, before anything else is locked: one that comes meanwhile waits with nothing locked.
        statements.append(f"LOCK TABLE {sql.quoted}.streams, {sql.quoted}.events IN EXCLUSIVE MODE")
    if adopt:
        statements.append(sql.admin("adopt"))
    for step in steps:
        statements += step_statements(step, sql.quoted)
    if adopt:
        statements.append(sql.admin("compress"))
    else:
        if (yield from has_json(context)):
            statements.append(sql.admin("json_functions"))
        statements += grant_statements(steps, sql.quoted)
    statements += owner_statements(steps, sql.quoted)
    return statements


def _unique_index(context: Context) -> Program[None]:
    quoted = context.sql.quoted
    if (yield Query(context.sql.schema_state))[0][2]:
        return
    if (yield Query("SELECT to_regclass($1::text) IS NOT NULL", (f"{quoted}.idx_events_event_id",)))[0][0]:
        msg = (
            f"the index {quoted}.idx_events_event_id keeps no event id unique: it is being built, its building failed, or it "
            f"is another one; nothing was changed: wait, or DROP INDEX {quoted}.idx_events_event_id and build it again"
        )
        raise SchemaError(msg)
    if (yield from layout(context)).partitions:
        msg = (
            f"schema {context.sql.schema!r} keeps its events in partitions by stream, over which no index can keep event ids "
            "unique; nothing was changed: open the store without unique_event_ids"
        )
        raise SchemaError(msg)
    repeated = yield Query(
        f"SELECT event_id FROM {quoted}.events GROUP BY event_id HAVING count(*) > 1 LIMIT 1"  # noqa: S608 -- a validated name
    )
    if repeated:
        msg = (
            f"event id {repeated[0][0]} is stored more than once, so unique_event_ids cannot be turned on; "
            "nothing was changed: open the store without it"
        )
        raise SchemaError(msg)
    yield Query(f"CREATE UNIQUE INDEX IF NOT EXISTS idx_events_event_id ON {quoted}.events (event_id)", is_script=True)


def check_sequence(context: Context) -> Program[None]:
    """The fence counts on positions that are allocated one by one, upwards, for ever, and above all that are stored."""
    rows = yield Query(context.sql.sequence_settings)
    increment, cached, cycles, owner, last, newest = rows[0]
    if cycles or increment != 1 or cached != 1 or owner is None:
        msg = (
            f"the sequence of events.global_position has INCREMENT {increment}, CACHE {cached}"
            f"{', CYCLE' if cycles else ''}: the feed would skip events. Nothing was changed: "
            f"ALTER SEQUENCE {context.sql.quoted}.events_global_position_seq INCREMENT 1 CACHE 1 NO CYCLE"
        )
        raise SchemaError(msg)
    # A role that may not look at the sequence reads no feed either.
    if last is not None and newest is not None and last < newest:
        events = f"{context.sql.quoted}.events"
        mend = f"setval('{events}_global_position_seq', (SELECT max(global_position) FROM {events}))"  # noqa: S608 -- a validated name
        msg = (
            f"the sequence of events.global_position is at {last}, behind the newest event's {newest}, as where logical "
            "replication has moved the events: new events would get positions that readers have gone past. Once it is mended, "
            f"`mink doctor` names the other sequences that are behind. Nothing was changed: SELECT {mend}"
        )
        raise SchemaError(msg)


def check_version(context: Context) -> Program[None]:
    """Refuse a schema that this code cannot work on.

    A newer one works where its steps say so: old code goes on while new code is rolled out.

    Raises:
        SchemaError: It is missing, older or too new, or its unique index does not fit the option.
    """
    unique = yield from check_current(context)
    if context.unique_event_ids and not unique:
        msg = (
            f"unique_event_ids is on, but schema {context.sql.schema!r} has no unique index for it: {_INIT} with it on"
        )
        raise SchemaError(msg)
    if unique and not context.unique_event_ids:
        msg = f"schema {context.sql.schema!r} keeps event ids unique: open it with unique_event_ids=True as well"
        raise SchemaError(msg)
    yield from check_sequence(context)


def check_current(context: Context) -> Program[bool]:
    """Refuse a schema that lacks a step, or has one that this code cannot work on; see of which type its payloads are.

    Returns:
        Whether the optional unique index on event ids is there.
    """
    rows = yield Query(context.sql.schema_state)
    versions, oldest_codes, unique, is_json, takes_json = rows[0]
    applied: dict[int, int] = dict(zip(versions or (), oldest_codes or (), strict=True))
    check_works(applied)
    if missing := [step for step in raw_migrations() if step.version not in applied]:
        msg = (
            f"schema {context.sql.schema!r} is at version {max(applied, default=0)} and lacks {missing[0].name}"
            f"{f' and {len(missing) - 1} more' if missing[1:] else ''}, which this code needs: {_INIT}"
        )
        raise SchemaError(msg)
    if is_json and not takes_json:
        msg = f"schema {context.sql.schema!r} keeps payloads as json, but its functions do not: {_INIT}"
        raise SchemaError(msg)
    context.sql.payloads_are("json" if is_json else "jsonb")
    return bool(unique)


def check(context: Context) -> Program[list[Finding]]:
    """Look for damage that writes past the store have done."""
    findings: list[Finding] = []
    for stream_id, version, newest, stored in (yield Query(context.sql.check_streams)):
        if version is None:
            said = f"{stored} events, but no row in streams: appends would start again at version 1 and fail"
        elif newest is None:
            said = f"version {version} in streams, but no event"
        elif version != newest:
            said = f"version {version} in streams, but the newest event has {newest}: raw writes left it behind"
        else:
            said = f"version {version}, but {stored} events: some are missing"
        findings.append(Finding("stream", stream_id, said))
    findings += [
        Finding(kind, table, f"the trigger {trigger} is missing or not ENABLE ALWAYS")
        for table, kind, trigger in (yield from disarmed(context))
    ]
    return findings


def disarmed(context: Context) -> Program[list[tuple[str, str, str]]]:
    """What is not guarded: the table or partition, of what, and the trigger that would do it."""
    tables = yield Query(context.sql.admin("guards"))
    needed = GUARDS if len(tables) == 1 else GUARDS + ROW_GUARDS
    return [(name, kind, trigger) for name, _, armed in tables for kind, trigger in needed if trigger not in armed]
