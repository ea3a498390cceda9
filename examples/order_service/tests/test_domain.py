"""Decisions need no store at all."""

import pytest

from mink_core import NewEvent
from order_service import domain
from order_service.domain import Order, RefusedError, Status

PLACED = Order(Status.PLACED, "ann", 1200, 1)


def told(events: list[NewEvent]) -> list[tuple[str, object]]:
    return [(event.event_type, event.data) for event in events]


def test_an_order_is_placed_once() -> None:
    assert told(domain.place(Order(), "ann", 1200)) == [("OrderPlaced", {"customer": "ann", "total": 1200})]
    assert domain.place(PLACED, "ann", 1200) == []
    with pytest.raises(RefusedError):
        domain.place(PLACED, "bob", 1200)


def test_what_is_paid_cannot_be_cancelled() -> None:
    assert told(domain.pay(PLACED)) == [("OrderPaid", {"total": 1200})]
    paid = Order(Status.PAID, "ann", 1200, 2)
    assert domain.pay(paid) == []
    with pytest.raises(RefusedError, match="paid cannot be cancelled"):
        domain.cancel(paid)
    with pytest.raises(RefusedError, match="missing cannot be paid"):
        domain.pay(Order())
