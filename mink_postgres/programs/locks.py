"""What is done to a store's schema by one process at a time, until its transaction ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mink_postgres.context import Context


def schema_lock(context: Context) -> str:
    """The statement that makes migrations, and all that makes the store's functions, wait for one another."""
    return _lock(context, "schema")


def moving_lock(context: Context) -> str:
    """The statement that makes those wait for one another who copy the events. Taken before `schema_lock`."""
    # As releases before have called it, which may be at work beside.
    return _lock(context, "partitions")


def _lock(context: Context, what: str) -> str:
    # The schema's name is letters, digits and _: nothing to quote.
    return f"SELECT pg_advisory_xact_lock(hashtextextended('mink {what} {context.sql.schema}', 0))"
