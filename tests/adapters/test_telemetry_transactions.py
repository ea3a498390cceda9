"""What is recorded of transactions: of one's own, of a handler's, and of a connection's that is the caller's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from mink_core import EventFilter, ExpectedVersion, NewEvent
from mink_postgres import PostgresEventStore

if TYPE_CHECKING:
    from tests.adapters.doors import Door


from tests.adapters.recorded import Recorded

ANY = ExpectedVersion.ANY
ORDERS = EventFilter(categories=("order",))
NOTES = EventFilter(categories=("note",))


def appended(recorded: Recorded) -> int:
    return sum(point.value for point in recorded.points("mink.events.appended"))


def test_only_what_was_committed_counts_as_appended(door: Door) -> None:
    recorded = Recorded()

    async def work_async(inner: Any) -> None:
        store = recorded.wrap(inner)
        with pytest.raises(ZeroDivisionError):
            async with store.transaction() as transaction:
                await transaction.append("order-1", [NewEvent("Placed", 1)], expected_version=0)
                raise ZeroDivisionError
        async with store.transaction() as transaction:
            await transaction.append("order-1", [NewEvent("Placed", 1), NewEvent("Paid", 1)], expected_version=0)
            assert appended(recorded) == 0

    def work(inner: Any) -> None:
        store = recorded.wrap(inner)
        with pytest.raises(ZeroDivisionError), store.transaction() as transaction:
            transaction.append("order-1", [NewEvent("Placed", 1)], expected_version=0)
            raise ZeroDivisionError
        with store.transaction() as transaction:
            transaction.append("order-1", [NewEvent("Placed", 1), NewEvent("Paid", 1)], expected_version=0)
            assert appended(recorded) == 0

    door.run(work_async if door.is_async else work)
    assert appended(recorded) == 2


def test_what_a_transactional_handler_calls_is_a_part_of_its_delivery(door: Door) -> None:
    recorded = Recorded()
    placed = [NewEvent("Placed", 1)]

    async def work_async(inner: Any) -> None:
        store = recorded.wrap(inner)

        async def note(event: Any, tx: Any) -> None:
            await tx.append("note-1", [NewEvent("Noted", event.version)], expected_version=ANY)

        await inner.append("order-1", placed, expected_version=0)
        worker = store.subscription("notes", note, transactional=True, where=ORDERS, poll_interval=0.01)
        async with worker, inner.subscribe(where=NOTES) as subscription:
            await anext(subscription)

    def work(inner: Any) -> None:
        store = recorded.wrap(inner)

        def note(event: Any, tx: Any) -> None:
            tx.append("note-1", [NewEvent("Noted", event.version)], expected_version=ANY)

        inner.append("order-1", placed, expected_version=0)
        worker = store.subscription("notes", note, transactional=True, where=ORDERS, poll_interval=0.01)
        with worker, inner.subscribe(where=NOTES) as subscription:
            next(subscription)

    door.run(work_async if door.is_async else work)
    made, delivered = recorded.spans
    assert (made.name, delivered.name) == ("mink.append", "mink.deliver")
    assert made.parent.span_id == delivered.context.span_id
    assert appended(recorded) == 0  # not seen from there, and never counted twice


def test_calls_on_the_caller_s_connection_are_recorded(postgres_url: str, schema: str) -> None:
    recorded = Recorded()
    with PostgresEventStore(postgres_url, schema=schema, min_size=1) as store, psycopg.connect(postgres_url) as own:
        store.initialize()
        recorded.wrap(store).bind(own).append("order-1", [NewEvent("Placed", 1)], expected_version=0)
        own.rollback()
    assert [span.name for span in recorded.spans] == ["mink.append"]
    assert appended(recorded) == 0
