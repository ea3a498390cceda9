"""The whole application, over HTTP and with what runs beside it."""

import asyncio
from collections.abc import AsyncGenerator
from unittest.mock import AsyncMock

import httpx
import pytest
import pytest_asyncio

from mink_core import ClaimedMessage, OutcomeUnknownError, TransientStorageError, open_async_store
from order_service import read_model, service
from order_service.app import create_app

pytestmark = [pytest.mark.asyncio, pytest.mark.mink_store("postgresql+embedded://?fsync=off")]


@pytest.fixture
def published() -> list[ClaimedMessage]:
    return []


@pytest_asyncio.fixture
async def client(mink_store_url: str, published: list[ClaimedMessage]) -> AsyncGenerator[httpx.AsyncClient]:
    async def publish(message: ClaimedMessage) -> None:
        published.append(message)

    app = create_app(mink_store_url, publish)
    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://app") as made:
        yield made


async def soon(condition) -> None:
    async with asyncio.timeout(60):
        while not await condition():
            await asyncio.sleep(0.01)


async def test_an_order_s_life(client: httpx.AsyncClient, published: list[ClaimedMessage]) -> None:
    order = {"customer": "ann", "total": 1200}
    for _ in range(2):  # the reply was lost, the client sends it again
        assert (await client.put("/orders/7", json=order)).json() == {"version": 1}
    assert (await client.post("/orders/7/payment")).json() == {"version": 2}
    refused = await client.delete("/orders/7")
    assert (refused.status_code, refused.json()) == (409, {"detail": "an order that is paid cannot be cancelled"})
    assert (await client.get("/orders/7")).json()["status"] == "paid"

    async def shown() -> bool:
        rows = (await client.get("/customers/ann/orders")).json()
        return rows == [{"order_id": "7", "total": 1200, "status": "paid"}]

    async def told() -> bool:
        return [message.payload["what"] for message in published] == ["OrderPlaced", "OrderPaid"]

    await soon(shown)
    await soon(told)


async def test_what_is_no_order_is_refused(client: httpx.AsyncClient) -> None:
    assert (await client.put("/orders/7", json={"customer": "", "total": 0})).status_code == 422
    assert (await client.get("/orders/7")).json()["status"] == "missing"


async def test_what_the_client_is_told_of_an_error(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    too_long = await client.put(f"/orders/{'7' * 600}", json={"customer": "ann", "total": 1})
    assert (too_long.status_code, "500" in too_long.json()["detail"]) == (400, True)

    for error in (TransientStorageError("away"), OutcomeUnknownError("lost", retry_is_safe=True)):
        monkeypatch.setattr(service, "load", AsyncMock(side_effect=error))
        again = await client.get("/orders/7")
        assert (again.status_code, again.headers["Retry-After"]) == (503, "1")


async def test_processes_may_begin_at_the_same_moment(mink_store_url: str) -> None:
    async def begin() -> None:
        async with open_async_store(mink_store_url, max_size=2, min_size=1) as store:
            await store.initialize()
            await read_model.prepare(store)

    await asyncio.gather(*(begin() for _ in range(8)))
