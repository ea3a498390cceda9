"""Payloads as `json` in place of `jsonb`: kept as they were written, and read without being made into text first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mink_postgres.query import Program, Query

if TYPE_CHECKING:
    from mink_postgres.context import Context

_OF_JSON = "append_group,append_group_with_outbox,append_one,append_one_with_outbox"
"""The functions that are there twice, for jsonb and for json."""


def has_json(context: Context) -> Program[bool]:
    """Whether the store's payloads are `json`."""
    rows = yield Query(
        "SELECT a.atttypid = 'json'::regtype FROM pg_attribute AS a "
        "WHERE a.attrelid = to_regclass($1::text) AND a.attname = 'data'",
        (f"{context.sql.quoted}.events",),
    )
    return bool(rows and rows[0][0])


def see_json(context: Context) -> Program[None]:
    """See of which type the store's payloads are, so that its statements fit.

    Not inside a transaction that may change it: were it rolled back, the statements would fit nothing.
    """
    context.sql.payloads_are("json" if (yield from has_json(context)) else "jsonb")


def fit_new(context: Context) -> Program[None]:
    """Make what appends to json columns, where somebody has changed the columns and not that."""
    if not (yield Query(context.sql.schema_state))[0][4]:
        yield from fit_functions(context, "json")


def fit_functions(context: Context, json_type: str) -> Program[None]:
    """Make the functions fit columns that have become another type."""
    for statement in _functions(context) if json_type == "json" else [context.sql.admin("jsonb_functions")]:
        yield Query(statement, is_script=True)


def json_new(context: Context) -> Program[None]:
    """Make the payloads of a store that holds no event `json`. Runs inside the transaction of `initialize`.

    Raises:
        SchemaError: The store holds events.
    """
    if (yield from has_json(context)):
        return
    # Before it asks for the lock, behind which everybody would wait for who reads the table, as a dump does for hours.
    yield Query(context.sql.admin("json_empty"), is_script=True)
    lock, *statements = json_statements(context)
    yield Query(lock)
    if (yield from has_json(context)):
        return
    for statement in statements:
        yield Query(statement, is_script=True)


def json_statements(context: Context) -> list[str]:
    """What makes the payloads of a store `json` that has them as `jsonb`, and refuses one that holds events."""
    lock = f"LOCK TABLE {context.sql.quoted}.events IN ACCESS EXCLUSIVE MODE"
    return [lock, context.sql.admin("json_empty"), context.sql.admin("json_columns"), *_functions(context)]


def _functions(context: Context) -> list[str]:
    # Roles that are there already may call what is new.
    return [context.sql.admin("json_functions"), context.sql.admin("grant_new").replace("{names}", f"{{{_OF_JSON}}}")]
