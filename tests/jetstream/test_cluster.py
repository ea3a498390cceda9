"""The three-node cluster that tests break: its faults are real, nothing outlives it, stores leave a lost node."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mink_core import ConcurrencyError, ExpectedVersion, NewEvent
from mink_jetstream import AsyncJetStreamEventStore
from mink_jetstream.appending import Appending
from mink_jetstream.leading import FRESH_SECONDS, HEALING
from mink_jetstream.server import Break, Cluster, ServerUnavailableError, nats_cluster
from mink_jetstream.servers import Servers
from tests.jetstream.marks import LEFT_BY_NATS
from tests.jetstream.publishing import Publisher, eventually
from tests.processes import gone_within, runs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nats.aio.client import Server

USE = """
import sys
from mink_jetstream.server import nats_cluster
with nats_cluster() as cluster:
    print(*(f"{node.pid}={node.folder}" for node in cluster.nodes), flush=True)
    sys.stdin.readline()
"""


@pytest.fixture(scope="module")
def cluster():
    with nats_cluster() as started:
        yield started


def test_a_leader_that_is_cut_off_acknowledges_nothing(cluster: Cluster) -> None:
    """That the others choose another leader and go on is what the soak waits for."""

    async def go() -> None:
        async with Publisher(cluster, 0) as first:
            await first.make()
            cluster.wait_healthy()
            leader = cluster.leader_of("kept")
            assert leader is not None
        async with Publisher(cluster, leader) as minority:
            await minority.until_said(b"before")
            cluster.isolate(leader, Break.HOLD)
            # It still takes the message, and can tell nobody.
            assert not await minority.says(b"in the minority")
            view = cluster.view_of(leader, "kept")
            assert view is not None
            assert view["leader"] == f"node-{leader}"
            cluster.heal()
            await minority.until_said(b"after")
            cluster.wait_healthy()
            found = [text for text in await minority.stored() if text != b"in the minority"]
            # A try whose answer came too late was made again: only the first of each counts.
            assert list(dict.fromkeys(found)) == [b"before", b"after"]

    asyncio.run(go())


def test_a_node_that_was_killed_catches_up(cluster: Cluster) -> None:
    async def go() -> None:
        async with Publisher(cluster, 0) as publisher:
            await publisher.make()
            leader = cluster.leader_of("kept")
            follower = next(number for number in (1, 2) if number != leader)
            cluster.kill(follower)
            assert cluster.running() == [number for number in range(3) if number != follower]
            assert not cluster.is_healthy()
            await publisher.until_said(b"while one was down")
            with pytest.raises(ServerUnavailableError, match=f"node-{follower}: the server in .* does not answer"):
                cluster.wait_healthy(0.1)
            cluster.restart(follower)
            cluster.wait_healthy()
        async with Publisher(cluster, follower) as publisher:
            assert b"while one was down" in await publisher.stored()

    asyncio.run(go())


def test_no_route_goes_past_the_links(cluster: Cluster) -> None:
    """Nodes tell each other their addresses: what they tell here must lead nowhere."""

    def routes() -> int:
        return len(cluster.nodes[0].monitor("/routez")["routes"])

    cluster.isolate(0, Break.RESET)
    eventually(lambda: not routes())
    seen = []
    for _ in range(10):
        time.sleep(0.1)
        seen.append(routes())
    cluster.heal()
    cluster.wait_healthy()
    assert seen == [0] * 10
    eventually(routes)


def test_clients_can_be_broken_apart_from_routes(cluster: Cluster) -> None:
    async def go() -> None:
        async with Publisher(cluster, 1) as publisher:
            await publisher.make()
            await publisher.until_said(b"reached")
            cluster.break_clients(1, Break.HOLD)
            assert not await publisher.says(b"held up")
            cluster.wait_healthy()  # while no client reaches the node
            cluster.heal()
            await publisher.until_said(b"reached again")

    asyncio.run(go())


def test_nothing_outlives_a_parent_that_was_killed() -> None:
    parent = subprocess.Popen([sys.executable, "-c", USE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    nodes = [entry.split("=") for entry in parent.stdout.readline().split()]
    assert len(nodes) == 3
    assert all(runs(int(pid)) for pid, _ in nodes)
    parent.send_signal(signal.SIGKILL)
    parent.communicate(timeout=60)
    assert all(gone_within(int(pid), 60) for pid, _ in nodes)
    end = time.monotonic() + 60
    while any(Path(folder).exists() for _, folder in nodes) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(Path(folder).exists() for _, folder in nodes)


@LEFT_BY_NATS
def test_a_client_leaves_a_server_that_is_cut_off(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connection is well all the while. Calls, held or not, end well by another server, each stored once."""
    choose, back = Servers.choose, []

    def chosen(self: Servers, servers: Sequence[Server], info: dict[str, Any]) -> tuple[Server, float]:
        if not back:
            return choose(self, servers, info)
        (found,) = [server for server in servers if cluster.node_of(server.uri.port) == back[0]]
        back.clear()
        self._tried[found.uri.netloc] = asyncio.get_running_loop().time()
        return found, 0.0

    monkeypatch.setattr(Servers, "choose", chosen)

    async def go() -> None:
        async with AsyncJetStreamEventStore(f"{cluster.url}/moving?timeout=20") as store:
            await store.initialize()
            await store.append("order-1", [NewEvent("Placed", 0)], expected_version=0)
            client = await store._connection.client()
            here = cluster.node_of(client.connected_url.port)
            cluster.isolate(here, Break.HOLD)
            began = time.monotonic()
            streams = [f"order-{number}" for number in range(1, 25)]
            results = await asyncio.gather(
                *[
                    store.append(stream, [NewEvent("Placed", 1)], expected_version=ExpectedVersion.ANY)
                    for stream in streams
                ]
            )
            took = time.monotonic() - began
            assert cluster.node_of(client.connected_url.port) != here
            page = await store.poll(1, limit=100)
            # Back at the one that is cut off, where none of it is seen.
            back.append(here)
            await client.force_reconnect()
            while back or not client.is_connected:  # noqa: ASYNC110 -- the client tells nobody
                await asyncio.sleep(0.01)
            again = await store.poll(1, limit=100)
            assert cluster.node_of(client.connected_url.port) != here
            assert [event.event_id for event in again.events] == [event.event_id for event in page.events]
            cluster.heal()
            cluster.wait_healthy()
            assert sorted(event.stream_id for event in page.events) == sorted(streams)
            feed = [event async for event in store.read_all(after_position=1)]
            assert [event.event_id for event in feed] == [event.event_id for event in page.events]
            assert {it.stream_id: it.first_position for it in results} == {
                it.stream_id: it.global_position for it in feed
            }
            assert took < 19, took

    asyncio.run(go())


@LEFT_BY_NATS
def test_a_reader_leaves_a_leader_that_is_cut_off(cluster: Cluster) -> None:
    """It answers from its past as if nothing were new."""

    async def go() -> None:
        async with AsyncJetStreamEventStore(f"{cluster.url}/followed") as writer:
            await writer.initialize()
            await writer.append("order-1", [NewEvent("Placed", 0)], expected_version=0)
            cluster.wait_healthy()
            leader = cluster.leader_of("MINK_followed")
            assert leader is not None
            others = [number for number in range(3) if number != leader]
            reader = AsyncJetStreamEventStore(f"{cluster.url}/followed")
            while cluster.node_of((await reader._connection.client()).connected_url.port) != leader:
                await reader.close()
                reader = AsyncJetStreamEventStore(f"{cluster.url}/followed")
            async with reader, AsyncJetStreamEventStore(f"{cluster.url_of(*others)}/followed?timeout=30") as other:
                assert await reader.head_position() == 1
                cluster.isolate(leader, Break.HOLD)
                await other.append("order-1", [NewEvent("Placed", 1)], expected_version=1)
                end = time.monotonic() + 60
                while (await reader.poll(1)).next_position == 1:
                    assert time.monotonic() < end
                    await asyncio.sleep(0.05)
                assert cluster.node_of((await reader._connection.client()).connected_url.port) != leader
                cluster.heal()
                cluster.wait_healthy()

    asyncio.run(go())


@LEFT_BY_NATS
def test_a_mistaken_expectation_is_told_at_once_by_a_store_that_is_in_use(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    pause, pauses = Appending._pause, []

    async def noted(self: Appending, seconds: float, *more: Any) -> None:
        pauses.append(seconds)
        await pause(self, seconds, *more)

    monkeypatch.setattr(Appending, "_pause", noted)

    async def go() -> None:
        async with AsyncJetStreamEventStore(f"{cluster.url}/mistaken") as store:
            await store.initialize()
            await store.append("order-1", [NewEvent("Placed", 0)], expected_version=0)

            async def mistake() -> list[float]:
                pauses.clear()
                with pytest.raises(ConcurrencyError) as told:
                    await store.append("order-1", [NewEvent("Placed", 1)], expected_version=7)
                assert told.value.actual == 1
                return pauses

            newest, sent = store._place.leading.newest
            store._place.leading.newest = newest, sent + 60  # however busy the machine is
            assert HEALING not in await mistake()
            store._place.leading.newest = newest, sent - FRESH_SECONDS
            assert HEALING in await mistake()

    asyncio.run(go())
