"""Spans, metrics and logs of both doors; the trace in metadata; nothing of it where it is not asked for."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import threading
import uuid
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from opentelemetry import trace

from mink_core import (
    ConcurrencyError,
    ExpectedVersion,
    NewEvent,
    OutboxMessage,
    StorageError,
    StreamAppend,
    UsageError,
    open_async_store,
    open_store,
)
from mink_core.telemetry import instrument, observe, trace_metadata
from mink_postgres import PostgresEventStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.adapters.doors import Door


from tests.adapters.recorded import Recorded

ANY = ExpectedVersion.ANY


@pytest.fixture
def recorded() -> Recorded:
    return Recorded()


def names(recorded: Recorded) -> list[str]:
    return [span.name for span in recorded.spans]


def exercise(store: Any) -> None:
    store.append("order-1", [NewEvent("Placed", 1), NewEvent("Paid", 2)], expected_version=0)
    store.append_batch([StreamAppend("a-1", [NewEvent("A", 1)], ANY), StreamAppend("b-1", [NewEvent("B", 1)], ANY)])
    with pytest.raises(ConcurrencyError):
        store.append("order-1", [NewEvent("Placed", 1)], expected_version=0)
    with pytest.raises(UsageError):
        store.append("order-1", [], expected_version=2)
    assert len(list(store.read_stream("order-1"))) == 2
    assert len(store.poll(0).events) == 4
    assert next(store.read_all()).version == 1
    store.update("order-1", lambda events: [NewEvent("Shipped", len(events))])
    with store.transaction() as transaction:
        transaction.append("order-1", [NewEvent("Closed", 1)], expected_version=3)
    assert store.head_position() == 6


async def exercise_async(store: Any) -> None:
    await store.append("order-1", [NewEvent("Placed", 1), NewEvent("Paid", 2)], expected_version=0)
    await store.append_batch(
        [StreamAppend("a-1", [NewEvent("A", 1)], ANY), StreamAppend("b-1", [NewEvent("B", 1)], ANY)]
    )
    with pytest.raises(ConcurrencyError):
        await store.append("order-1", [NewEvent("Placed", 1)], expected_version=0)
    with pytest.raises(UsageError):
        await store.append("order-1", [], expected_version=2)
    assert len([event async for event in store.read_stream("order-1")]) == 2
    assert len((await store.poll(0)).events) == 4
    events = store.read_all()
    async for event in events:
        assert event.version == 1
        break
    await events.aclose()
    await store.update("order-1", lambda events: [NewEvent("Shipped", len(events))])
    async with store.transaction() as transaction:
        await transaction.append("order-1", [NewEvent("Closed", 1)], expected_version=3)
    assert await store.head_position() == 6


CALLS = [
    "mink.append", "mink.append_batch", "mink.append", "mink.append", "mink.read_stream", "mink.poll", "mink.read_all",
    "mink.read_stream", "mink.append", "mink.append", "mink.transaction",
]  # fmt: skip


def test_every_call_is_recorded_at_every_door(door: Door, recorded: Recorded, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "mink.store")
    if door.is_async:

        async def work(store: Any) -> None:
            await exercise_async(recorded.wrap(store))

        door.run(work)
    else:
        door.run(lambda store: exercise(recorded.wrap(store)))
    assert names(recorded) == CALLS
    spans = recorded.spans
    assert spans[0].attributes == {"mink.stream_id": "order-1"}
    assert spans[1].attributes == {"mink.streams": 2}
    # A conflict is an answer; wrong use is an error. The transaction's append is a part of it.
    assert spans[2].attributes["error.type"] == "ConcurrencyError"
    assert spans[2].status.status_code is trace.StatusCode.UNSET
    assert spans[3].status.status_code is trace.StatusCode.ERROR
    assert spans[9].parent.span_id == spans[10].context.span_id
    assert all(span.parent is None for span in spans[:9])
    [appended] = recorded.points("mink.events.appended")
    [read] = recorded.points("mink.events.read")
    [conflicts] = recorded.points("mink.append.conflicts")
    assert (appended.value, read.value, conflicts.value) == (6, 2 + 4 + 1 + 2, 1)
    counts = {tuple(sorted(it.attributes.items())): it.count for it in recorded.points("mink.operation.duration")}
    assert counts[("mink.operation", "append"),] == 3
    assert counts[("error.type", "ConcurrencyError"), ("mink.operation", "append")] == 1
    refused = [it for it in caplog.records if getattr(it, "error", None)]
    assert [(it.levelname, it.operation, it.stream_id, it.error) for it in refused] == [  # type: ignore[attr-defined]
        ("INFO", "append", "order-1", "ConcurrencyError"),
        ("ERROR", "append", "order-1", "UsageError"),
    ]
    assert len(caplog.records) == len(CALLS)


def test_a_delivery_links_to_where_the_event_was_made(recorded: Recorded, postgres_url: str, schema: str) -> None:
    tracer = recorded.tracers.get_tracer("test")
    done = threading.Event()
    with recorded.wrap(PostgresEventStore(postgres_url, schema=schema, min_size=1)) as store:
        store.initialize()
        with tracer.start_as_current_span("request") as request:
            made = NewEvent("Placed", 1, trace_metadata({"user_id": "ann"}))
            store.append("order-1", [made], expected_version=0)
        assert made.metadata is not None
        assert set(made.metadata) == {"user_id", "traceparent"}
        # A retry from another span has the same content, so it is recognized.
        with tracer.start_as_current_span("retry"):
            assert store.append("order-1", [made], expected_version=0).last_version == 1
        store.append("order-1", [NewEvent("Plain", 1, {"traceparent": 7, "x": ["y"]})], expected_version=1)
        handled: list[tuple[str, bool]] = []

        def handle(event: Any) -> None:
            handled.append((event.event_type, trace.get_current_span().is_recording()))
            if len(handled) == 2:
                done.set()

        worker = store.subscription("totals", handle, poll_interval=0.01)
        running = threading.Thread(target=worker.run)
        running.start()
        assert done.wait(60)
        worker.stop()
        running.join(60)
    assert handled == [("Placed", True), ("Plain", True)]
    first, second = [span for span in recorded.spans if span.name == "mink.deliver"]
    assert [link.context.span_id for link in first.links] == [request.get_span_context().span_id]
    assert first.attributes["mink.subscription"] == "totals"
    assert first.kind is trace.SpanKind.CONSUMER
    assert list(second.links) == []
    [lag] = recorded.points("mink.delivery.lag")
    assert (lag.count, lag.attributes) == (2, {"mink.subscription": "totals"})
    assert 0 <= lag.sum < 60


def test_between_the_steps_of_an_iterator_the_caller_s_span_is_current(recorded: Recorded) -> None:
    store = recorded.wrap(open_store(f"memory://{uuid.uuid4().hex}"))
    store.initialize()
    store.append("a-1", [NewEvent("A", 1), NewEvent("A", 2)], expected_version=0)
    with recorded.tracers.get_tracer("test").start_as_current_span("mine") as mine:
        for _ in store.read_stream("a-1"):
            assert trace.get_current_span() is mine
    assert store.close() is None


def test_an_iterator_that_is_left_leaves_nothing_under_way(recorded: Recorded) -> None:
    """The store's own would be closed some time later, with the page that was asked for ahead."""
    ended = False

    class Store:
        async def append(self) -> None: ...

        async def read_all(self) -> AsyncIterator[int]:
            nonlocal ended
            try:
                yield 1
                yield 2
            finally:
                await asyncio.sleep(0)
                ended = True

    async def main() -> None:
        events: Any = recorded.wrap(Store()).read_all()
        assert await anext(events) == 1
        await events.aclose()
        assert ended

    asyncio.run(main())


def test_feed_and_pool_are_watched(recorded: Recorded, postgres_url: str, schema: str) -> None:
    with PostgresEventStore(postgres_url, schema=schema, min_size=2, max_size=3) as store:
        store.initialize()
        observe(store, meter_provider=recorded.meters)

        def value(name: str) -> Any:
            [point] = recorded.points(name)
            return point.value

        assert value("mink.feed.lag") == 0
        assert value("mink.feed.hold_time") == 0.0
        with store.transaction() as transaction:
            transaction.append("a-1", [NewEvent("A", 1)], expected_version=0)
            assert value("mink.feed.lag") == 1
            assert value("mink.feed.hold_time") > 0
            states = {it.attributes["mink.state"]: it.value for it in recorded.points("mink.pool.connections")}
            assert states["used"] >= 1
            assert states.keys() == {"used", "idle", "waiting"}
    # A look at a store that is closed gives no figures, and no error.
    assert recorded.points("mink.feed.lag") == []


def test_a_wrong_argument_is_told_by_the_call(recorded: Recorded) -> None:
    store = recorded.wrap(open_store("memory://"))
    store.initialize()
    with pytest.raises(UsageError):
        store.read_stream("")
    store.close()


def test_the_core_does_not_import_opentelemetry() -> None:
    code = (
        "import sys; import mink_core, mink_postgres, mink_memory, mink_core.health\n"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_append_takes_along_its_messages(recorded: Recorded) -> None:
    store = recorded.wrap(open_store("memory://"))
    store.initialize()
    store.append("a-1", [NewEvent("A", 1)], expected_version=0, outbox=OutboxMessage("mail", 1))
    assert [message.payload for message in store.outbox.list()] == [1]
    store.close()

    async def work() -> None:
        async with recorded.wrap(open_async_store("memory://")) as store:
            await store.initialize()
            await store.append("a-1", [NewEvent("A", 1)], expected_version=0, outbox=OutboxMessage("mail", 1))
            assert [message.payload for message in await store.outbox.list()] == [1]

    asyncio.run(work())


def test_without_an_sdk_only_failures_are_told(
    caplog: pytest.LogCaptureFixture, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And an SDK that the application sets later is noticed."""
    store = instrument(open_store("memory://"))
    store.initialize()
    with caplog.at_level(logging.INFO, "mink.store"):
        store.append("a-1", [NewEvent("A", 1)], expected_version=0)
        assert [event.data for event in store.read_all()] == [1]
        with pytest.raises(ConcurrencyError):
            store.append("a-1", [NewEvent("A", 2)], expected_version=7)
    assert [record.message for record in caplog.records if record.name == "mink.store"] == [
        next(record.message for record in caplog.records if "ConcurrencyError" in record.message)
    ]
    # What the API gives while nothing is set, and what it gives afterwards.
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: recorded.tracers)
    assert store._signals.silent
    store._signals._look_at = 0.0  # a second later
    assert not store._signals.silent
    store.close()


def test_no_event_s_data_is_in_a_span_not_even_by_a_database_that_refused_it(
    postgres_url: str, schema: str, recorded: Recorded
) -> None:
    with PostgresEventStore(postgres_url, schema=schema, min_size=1) as store:
        store.initialize()
        with psycopg.connect(postgres_url, autocommit=True) as owner:
            owner.execute(f"ALTER TABLE \"{schema}\".events ADD CHECK (event_type <> 'Refused')")  # type: ignore[call-overload]
        with pytest.raises(StorageError) as refused:
            recorded.wrap(store).append("a-1", [NewEvent("Refused", {"iban": "DE02 1203"})], expected_version=0)
    assert "DE02 1203" in str(refused.value.__cause__)  # or this proves nothing
    (span,) = recorded.spans
    assert "violates check constraint" in span.events[0].attributes["exception.stacktrace"]
    assert "DE02 1203" not in span.to_json()
