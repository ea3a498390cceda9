"""Closing a store that is interrupted: it is cancelled, and leaves nothing open."""

from __future__ import annotations

import asyncio
import os
import signal
import threading

import pytest

from mink_core import NewEvent, StoreClosedError, TransientStorageError
from mink_jetstream import AsyncJetStreamEventStore, JetStreamEventStore
from mink_jetstream.server import EmbeddedServer
from tests.processes import gone_within


@pytest.mark.parametrize("turns", range(1, 9))
def test_a_close_that_is_cancelled_closes_all_and_is_cancelled(store, url, turns):
    async def run() -> None:
        here = asyncio.current_task()
        other = AsyncJetStreamEventStore(url)
        following = other.subscribe()
        await other.append("order-1", [NewEvent("Placed", turns)], expected_version=0)
        await anext(following)
        client = await other._connection.client()
        while len(client._subs) < 2:  # noqa: ASYNC110 -- until the wake-ups have begun
            await asyncio.sleep(0.01)
        closing = asyncio.create_task(other.close())
        for _ in range(turns):
            await asyncio.sleep(0)
        was_done = closing.done()
        closing.cancel()
        await asyncio.wait([closing], timeout=30)
        assert was_done or closing.cancelled()
        async with asyncio.timeout(30):
            while left := asyncio.all_tasks() - {here}:
                await asyncio.wait(left, timeout=0.05)
        assert client.is_closed
        assert client._transport._io_writer.is_closing()

    asyncio.run(run())


def test_an_embedded_server_that_starts_while_its_store_is_closed_is_stopped(monkeypatch):
    start, began, may_go_on, pids = EmbeddedServer.start, threading.Event(), threading.Event(), []

    def slow(folder):
        began.set()
        assert may_go_on.wait(60)
        server = start(folder)
        pids.append(server.pid)
        return server

    async def run() -> None:
        store = AsyncJetStreamEventStore("nats+embedded://")
        opening = asyncio.create_task(store.ping())
        await asyncio.to_thread(began.wait, 60)
        closing = asyncio.create_task(store.close())
        await asyncio.sleep(0.05)
        may_go_on.set()
        await asyncio.wait([opening, closing], timeout=60)
        assert isinstance(opening.exception(), StoreClosedError)
        await closing

    monkeypatch.setattr(EmbeddedServer, "start", slow)
    asyncio.run(run())  # and the thread has ended
    assert gone_within(pids[0], 60)


def portals() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "mink-jetstream"}


def test_a_close_that_is_interrupted_ends_the_store_s_thread(url, monkeypatch):
    """By Ctrl-C, while the servers say farewell."""
    before, closing = portals(), AsyncJetStreamEventStore.close

    async def interrupted(inner):
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(0.3)
        await closing(inner)

    monkeypatch.setattr(AsyncJetStreamEventStore, "close", interrupted)
    store = JetStreamEventStore(url)
    store.initialize()
    (thread,) = portals() - before
    client = store._portal.run(store._inner._connection.client())
    before_signal = signal.signal(signal.SIGINT, signal.default_int_handler)  # a run in the background ignores it
    try:
        with pytest.raises(KeyboardInterrupt):
            store.close()
    finally:
        signal.signal(signal.SIGINT, before_signal)
    thread.join(30)
    assert not thread.is_alive()
    assert client.is_closed
    assert store._portal._loop.is_closed()


def test_a_store_that_cannot_be_opened_leaves_no_thread_and_may_be_entered_again(url, monkeypatch):
    before, opening = portals(), AsyncJetStreamEventStore.open

    async def failing(inner):
        raise TransientStorageError("no server")

    store = JetStreamEventStore(url)
    monkeypatch.setattr(AsyncJetStreamEventStore, "open", failing)
    for _ in range(2):
        with pytest.raises(TransientStorageError), store:
            pass
        assert portals() <= before
    monkeypatch.setattr(AsyncJetStreamEventStore, "open", opening)
    with store:
        store.initialize()
        monkeypatch.setattr(AsyncJetStreamEventStore, "open", failing)
        with pytest.raises(TransientStorageError), store:
            pass
        assert store.head_position() == 0  # it is in use
    with pytest.raises(StoreClosedError), store:
        pass
    with pytest.raises(StoreClosedError):
        store.head_position()


@pytest.mark.parametrize("turns", range(1, 30, 4))
def test_a_store_whose_opening_is_cancelled_leaves_no_connection(url, turns):
    async def enter() -> None:
        async with AsyncJetStreamEventStore(url):
            pass

    async def run() -> set[asyncio.Task[object]]:
        entering = asyncio.create_task(enter())
        for _ in range(turns):
            await asyncio.sleep(0)
        entering.cancel()
        await asyncio.wait([entering])
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert asyncio.run(run()) == set()
