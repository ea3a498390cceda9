"""The HTTP API. What runs beside it, the projection and the relay, begins and ends with the application."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from mink_core import (
    AsyncCallablePublisher,
    AsyncOutboxRelay,
    AsyncStore,
    ClaimedMessage,
    ConcurrencyError,
    OutcomeUnknownError,
    TransientStorageError,
    UsageError,
    open_async_store,
)
from order_service import domain, read_model, service

log = logging.getLogger(__name__)
routes = APIRouter()


class NewOrder(BaseModel):
    """What a customer sends to place an order."""

    customer: str = Field(min_length=1, max_length=100)
    total: int = Field(gt=0, description="in cents")


class Changed(BaseModel):
    """What became of a command."""

    version: int = Field(description="the order's version; a reader of GET /orders/{id} sees it at once")


def _store(request: Request) -> AsyncStore:
    store: AsyncStore = request.app.state.store
    return store


OpenStore = Annotated[AsyncStore, Depends(_store)]


@routes.put("/orders/{order_id}")
async def place(order_id: str, order: NewOrder, store: OpenStore) -> Changed:
    """Place an order. The client chooses the id, so a request that got no answer can be sent again."""
    decide = partial(domain.place, customer=order.customer, total=order.total)
    return Changed(version=await service.change(store, order_id, decide))


@routes.post("/orders/{order_id}/payment")
async def pay(order_id: str, store: OpenStore) -> Changed:
    """Pay an order."""
    return Changed(version=await service.change(store, order_id, domain.pay))


@routes.delete("/orders/{order_id}")
async def cancel(order_id: str, store: OpenStore) -> Changed:
    """Cancel an order."""
    return Changed(version=await service.change(store, order_id, domain.cancel))


@routes.get("/orders/{order_id}")
async def show(order_id: str, store: OpenStore) -> domain.Order:
    """An order, from its events: never behind."""
    return await service.load(store, order_id)


@routes.get("/customers/{customer}/orders")
async def of_customer(customer: str, store: OpenStore) -> list[read_model.Row]:
    """A customer's orders, from the read model: milliseconds behind."""
    return await read_model.of_customer(store, customer)


async def to_log(message: ClaimedMessage) -> None:
    """Stands for a broker's client."""
    log.warning("published %s %s", message.message_id, message.payload)


def create_app(store_url: str, publish: Callable[[ClaimedMessage], Awaitable[object]] = to_log) -> FastAPI:
    """The application on a store.

    Args:
        store_url: The store's URL.
        publish: Tells the world one message. After a crash it may get one again, with the same `message_id`.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with open_async_store(store_url) as store:
            await store.initialize()
            await read_model.prepare(store)
            app.state.store = store
            relay = AsyncOutboxRelay(store, AsyncCallablePublisher(publish))
            async with read_model.orders.worker_async(store), asyncio.TaskGroup() as tasks:
                tasks.create_task(relay.run())
                yield
                relay.stop()

    app = FastAPI(title="Orders on Mink", lifespan=lifespan)
    app.include_router(routes)
    app.add_exception_handler(domain.RefusedError, _conflict)
    app.add_exception_handler(ConcurrencyError, _conflict)
    app.add_exception_handler(UsageError, _wrong)
    app.add_exception_handler(TransientStorageError, _again)
    app.add_exception_handler(OutcomeUnknownError, _again)
    return app


async def _conflict(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, status_code=409)


async def _wrong(_: Request, error: Exception) -> JSONResponse:
    # Such as an id that is too long: the client chose it.
    return JSONResponse({"detail": str(error)}, status_code=400)


async def _again(_: Request, error: Exception) -> JSONResponse:
    # Every command here may be repeated: it decides by what is stored.
    log.warning("%s", error)
    detail = "the storage cannot be reached at the moment: send the request again"
    return JSONResponse({"detail": detail}, status_code=503, headers={"Retry-After": "1"})
