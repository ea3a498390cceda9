"""Payloads as `json` in place of `jsonb`: kept as they were written, and read without being made into text first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mink_core.errors import SchemaError
from mink_postgres.query import Program, Query

if TYPE_CHECKING:
    from mink_postgres.context import Context

_OF_JSON = "append_group,append_group_with_outbox,append_one,append_one_with_outbox"
"""The functions that take payloads, and so are there for json beside those for jsonb."""


def see_json(context: Context) -> Program[str]:
    """Of which type the store's payloads are, so that its statements fit: `json`, or else `jsonb`."""
    rows = yield Query(
        "SELECT a.atttypid = 'json'::regtype FROM pg_attribute AS a "
        "WHERE a.attrelid = to_regclass($1::text) AND a.attname = 'data'",
        (f"{context.sql.quoted}.events",),
    )
    context.sql.payloads_are("json" if rows and rows[0][0] else "jsonb")
    return context.sql.json_type


def json_new(context: Context) -> Program[None]:
    """Make the payloads of a store that holds no event `json`. Runs inside the transaction of `initialize`.

    Raises:
        SchemaError: The store holds events.
    """
    if (yield from see_json(context)) == "json":
        return
    events = f"{context.sql.quoted}.events"
    yield Query(f"LOCK TABLE {events} IN ACCESS EXCLUSIVE MODE")
    if (yield from see_json(context)) == "json":
        return
    if (yield Query(f"SELECT FROM {events} LIMIT 1")):
        msg = (
            f"schema {context.sql.schema!r} holds events as jsonb; nothing was changed: open it without json_type, or change "
            "them with `mink payloads json`"
        )
        raise SchemaError(msg)
    # With the type goes how large values are compressed.
    for name in ("json_columns", "compress"):
        yield Query(context.sql.admin(name), is_script=True)
    yield from fit_functions(context, "json")


def fit_functions(context: Context, json_type: str) -> Program[None]:
    """Make the functions and this store's statements fit columns that have become another type."""
    yield Query(context.sql.admin(f"{json_type}_functions"), is_script=True)
    if json_type == "json":
        yield Query(context.sql.admin("grant_new").replace("{names}", f"{{{_OF_JSON}}}"), is_script=True)
    context.sql.payloads_are(json_type)
