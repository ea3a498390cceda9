"""A transaction's block within a transaction of the caller's."""

from __future__ import annotations

from mink_postgres.query import Query

FIRST = Query("SELECT 1")
"""Has psycopg begin the caller's transaction, where no statement has."""
SAVEPOINT = Query("RELEASE SAVEPOINT")
"""In the place of COMMIT: where its reply is lost, nothing is stored, as the caller has not committed."""
