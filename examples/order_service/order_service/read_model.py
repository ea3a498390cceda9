"""The read model: what each customer ordered, a table beside the events, changed once for each event.

`orders.worker_async(store)` runs as a durable subscription: what a handler does on `tx.connection` is
committed with the subscription's checkpoint, so a crash between the two cannot be.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mink_core import EventFilter, Projection

if TYPE_CHECKING:
    from psycopg import AsyncConnection

    from mink_core import AsyncStore, AsyncTransaction, StoredEvent


@dataclass(frozen=True)
class Row:
    """An order, as a customer's list shows it."""

    order_id: str
    total: int
    status: str


orders = Projection("orders", where=EventFilter(categories=("order",)))

_TABLE = """
CREATE TABLE IF NOT EXISTS order_view (
    order_id text PRIMARY KEY, customer text NOT NULL, total bigint NOT NULL, status text NOT NULL
);
CREATE INDEX IF NOT EXISTS order_view_customer ON order_view (customer)
"""


async def prepare(store: AsyncStore) -> None:
    """Create the table, in the schema that the store's connections find first."""
    async with store.transaction() as tx:
        # IF NOT EXISTS alone fails where two processes begin at the same moment.
        await tx.connection.execute("SELECT pg_advisory_xact_lock(hashtext('order_view'))")
        await tx.connection.execute(_TABLE)


@orders.on("OrderPlaced")
async def _placed(event: StoredEvent, tx: AsyncTransaction) -> None:
    await tx.connection.execute(
        "INSERT INTO order_view (order_id, customer, total, status) VALUES (%s, %s, %s, 'placed')",
        (_id(event), event.data["customer"], event.data["total"]),
    )


@orders.on("OrderPaid")
async def _paid(event: StoredEvent, tx: AsyncTransaction) -> None:
    await _set_status(tx.connection, _id(event), "paid")


@orders.on("OrderCancelled")
async def _cancelled(event: StoredEvent, tx: AsyncTransaction) -> None:
    await _set_status(tx.connection, _id(event), "cancelled")


async def _set_status(connection: AsyncConnection[Any], order_id: str, status: str) -> None:
    await connection.execute("UPDATE order_view SET status = %s WHERE order_id = %s", (status, order_id))


def _id(event: StoredEvent) -> str:
    return event.stream_id.partition("-")[2]


async def of_customer(store: AsyncStore, customer: str) -> list[Row]:
    """The orders of a customer, as far as the read model has got."""
    async with store.transaction() as tx:
        cursor = await tx.connection.execute(
            "SELECT order_id, total, status FROM order_view WHERE customer = %s ORDER BY order_id", (customer,)
        )
        return [Row(*row) for row in await cursor.fetchall()]
