"""A coroutine function given to a sync store is refused, and what slips through that is not taken for done."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import pytest

from mink_core import (
    AsyncCallablePublisher,
    CallablePublisher,
    ExpectedVersion,
    HandlerFailedError,
    MessageStatus,
    NewEvent,
    OutboxMessage,
    OutboxRelay,
    Projection,
    RetryPolicy,
    StoredEvent,
    Subscription,
    SubscriptionFailure,
    SubscriptionWorker,
    UsageError,
    WhenExhausted,
    append_inline,
    switch,
)
from mink_core.telemetry import instrument
from mink_memory import AsyncMemoryEventStore, MemoryEventStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ANY = ExpectedVersion.ANY
STOP = RetryPolicy(retries=0)
PARK = RetryPolicy(retries=0, then=WhenExhausted.PARK)


async def handle(*_arguments: Any) -> None:
    """Never run by a sync store."""
    raise AssertionError


class Handler:
    async def __call__(self, *_arguments: Any) -> None:
        raise AssertionError


class Promise:
    """Awaitable, and no coroutine."""

    def __await__(self) -> Iterator[Any]:
        raise AssertionError


COROUTINE_FUNCTIONS = pytest.mark.parametrize("handler", [handle, partial(handle, 1), Handler(), Handler().__call__])
SLIPPING = pytest.mark.parametrize("handler", [lambda *_: handle(), lambda *_: Promise()])


@pytest.fixture
def store() -> Iterator[MemoryEventStore]:
    with MemoryEventStore() as opened:
        opened.append("a-1", [NewEvent("Made", {}) for _ in range(3)], expected_version=ANY)
        yield opened


@COROUTINE_FUNCTIONS
def test_a_handler_that_is_a_coroutine_function_is_refused(
    store: MemoryEventStore, handler: Callable[..., Any]
) -> None:
    for transactional in (False, True):
        with pytest.raises(UsageError, match="plain function"):
            store.subscription("s", handler, transactional=transactional)  # type: ignore[call-overload]
    with pytest.raises(UsageError, match="plain function"):
        instrument(store).subscription("s", handler)
    projection = Projection("p")
    projection.on("Made")(handler)
    with pytest.raises(UsageError, match="plain function"):
        projection.worker(store)
    with pytest.raises(UsageError, match="plain function"):
        CallablePublisher(handler)


def test_no_store_takes_a_coroutine_function_as_on_error(store: MemoryEventStore) -> None:
    with pytest.raises(UsageError, match="on_error"):
        store.subscription("s", print, on_error=handle)

    async def main() -> None:
        async with AsyncMemoryEventStore() as other:
            with pytest.raises(UsageError, match="on_error"):
                other.subscription("s", handle, on_error=handle)

    asyncio.run(main())


def test_a_relay_refuses_the_publisher_of_the_async_one(store: MemoryEventStore) -> None:
    with pytest.raises(UsageError, match="plain function"):
        OutboxRelay(store, AsyncCallablePublisher(handle))  # type: ignore[arg-type]


def ended(worker: SubscriptionWorker) -> None:
    """Run a worker that ends by itself."""
    worker.start()
    worker.wait(5)
    worker.close()


@SLIPPING
@pytest.mark.parametrize("transactional", [False, True])
def test_a_handler_that_returns_what_is_to_be_awaited_has_failed(
    store: MemoryEventStore, handler: Callable[..., Any], transactional: bool
) -> None:
    options: dict[str, Any] = {"transactional": transactional, "poll_interval": 0.01}
    with pytest.raises(HandlerFailedError, match="nobody awaits"):
        ended(store.subscription("s", handler, retry=STOP, **options))
    kept = store.checkpoints.load("s")
    assert kept is None or kept.position == 0

    told: list[SubscriptionFailure] = []

    def on_error(failure: SubscriptionFailure) -> None:
        told.append(failure)
        if len(told) == 3:
            worker.stop()

    worker = store.subscription("parking", handler, retry=PARK, on_error=on_error, **options)
    ended(worker)
    assert [it.global_position for it in store.parked.list("parking")] == [1, 2, 3]


@SLIPPING
def test_a_projection_s_handler_that_returns_such_fails_its_caller(
    store: MemoryEventStore, handler: Callable[..., Any]
) -> None:
    projection = Projection("p")
    projection.on("Made")(handler)
    with pytest.raises(UsageError, match="nobody awaits"):
        append_inline(store, [projection], "b-1", [NewEvent("Made", {})], expected_version=ANY)
    assert store.stream_info("a-1").version == 3
    assert not list(store.read_stream("b-1"))
    with pytest.raises(UsageError, match="nobody awaits"):
        projection.follow(cast("Subscription", [list(store.read_all())]))


@SLIPPING
def test_a_message_whose_publishing_is_to_be_awaited_was_not_published(
    store: MemoryEventStore, handler: Callable[..., Any]
) -> None:
    store.outbox.add(OutboxMessage("mail", {}))
    relay = OutboxRelay(store, CallablePublisher(handler))
    relay.run_once()
    assert (relay.counts.published, relay.counts.failed) == (0, 1)
    [message] = store.outbox.list()
    assert message.status is not MessageStatus.DONE
    assert "nobody awaits" in (message.last_error or "")


def caught_up(store: MemoryEventStore, version: int) -> Projection:
    projection = Projection("p", version=version)

    @projection.on("Made")
    def made(event: StoredEvent, _tx: Any) -> None:
        if event.version == 3:
            worker.stop()

    worker = projection.worker(store)
    ended(worker)
    return projection


@SLIPPING
def test_a_switch_whose_act_is_to_be_awaited_changes_nothing(
    store: MemoryEventStore, handler: Callable[..., Any]
) -> None:
    old, new = caught_up(store, 1), caught_up(store, 2)
    with pytest.raises(UsageError, match="nobody awaits"):
        switch(store, old, new, handler, seconds=1)
    assert not any(status.paused_at for status in store.subscriptions.list())
