"""The epoch is bumped while a leader is cut off that believes in itself still: stores that begin there are not misled."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest

from mink_core import NewEvent
from mink_jetstream import AsyncJetStreamEventStore
from mink_jetstream.jetstream import JetStream
from mink_jetstream.server import Break, Cluster, nats_cluster
from tests.jetstream.marks import LEFT_BY_NATS

if TYPE_CHECKING:
    from mink_core.events import StoreIdentity

STREAM = "MINK_bumped"
ROUNDS = 6
"""Who is cut off may give up before the others have chosen another: then it is tried with the next leader."""


async def connected_to(stack: AsyncExitStack, cluster: Cluster, number: int) -> AsyncJetStreamEventStore:
    """A store that has asked nothing yet, by way of one node; it knows the others."""
    while True:
        store = AsyncJetStreamEventStore(f"{cluster.url}/bumped?timeout=40")
        client = await store._connection.client()
        assert client.connected_url is not None
        if cluster.node_of(client.connected_url.port) == number:
            return await stack.enter_async_context(store)
        await store.close()


@LEFT_BY_NATS
def test_a_store_that_begins_at_a_leader_that_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    info = JetStream.info

    async def noted(self: JetStream, *which: Any, **more: Any) -> Any:
        found = await info(self, *which, **more)
        told.append(found.config.metadata.get("mink.epoch", ""))
        return found

    async def begin(cluster: Cluster) -> bool:
        """Whether both stores were told the old epoch."""
        cluster.wait_healthy()
        leader = cluster.leader_of(STREAM)
        assert leader is not None
        others = [number for number in range(3) if number != leader]
        async with AsyncExitStack() as stack:
            reader, writer = [await connected_to(stack, cluster, leader) for _ in range(2)]
            async with AsyncJetStreamEventStore(f"{cluster.url_of(*others)}/bumped?timeout=60") as other:
                old = await other.identity()
                cluster.isolate(leader, Break.HOLD)
                try:
                    present = await other.bump_epoch()
                    assert present.epoch == old.epoch + 1
                    told.clear()
                    with monkeypatch.context() as now:
                        now.setattr(JetStream, "info", noted)
                        found, appended = await asyncio.gather(reader.identity(), appends(writer))
                finally:
                    cluster.heal()
            if told.count(str(old.epoch)) < 2:
                return False
            assert (found, writer._place.identity) == (present, present)
            assert writer._reading.acknowledged.newest == appended
            return True

    async def appends(store: AsyncJetStreamEventStore) -> int:
        events = [NewEvent("Placed", 1)]
        return (await store.append(f"order-{id(store)}", events, expected_version=0)).last_position

    async def go(cluster: Cluster) -> bool:
        async with AsyncJetStreamEventStore(f"{cluster.url}/bumped") as store:
            await store.initialize()
        for _ in range(ROUNDS):
            if await begin(cluster):
                return True
        return False

    with nats_cluster() as cluster:
        assert asyncio.run(go(cluster))


def test_a_stream_of_one_copy_in_a_cluster_is_not_alone() -> None:
    async def go(url: str) -> tuple[StoreIdentity | None, bool, int]:
        async with AsyncJetStreamEventStore(f"{url}/single?replicas=1") as store:
            await store.initialize()
            await store.append("order-1", [NewEvent("Placed", 1)], expected_version=0)
            return store._place.identity, store._place.is_alone, store._reading.acknowledged.newest

    with nats_cluster() as cluster:
        identity, is_alone, newest = asyncio.run(go(cluster.url))
    assert identity is not None
    assert (is_alone, newest) == (False, 1)
