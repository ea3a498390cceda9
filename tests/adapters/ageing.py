"""Time that passes for what is stored, and for nobody else.

A test that lets a lease of tenths of a second run out fails where the machine stands still for as long before that.
Here leases are long, and what is stored grows older than them at a moment of the test's own.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
from psycopg import sql

TIMED = (
    ("outbox", "due_at"),
    ("idempotency", "expires_at"),
    ("sagas", "due_at"),
    ("subscription_workers", "expires_at"),
)


def pass_time(store: Any, url: str, seconds: float) -> None:
    """Let leases, delays and times to live in this store be nearer to their ends by so many seconds."""
    if url.startswith("memory:"):
        handle = store._handle
        clock = handle.clock
        handle.clock = lambda: clock() + timedelta(seconds=seconds)
        return
    base, _, query = url.partition("?")
    schema = dict(pair.split("=") for pair in query.split("&"))["schema"]
    with psycopg.connect(base, autocommit=True) as connection:
        for table, column in TIMED:
            statement = sql.SQL("UPDATE {}.{} SET {} = {} - make_interval(secs => %s)").format(
                sql.Identifier(schema), sql.Identifier(table), sql.Identifier(column), sql.Identifier(column)
            )
            connection.execute(statement, [seconds])
