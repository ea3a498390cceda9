"""A server that answers nothing any more: a call asks it nothing for longer than its own time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from mink_core import NewEvent, TransientStorageError
from mink_jetstream import AsyncJetStreamEventStore
from mink_jetstream.requester import Requester
from mink_jetstream.server import Break, EmbeddedServer, Links

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from mink_core.events import StoredEvent

TIMEOUT = 3.0
"""Longer than a page is waited for at first, so that who leads is asked for in between."""


def feed(store: AsyncJetStreamEventStore) -> AsyncIterator[StoredEvent]:
    return store.read_all()


def stream(store: AsyncJetStreamEventStore) -> AsyncIterator[StoredEvent]:
    return store.read_stream("order-1")


@pytest.mark.parametrize("read", [feed, stream])
def test_a_page_gives_up_with_its_call(
    read: Callable[[AsyncJetStreamEventStore], AsyncIterator[StoredEvent]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mink_jetstream.feed.PAGE", 1)
    asked: list[tuple[float, float]] = []
    request, gather = Requester.request, Requester.gather

    def note(deadline: float) -> None:
        asked.append((asyncio.get_running_loop().time(), deadline))

    async def requests(self: Requester, of: Any, deadline: float) -> Any:
        note(deadline)
        return await request(self, of, deadline)

    async def gathers(self: Requester, of: Any, deadline: float) -> Any:
        note(deadline)
        return await gather(self, of, deadline)

    monkeypatch.setattr(Requester, "request", requests)
    monkeypatch.setattr(Requester, "gather", gathers)

    async def go(url: str, break_: Callable[[], None]) -> None:
        async with AsyncJetStreamEventStore(url, timeout=TIMEOUT) as store:
            await store.initialize()
            await store.append("order-1", [NewEvent("Placed", n) for n in range(3)], expected_version=0)
            events = read(store)
            await anext(events)
            break_()
            asked.clear()
            with pytest.raises(TransientStorageError):
                await anext(events)

    with EmbeddedServer.start() as server, Links() as links:
        link = links.add(server.ports["nats"])
        url = f"nats://{server.credentials}@127.0.0.1:{link.port}/shop"
        asyncio.run(go(url, lambda: links.break_(link, Break.HOLD)))
    assert len(asked) > 1
    assert max(deadline for _, deadline in asked) <= asked[0][0] + TIMEOUT
