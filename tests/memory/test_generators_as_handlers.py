"""A call of a generator function runs nothing: it is refused on both doors, and what slips through is not taken for done."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from mink_core import (
    AsyncCallablePublisher,
    AsyncOutboxRelay,
    CallablePublisher,
    ExpectedVersion,
    HandlerFailedError,
    MessageStatus,
    NewEvent,
    OutboxMessage,
    OutboxRelay,
    Projection,
    RetryPolicy,
    TypedPayloads,
    UsageError,
    append_inline,
    append_inline_async,
    handles,
    idempotent,
    switch,
    switch_async,
)
from mink_core.telemetry import instrument
from mink_core.transfer.exporting import export
from mink_memory import AsyncMemoryEventStore, MemoryEventStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

ANY = ExpectedVersion.ANY
STOP = RetryPolicy(retries=0)
REFUSED = "has a yield"


def handle(*_arguments: Any) -> Iterator[None]:
    """Its body never runs."""
    yield


async def handle_async(*_arguments: Any) -> AsyncIterator[None]:
    """As little."""
    yield


class Handler:
    def __call__(self, *_arguments: Any) -> Iterator[None]:
        yield

    def method(self, *_arguments: Any) -> Iterator[None]:
        yield

    async def publish(self, *_arguments: Any) -> AsyncIterator[None]:
        yield

    async def awaited(self, *_arguments: Any) -> None:
        """A coroutine function."""


class Called:
    __call__ = partial(handle, 0)


GENERATOR_FUNCTIONS = pytest.mark.parametrize(
    "handler",
    [
        pytest.param(handle, id="function"),
        pytest.param(handle_async, id="async"),
        pytest.param(partial(handle_async, 1), id="partial"),
        pytest.param(partial(Handler().method, 1), id="partial of a method"),
        pytest.param(Handler(), id="object"),
        pytest.param(partial(Handler()), id="partial of an object"),
        pytest.param(Handler().__call__, id="method"),
        pytest.param(Called(), id="object of a partial"),
    ],
)


def gives_one(*_arguments: Any) -> object:
    return handle()


def gives_an_async_one(*_arguments: Any) -> object:
    return handle_async()


SLIPPING = pytest.mark.parametrize("handler", [gives_one, gives_an_async_one])


def given_to(store: Any, handler: Callable[..., Any]) -> list[Callable[[], Any]]:
    """What both doors have in common."""
    return [
        lambda: store.subscription("s", handler),
        lambda: store.subscription("s", handler, transactional=True),
        lambda: store.subscription("s", print, on_error=handler),
        lambda: instrument(store).subscription("s", handler),
        lambda: idempotent(store, key=str)(handler),
    ]


@GENERATOR_FUNCTIONS
def test_the_threads_stores_refuse_it(handler: Callable[..., Any]) -> None:
    with MemoryEventStore() as store:
        for give in (
            *given_to(store, handler),
            lambda: switch(store, Projection("p"), Projection("p", version=2), handler),
            lambda: export(store, handler),
            lambda: CallablePublisher(handler),
            lambda: Projection("p").on("Made")(handler),
            lambda: TypedPayloads().upcaster("Made", from_version=1)(handler),
        ):
            with pytest.raises(UsageError, match=REFUSED):
                give()


@GENERATOR_FUNCTIONS
def test_the_tasks_stores_refuse_it(handler: Callable[..., Any]) -> None:
    async def main() -> None:
        async with AsyncMemoryEventStore() as store:
            for give in (*given_to(store, handler), lambda: AsyncCallablePublisher(handler)):
                with pytest.raises(UsageError, match=REFUSED):
                    give()
            with pytest.raises(UsageError, match=REFUSED):
                await switch_async(store, Projection("p"), Projection("p", version=2), handler)

    asyncio.run(main())


def test_relays_refuse_such_a_publisher() -> None:
    class Publisher:
        def publish(self, *_arguments: Any) -> Iterator[None]:
            yield

    with MemoryEventStore() as store, pytest.raises(UsageError, match=REFUSED):
        OutboxRelay(store, Publisher())  # type: ignore[arg-type]

    async def main() -> None:
        async with AsyncMemoryEventStore() as store:
            with pytest.raises(UsageError, match=REFUSED):
                AsyncOutboxRelay(store, Handler())  # type: ignore[arg-type]

    asyncio.run(main())


def test_a_projection_s_marked_method_is_refused() -> None:
    class Balances(Projection):
        @handles("Made")
        def made(self, *_arguments: Any) -> Iterator[None]:
            yield

    with pytest.raises(UsageError, match=REFUSED):
        Balances("p")


def test_a_coroutine_function_is_found_within_a_partial_of_a_method() -> None:
    with MemoryEventStore() as store, pytest.raises(UsageError, match="plain function"):
        store.subscription("s", partial(Handler().awaited, 1))


@SLIPPING
@pytest.mark.parametrize("transactional", [False, True])
@pytest.mark.parametrize("instrumented", [False, True])
def test_a_handler_that_returns_a_generator_has_failed(
    handler: Callable[..., Any], transactional: bool, instrumented: bool
) -> None:
    options: dict[str, Any] = {"transactional": transactional, "poll_interval": 0.01, "retry": STOP}
    with MemoryEventStore() as store:
        store.append("a-1", [NewEvent("Made", {})], expected_version=ANY)
        worker = (instrument(store) if instrumented else store).subscription("s", handler, **options)
        worker.start()
        assert worker.wait(60)
        with pytest.raises(HandlerFailedError, match="nothing runs"):
            worker.close()
        kept = store.checkpoints.load("s")
        assert kept is None or kept.position == 0

    async def main() -> None:
        async with AsyncMemoryEventStore() as store:
            await store.append("a-1", [NewEvent("Made", {})], expected_version=ANY)
            worker = (instrument(store) if instrumented else store).subscription("s", handler, **options)
            with pytest.raises(HandlerFailedError, match="nothing runs"):
                await asyncio.wait_for(worker.run(), 60)
            kept = await store.checkpoints.load("s")
            assert kept is None or kept.position == 0

    asyncio.run(main())


@SLIPPING
def test_an_append_whose_projection_returns_a_generator_stores_nothing(handler: Callable[..., Any]) -> None:
    projection = Projection("p")
    projection.on("Made")(handler)
    with MemoryEventStore() as store:
        with pytest.raises(UsageError, match="nothing runs"):
            append_inline(store, [projection], "b-1", [NewEvent("Made", {})], expected_version=ANY)
        assert not list(store.read_stream("b-1"))

    async def main() -> None:
        async with AsyncMemoryEventStore() as store:
            with pytest.raises(UsageError, match="nothing runs"):
                await append_inline_async(store, [projection], "b-1", [NewEvent("Made", {})], expected_version=ANY)
            assert [event async for event in store.read_stream("b-1")] == []

    asyncio.run(main())


@SLIPPING
def test_a_message_whose_publishing_is_a_generator_was_not_published(handler: Callable[..., Any]) -> None:
    with MemoryEventStore() as store:
        store.outbox.add(OutboxMessage("mail", {}))
        OutboxRelay(store, CallablePublisher(handler)).run_once()
        [message] = store.outbox.list()
        assert message.status is not MessageStatus.DONE
        assert "nothing runs" in (message.last_error or "")

    async def main() -> None:
        async with AsyncMemoryEventStore() as store:
            await store.outbox.add(OutboxMessage("mail", {}))
            await AsyncOutboxRelay(store, AsyncCallablePublisher(handler)).run_once()
            [message] = await store.outbox.list()
            assert message.status is not MessageStatus.DONE
            assert "generator" in (message.last_error or "")

    asyncio.run(main())
