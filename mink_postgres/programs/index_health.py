"""Indexes that are missing, invalid or bloated, and tables that vacuum does not keep up with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mink_core.administration import Diagnosis, Level
from mink_postgres.query import Program, Query
from mink_postgres.statements import admin_sql

if TYPE_CHECKING:
    from mink_postgres.context import Context

NEEDED = {
    "events": ("events_pkey", "events_stream_id_version_key", "idx_events_type", "idx_events_timestamp"),
    "streams": ("streams_pkey", "streams_stream_id_key", "idx_streams_category", "idx_streams_stream_id_c"),
}
"""What reads and appends rely on, by table. `idx_events_stream` repeats the key of (stream_id, version)."""

_SMALL = 16 << 20
_BLOATED = 2.5
_MANY_DEAD = 100_000
_OLD_ROWS = 1_500_000_000


def indexes(context: Context, *, small: int = _SMALL) -> Program[list[Diagnosis]]:
    """Look at all indexes and tables of the schema.

    Args:
        context: The store.
        small: Bytes up to which an index is not worth a word.
    """
    rows = yield Query(admin_sql("indexes"), (context.sql.schema,))
    there = {row[0] for row in rows}
    found = [
        Diagnosis(
            f"index {name}",
            Level.WARNING,
            f"table {table} has no index {name}: reads or appends scan the table",
            "create it as migration 0001 or 0005 does, with CREATE INDEX CONCURRENTLY",
        )
        for table, names in NEEDED.items()
        for name in names
        if name not in there
    ]
    for name, table, valid, size, expected, entries in rows:
        figures = {"bytes": size, "expected_bytes": expected, "entries": entries}
        rebuild = f'REINDEX INDEX CONCURRENTLY {context.sql.quoted}."{name}"'
        if not valid:
            said = f"on {table} is invalid: a CREATE INDEX CONCURRENTLY has failed, and it is not used"
            found.append(Diagnosis(f"index {name}", Level.WARNING, said, rebuild, figures))
        elif size > max(small, expected * _BLOATED):
            said = f"on {table} takes {size / 1e6:,.0f} MB where about {expected / 1e6:,.0f} MB would do"
            found.append(Diagnosis(f"index {name}", Level.WARNING, said, rebuild, figures))
    found += yield from _tables(context)
    if not found:
        found = [Diagnosis("indexes", Level.OK, f"all {len(rows)} are there, valid and not bloated")]
    return found


def _tables(context: Context) -> Program[list[Diagnosis]]:
    found: list[Diagnosis] = []
    for name, _, _, _, dead, live, age in (yield Query(admin_sql("tables"), (context.sql.schema,))):
        if dead > max(_MANY_DEAD, live):
            said = f"{dead:,} dead rows beside {live:,} live ones: vacuum does not keep up"
            advice = f'VACUUM (ANALYZE) {context.sql.quoted}."{name}", and look for old open transactions'
            found.append(Diagnosis(f"table {name}", Level.WARNING, said, advice, {"dead": dead, "live": live}))
        if age > _OLD_ROWS:
            said = f"its oldest row is {age:,} transactions old; PostgreSQL stops taking writes at 2.1 billion"
            found.append(
                Diagnosis(f"table {name}", Level.CRITICAL, said, f'VACUUM (FREEZE) {context.sql.quoted}."{name}"')
            )
    return found
