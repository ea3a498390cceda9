"""Create, upgrade and check the schema."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from mink_core.errors import SchemaError
from mink_core.finding import Finding
from mink_postgres.query import Program, Query
from mink_postgres.statements import SCHEMA_VERSION, raw_migrations

if TYPE_CHECKING:
    from mink_postgres.context import Context

_INIT = "run `mink init`, or call store.initialize()"


def migrate(context: Context) -> Program[None]:
    """Bring the schema to this code's version. Runs inside a transaction that the driver holds.

    Raises:
        SchemaError: The schema is newer than this code, was changed by hand, or cannot hold the store.
    """
    sql = context.sql
    # One at a time: CREATE … IF NOT EXISTS alone fails when two processes start at once.
    yield Query("SELECT set_config('lock_timeout', '0', true)")
    yield Query("SELECT pg_advisory_xact_lock(hashtextextended($1::text, 0))", (f"mink schema {sql.schema}",))
    encoding = (yield Query("SHOW server_encoding"))[0][0]
    if encoding != "UTF8":
        msg = f"the database's encoding is {encoding}, but events need UTF8; nothing was created: use another database"
        raise SchemaError(msg)
    if not (yield Query("SELECT 1 FROM pg_namespace WHERE nspname = $1::text", (sql.schema,))):
        # Only if missing: a role may own the schema without the right to create schemas.
        yield Query(f"CREATE SCHEMA {sql.quoted}", is_script=True)
    yield Query(
        f"CREATE TABLE IF NOT EXISTS {sql.quoted}.schema_migrations (version INTEGER PRIMARY KEY, name TEXT NOT NULL, "
        "checksum TEXT NOT NULL, applied_at TIMESTAMPTZ NOT NULL DEFAULT NOW())",
        is_script=True,
    )
    rows = yield Query(f"SELECT version, name, checksum FROM {sql.quoted}.schema_migrations ORDER BY version")  # noqa: S608 -- a validated name
    applied = {version: (name, checksum) for version, name, checksum in rows}
    _refuse_newer(max(applied, default=0))
    for raw, step in zip(raw_migrations(), sql.migrations(), strict=True):
        checksum = hashlib.sha256(raw.sql.encode()).hexdigest()
        if step.version in applied:
            if applied[step.version][1] != checksum:
                msg = f"migration {step.name} was applied with other content; nothing was changed: compare the releases"
                raise SchemaError(msg)
            continue
        yield Query(step.sql, is_script=True)
        yield Query(
            f"INSERT INTO {sql.quoted}.schema_migrations (version, name, checksum) "  # noqa: S608 -- a validated name
            "VALUES ($1::integer, $2::text, $3::text)",
            (step.version, step.name, checksum),
        )
    yield from _check_sequence(context)
    if context.unique_event_ids:
        yield from _unique_index(context)


def _unique_index(context: Context) -> Program[None]:
    quoted = context.sql.quoted
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


def _check_sequence(context: Context) -> Program[None]:
    """The fence counts on positions that are allocated one by one, upwards, for ever."""
    rows = yield Query(context.sql.sequence_settings)
    increment, cached, cycles, owner = rows[0]
    if cycles or increment != 1 or cached != 1 or owner is None:
        msg = (
            f"the sequence of events.global_position has INCREMENT {increment}, CACHE {cached}"
            f"{', CYCLE' if cycles else ''}: the feed would skip events. Nothing was changed: "
            f"ALTER SEQUENCE {context.sql.quoted}.events_global_position_seq INCREMENT 1 CACHE 1 NO CYCLE"
        )
        raise SchemaError(msg)


def check_version(context: Context) -> Program[None]:
    """Refuse a schema that this code does not know.

    Raises:
        SchemaError: It is missing, older or newer, or its unique index does not fit the option.
    """
    rows = yield Query(context.sql.schema_state)
    version, unique = rows[0]
    _refuse_newer(version)
    if version < SCHEMA_VERSION:
        msg = f"schema {context.sql.schema!r} is at version {version}, this code needs {SCHEMA_VERSION}: {_INIT}"
        raise SchemaError(msg)
    if context.unique_event_ids and not unique:
        msg = (
            f"unique_event_ids is on, but schema {context.sql.schema!r} has no unique index for it: {_INIT} with it on"
        )
        raise SchemaError(msg)
    if unique and not context.unique_event_ids:
        msg = f"schema {context.sql.schema!r} keeps event ids unique: open it with unique_event_ids=True as well"
        raise SchemaError(msg)
    yield from _check_sequence(context)


def _refuse_newer(version: int) -> None:
    if version > SCHEMA_VERSION:
        msg = (
            f"the schema is at version {version}, newer than the {SCHEMA_VERSION} that this code knows; "
            "nothing was changed: upgrade mink-eventstore"
        )
        raise SchemaError(msg)


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
    guards = yield Query(
        "SELECT tgenabled::text FROM pg_trigger WHERE tgname = 'events_guard_positions' AND tgrelid = $1::text::regclass",
        (f"{context.sql.quoted}.events",),
    )
    if not guards or guards[0][0] != "A":
        findings.append(
            Finding("fence", "events", "the trigger events_guard_positions is missing or not ENABLE ALWAYS")
        )
    return findings
