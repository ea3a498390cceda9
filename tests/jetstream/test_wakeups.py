"""A subscription hears of an event at once, and goes on by polling where the consumer that tells it is lost."""

from __future__ import annotations

import asyncio
import json
import threading
import time

import nats

from mink_core import ExpectedVersion, NewEvent
from mink_jetstream import AsyncJetStreamEventStore, JetStreamEventStore

ANY = ExpectedVersion.ANY
LONG = 60.0
SOON = 30.0


def test_a_thread_that_waits_is_woken(store, url, monkeypatch):
    monkeypatch.setattr("mink_core.runtime.pace.SHORTEST_WAIT", LONG)  # what comes sooner was told
    got: list[int] = []
    subscription = store.subscribe(poll_interval=LONG)

    def follow() -> None:
        for batch in subscription:
            got.extend(event.version for event in batch)

    thread = threading.Thread(target=follow)
    thread.start()
    with JetStreamEventStore(url) as other:
        for version in range(1, 3):
            time.sleep(0.5)
            before = time.monotonic()
            other.append("order-1", [NewEvent("Placed", version)], expected_version=ANY)
            while len(got) < version and time.monotonic() < before + SOON:
                time.sleep(0.002)
            assert got[-1:] == [version]
    subscription.close()
    thread.join(SOON)
    assert not thread.is_alive()


def test_a_lost_consumer_is_made_anew(url):
    """The first one is deleted behind the store's back; its silence is noticed, and polling goes on meanwhile."""

    async def run() -> list[int]:
        async with AsyncJetStreamEventStore(url) as store:
            await store.initialize()
            subscription = store.subscribe(poll_interval=0.2)
            versions: list[int] = []
            whole = asyncio.Event()

            async def follow() -> None:
                async for batch in subscription:
                    versions.extend(event.version for event in batch)
                    if len(versions) >= 3:
                        whole.set()

            task = asyncio.create_task(follow())
            client = await nats.connect(url.rpartition("/")[0])
            stream = f"MINK_{store.options.store}"
            names: list[str] = []
            while not names:
                await asyncio.sleep(0.05)
                names = json.loads((await client.request(f"$JS.API.CONSUMER.NAMES.{stream}")).data)["consumers"] or []
            await client.request(f"$JS.API.CONSUMER.DELETE.{stream}.{names[0]}")
            await client.close()
            for _ in range(3):
                await store.append("order-1", [NewEvent("Placed", 1)], expected_version=ANY)
                await asyncio.sleep(0.1)
            async with asyncio.timeout(SOON):
                await whole.wait()
            await subscription.close()
            await task
            return versions

    assert asyncio.run(run()) == [1, 2, 3]
