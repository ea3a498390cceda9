"""Payloads as `json` in place of `jsonb`: kept as they were written, and read without being made into text first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mink_core.errors import SchemaError
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


def json_new(context: Context) -> Program[None]:
    """Make the payloads of a store that holds no event `json`. Runs inside the transaction of `initialize`.

    Raises:
        SchemaError: The store holds events.
    """
    if (yield from has_json(context)):
        return
    events = f"{context.sql.quoted}.events"
    yield Query(f"LOCK TABLE {events} IN ACCESS EXCLUSIVE MODE")
    if (yield from has_json(context)):
        return
    if (yield Query(f"SELECT FROM {events} LIMIT 1")):
        msg = (
            f"schema {context.sql.schema!r} holds events as jsonb; nothing was changed: open it without json_type, or move "
            "them into a new store by `mink export` and `mink import`"
        )
        raise SchemaError(msg)
    # With the type goes how large values are compressed. Roles that are there already may call what is new.
    for name in ("json_columns", "json_functions", "compress", "grant_new"):
        yield Query(context.sql.admin(name).replace("{names}", f"{{{_OF_JSON}}}"), is_script=True)
