"""Ways to read the feed: the store's own, and those that are known to lose events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg

if TYPE_CHECKING:
    from mink_postgres import PostgresEventStore

LIMIT = 100

# What a plain position cursor does.
PLAIN = """
SELECT global_position FROM {schema}.events
WHERE global_position > %(after)s ORDER BY global_position LIMIT 100
"""
# go-mink's rule: only rows whose transaction is older than every running one.
AGE_XMIN = """
SELECT global_position FROM {schema}.events
WHERE global_position > %(after)s AND age(xmin) > age(pg_snapshot_xmin(pg_current_snapshot())::xid)
ORDER BY global_position LIMIT 100
"""
# The fence in one statement: its snapshot is older than its look at the locks.
ONE_STATEMENT = """
WITH gate AS MATERIALIZED (SELECT {gate}), look AS MATERIALIZED (SELECT m.mark FROM gate, {schema}.feed_mark() AS m)
SELECT e.global_position FROM look, {schema}.events AS e
WHERE e.global_position > %(after)s AND e.global_position <= look.mark
ORDER BY e.global_position LIMIT 100
"""


class SqlReader:
    """Follows the feed by one SQL statement a poll, and keeps the positions it was given."""

    def __init__(self, url: str, schema: str, statement: str, gate: str = "1") -> None:
        self.connection: psycopg.Connection[Any] = psycopg.connect(url, autocommit=True)
        self.statement = statement.replace("{schema}", f'"{schema}"').replace("{gate}", gate)
        self.seen: list[int] = []

    def poll(self) -> int:
        after = self.seen[-1] if self.seen else 0
        rows = self.connection.execute(self.statement, {"after": after}).fetchall()  # type: ignore[arg-type]
        self.seen.extend(row[0] for row in rows)
        return len(rows)

    def close(self) -> None:
        self.connection.close()


class StoreReader:
    """Follows the feed by the store's own poll."""

    def __init__(self, store: PostgresEventStore) -> None:
        self.store = store
        self.position = 0
        self.seen: list[int] = []

    def poll(self) -> int:
        page = self.store.poll(self.position, limit=LIMIT)
        self.seen.extend(event.global_position for event in page.events)
        self.position = page.next_position
        return len(page.events)

    def close(self) -> None:
        self.store.close()
