"""PostgreSQL behind the contract of `mink_core`: psycopg sync and async, and asyncpg."""

from mink_postgres.async_store import AsyncPostgresEventStore
from mink_postgres.options import PostgresOptions
from mink_postgres.store import PostgresEventStore
from mink_postgres.transaction import AsyncPostgresTransaction, PostgresTransaction

__all__ = [
    "AsyncPostgresEventStore",
    "AsyncPostgresTransaction",
    "PostgresEventStore",
    "PostgresOptions",
    "PostgresTransaction",
]
