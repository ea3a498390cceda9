"""How much a store holds, from the catalog: nothing is counted that takes long."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mink_core.administration import RelationSize, StoreStatistics
from mink_postgres.programs import feed
from mink_postgres.programs.schema import check_current
from mink_postgres.query import Program, Query
from mink_postgres.statements import admin_sql

if TYPE_CHECKING:
    from mink_postgres.context import Context


def statistics(context: Context) -> Program[StoreStatistics]:
    """Sizes and rates.

    Raises:
        SchemaError: The schema is not up to date.
    """
    yield from check_current(context)
    status = yield from feed.feed_status(context)
    tables = yield Query(admin_sql("tables"), (context.sql.schema,))
    indexes = yield Query(admin_sql("indexes"), (context.sql.schema,))
    minute, hour = (yield Query(context.sql.admin("recent_events")))[0]
    rows = {name: max(estimate, live) for name, estimate, _, _, _, live, _ in tables}
    return StoreStatistics(
        status.head,
        status.high,
        rows["events"],
        rows["streams"],
        minute,
        hour,
        tuple(RelationSize(name, rows[name], size) for name, _, size, _, _, _, _ in tables),
        tuple(RelationSize(name, entries, size) for name, _, _, size, _, entries in indexes),
        sum(total for _, _, _, total, _, _, _ in tables),
    )
