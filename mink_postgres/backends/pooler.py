"""What a store does without, where each of its transactions may get another session: nothing is kept in one."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

if TYPE_CHECKING:
    from mink_postgres.options import PostgresOptions
    from mink_postgres.query import Query

RECONNECT_SECONDS = 1.0
"""How soon a psycopg pool gives an attempt up, to begin another: its own pauses double up to minutes."""


def psycopg_options(options: PostgresOptions) -> dict[str, Any]:
    """What psycopg's connections are opened with."""
    return {"prepare_threshold": None} if options.transaction_pooler else {}


def asyncpg_options(options: PostgresOptions) -> dict[str, Any]:
    """What asyncpg's connections are opened with."""
    return {"statement_cache_size": 0} if options.transaction_pooler else {}


def patient(query: Query, options: PostgresOptions) -> Query:
    """A query that brings its lock time-out along, if it stores something and no session has one."""
    if not options.transaction_pooler or query.retry_is_safe is None:
        return query
    return replace(query, sql=_patient(query.sql, options.lock_timeout_ms))


@lru_cache(maxsize=256)
def _patient(sql: str, lock_timeout: str) -> str:
    """The first argument is had by way of a setting, for as long as the statement's own transaction.

    A sub-query of its own: it is evaluated once, before anything is locked, and an index still serves what is
    compared with it. Without an argument nothing is changed.
    """
    before, mark, after = sql.partition("$1::")
    if not mark:
        return sql
    end = next((n for n, letter in enumerate(after) if not (letter.isalnum() or letter in "_[]")), len(after))
    kind, after = after[:end], after[end:]
    setting = f"set_config('lock_timeout', '{lock_timeout}', true)"
    return f"{before}(SELECT CASE WHEN {setting} IS NOT NULL THEN $1::{kind} END){after}"


def begin(options: PostgresOptions, commit: Query) -> str:
    """What a transaction says first; nothing where its session has said it, or where it only reads."""
    if not options.transaction_pooler or commit.retry_is_safe is None:
        return ""
    return f"SELECT set_config('lock_timeout', '{options.lock_timeout_ms}', true)"
