"""The ways to read the feed above position 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mink_core import Direction, EventFilter

if TYPE_CHECKING:
    from collections.abc import Callable

    from mink_core.events import StoredEvent
    from mink_jetstream import JetStreamEventStore


def first_batch(store: JetStreamEventStore) -> list[StoredEvent]:
    with store.subscribe(after_position=1) as subscription:
        return list(next(iter(subscription)))


READS: dict[str, Callable[[JetStreamEventStore], list[StoredEvent]]] = {
    "poll": lambda store: store.poll(1).events,
    "poll with a filter": lambda store: store.poll(1, where=EventFilter(categories=("order",))).events,
    "read_all": lambda store: list(store.read_all(after_position=1)),
    "read_all backwards": lambda store: list(store.read_all(after_position=1, direction=Direction.BACKWARD))[::-1],
    "subscribe": first_batch,
}
