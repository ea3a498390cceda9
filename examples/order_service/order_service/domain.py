"""What an order is, and what may happen to it. Pure functions: nothing here knows a store."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from mink_core import NewEvent

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mink_core import StoredEvent

PLACED, PAID, CANCELLED = "OrderPlaced", "OrderPaid", "OrderCancelled"


class Status(Enum):
    """Where an order stands."""

    MISSING = "missing"
    PLACED = "placed"
    PAID = "paid"
    CANCELLED = "cancelled"


class RefusedError(Exception):
    """The order is not in a state that allows it."""


@dataclass(frozen=True)
class Order:
    """An order, as its events tell."""

    status: Status = Status.MISSING
    customer: str = ""
    total: int = 0
    """In cents."""
    version: int = 0


def evolve(order: Order, event: StoredEvent) -> Order:
    """The order after one more event. Types that are not known here change nothing but the version."""
    order = replace(order, version=event.version)
    match event.event_type:
        case "OrderPlaced":
            return replace(order, status=Status.PLACED, customer=event.data["customer"], total=event.data["total"])
        case "OrderPaid":
            return replace(order, status=Status.PAID)
        case "OrderCancelled":
            return replace(order, status=Status.CANCELLED)
        case _:
            return order


def replay(events: Iterable[StoredEvent]) -> Order:
    """The order after all its events."""
    order = Order()
    for event in events:
        order = evolve(order, event)
    return order


def place(order: Order, customer: str, total: int) -> list[NewEvent]:
    """Place the order. One that is placed with the same content is left as it is."""
    if order.status is Status.MISSING:
        return [NewEvent(PLACED, {"customer": customer, "total": total})]
    if (order.customer, order.total) == (customer, total):
        return []
    msg = "an order with this id is there already, with other content"
    raise RefusedError(msg)


def pay(order: Order) -> list[NewEvent]:
    """Pay the order. Paying twice is paying once."""
    if order.status is Status.PAID:
        return []
    _only(order, Status.PLACED, "paid")
    return [NewEvent(PAID, {"total": order.total})]


def cancel(order: Order) -> list[NewEvent]:
    """Cancel the order, as long as it is not paid. Cancelling twice is cancelling once."""
    if order.status is Status.CANCELLED:
        return []
    _only(order, Status.PLACED, "cancelled")
    return [NewEvent(CANCELLED, {})]


def _only(order: Order, status: Status, act: str) -> None:
    if order.status is not status:
        msg = f"an order that is {order.status.value} cannot be {act}"
        raise RefusedError(msg)
