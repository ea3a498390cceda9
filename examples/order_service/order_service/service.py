"""Commands: read the order, decide, append the events and what the world is told of them, all or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mink_core import ConcurrencyError, OutboxMessage
from order_service.domain import Order, replay

if TYPE_CHECKING:
    from collections.abc import Callable

    from mink_core import AsyncStore, NewEvent

TRIES = 5


async def load(store: AsyncStore, order_id: str) -> Order:
    """The order as it stands."""
    return replay([event async for event in store.read_stream(stream_of(order_id))])


async def change(store: AsyncStore, order_id: str, decide: Callable[[Order], list[NewEvent]]) -> int:
    """Let `decide` say what happens to the order, and store it; decide again where somebody was faster.

    Returns:
        The order's version. The read model has it once its checkpoint is there.

    Raises:
        RefusedError: `decide` raised it.
        ConcurrencyError: Somebody was faster each time.
    """
    for last in [False] * (TRIES - 1) + [True]:
        order = await load(store, order_id)
        events = decide(order)
        if not events:
            return order.version
        messages = [
            OutboxMessage("orders", {"order": order_id, "what": event.event_type, **event.data}, ordered=True)
            for event in events
        ]
        try:
            result = await store.append(stream_of(order_id), events, expected_version=order.version, outbox=messages)
        except ConcurrencyError:
            if last:
                raise
        else:
            return result.last_version
    raise AssertionError


def stream_of(order_id: str) -> str:
    """The stream of an order."""
    return f"order-{order_id}"
