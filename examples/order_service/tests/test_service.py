"""Commands and the read model, on whatever store the run names: memory for the one, PostgreSQL for the other."""

import asyncio
from functools import partial

import pytest

from mink_core import AsyncStore, ConcurrencyError, ExpectedVersion, HandlerFailedError, NewEvent, RetryPolicy
from order_service import domain, read_model, service

place = partial(domain.place, customer="ann", total=1200)


@pytest.mark.asyncio
@pytest.mark.mink_store("memory://", "postgresql+embedded://?fsync=off")
async def test_an_event_and_its_message_are_stored_together(mink_async_store: AsyncStore) -> None:
    store = mink_async_store
    assert await service.change(store, "7", place) == 1
    assert await service.change(store, "7", domain.pay) == 2
    assert await service.change(store, "7", domain.pay) == 2  # again: nothing happens
    assert (await service.load(store, "7")).status is domain.Status.PAID
    assert [message.payload["what"] for message in await store.outbox.list()] == ["OrderPlaced", "OrderPaid"]
    with pytest.raises(domain.RefusedError):
        await service.change(store, "7", domain.cancel)


@pytest.mark.asyncio
async def test_who_comes_second_decides_again(mink_async_store: AsyncStore) -> None:
    """Paid and cancelled at the same moment: one of them holds, the other is refused."""
    for number in range(20):
        order = str(number)
        await service.change(mink_async_store, order, place)
        outcomes = await asyncio.gather(
            service.change(mink_async_store, order, domain.pay),
            service.change(mink_async_store, order, domain.cancel),
            return_exceptions=True,
        )
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["RefusedError", "int"]


@pytest.mark.asyncio
async def test_who_is_never_first_is_told(mink_async_store: AsyncStore) -> None:
    tries = []

    def slow(order: domain.Order) -> list[NewEvent]:
        tries.append(order.version)
        return [NewEvent("Noted", {})]

    class Faster:
        """Somebody else appends between the read and the append, each time."""

        def read_stream(self, stream_id):
            return mink_async_store.read_stream(stream_id)

        async def append(self, stream_id, events, **options):
            await mink_async_store.append(stream_id, [NewEvent("Noted", {})], expected_version=ExpectedVersion.ANY)
            return await mink_async_store.append(stream_id, events, **options)

    with pytest.raises(ConcurrencyError):
        await service.change(Faster(), "7", slow)
    assert tries == [0, 1, 2, 3, 4]


@pytest.mark.asyncio
@pytest.mark.mink_store("postgresql+embedded://?fsync=off")
async def test_the_read_model_is_right_exactly_once(mink_async_store: AsyncStore) -> None:
    """Its worker fails twice between an event's effect and the checkpoint: nothing is lost or done twice."""
    store = mink_async_store
    await read_model.prepare(store)
    for number in range(5):
        await service.change(store, str(number), place)
        await service.change(store, str(number), domain.pay)
    handled = 0

    async def failing(event, tx):
        nonlocal handled
        await read_model.orders(event, tx)
        handled += 1
        if handled in {3, 8}:
            raise RuntimeError

    for _ in range(2):
        worker = store.subscription(
            read_model.orders.subscription,
            failing,
            transactional=True,
            where=read_model.orders.where,
            retry=RetryPolicy(retries=0),
        )
        with pytest.raises(HandlerFailedError):
            await worker.run()
    expected = [read_model.Row(str(number), 1200, "paid") for number in range(5)]
    async with read_model.orders.worker_async(store), asyncio.timeout(60):
        while await read_model.of_customer(store, "ann") != expected:
            await asyncio.sleep(0.01)
