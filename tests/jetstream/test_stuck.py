"""A server that takes nothing any more: what waits for it ends in time, and so does the store."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from mink_core import MinkError, NewEvent, OutcomeUnknownError, TransientStorageError
from mink_jetstream import AsyncJetStreamEventStore, JetStreamEventStore
from mink_jetstream.server import Break, EmbeddedServer, Links

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mink_jetstream.server import Link


@pytest.fixture
def held() -> Iterator[tuple[str, Links, Link]]:
    """A server behind a link that can be held up."""
    with EmbeddedServer.start() as server, Links() as links:
        link = links.add(server.ports["nats"])
        yield f"nats://{server.credentials}@127.0.0.1:{link.port}/shop?timeout=1", links, link


def test_an_append_ends_in_time_and_the_store_is_closed(held: tuple[str, Links, Link]) -> None:
    url, links, link = held
    store = JetStreamEventStore(url)
    store.initialize()
    links.break_(link, Break.HOLD)
    big = [NewEvent("Placed", "x" * 20_000) for _ in range(1000)]
    began = time.monotonic()
    with pytest.raises(OutcomeUnknownError):
        store.append("order-1", big, expected_version=0)
    assert time.monotonic() - began < 20
    began = time.monotonic()
    store.close()
    assert time.monotonic() - began < 20


def test_a_store_that_was_closed_leaves_no_task(held: tuple[str, Links, Link]) -> None:
    url, links, link = held

    async def run() -> set[asyncio.Task[object]]:
        store = AsyncJetStreamEventStore(url)
        await store.initialize()
        links.break_(link, Break.HOLD)
        big = [NewEvent("Placed", "x" * 20_000) for _ in range(1000)]
        with pytest.raises(OutcomeUnknownError):
            await store.append("order-1", big, expected_version=0)
        await store.close()
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert asyncio.run(run()) == set()


def test_callers_wait_for_one_connection_together(held: tuple[str, Links, Link]) -> None:
    url, links, link = held
    links.break_(link, Break.HOLD)

    async def run() -> list[MinkError]:
        store = AsyncJetStreamEventStore(url)
        try:
            return await asyncio.gather(*[store.head_position() for _ in range(20)], return_exceptions=True)
        finally:
            await store.close()

    began = time.monotonic()
    told = asyncio.run(run())
    assert time.monotonic() - began < 20
    assert {type(error) for error in told} == {TransientStorageError}
