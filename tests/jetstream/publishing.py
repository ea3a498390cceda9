"""A publisher that bears with a cluster whose nodes come and go, and never publishes twice."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import nats
import nats.errors
from nats.js.errors import ServiceUnavailableError

from mink_jetstream.server import Cluster

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


async def answered(ask: Callable[[], Awaitable[Any]]) -> Any:
    """What is asked again is no harm; while nobody leads, and on a busy machine, no answer comes in time."""
    end = time.monotonic() + 60
    while True:
        try:
            return await ask()
        except (nats.errors.TimeoutError, nats.errors.NoRespondersError, ServiceUnavailableError):
            assert time.monotonic() < end


def eventually(holds: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


class Publisher:
    """Publishes to one stream by way of one node, and never twice."""

    def __init__(self, cluster: Cluster, number: int) -> None:
        self._url = cluster.url_of(number)

    async def __aenter__(self):
        self._client = await nats.connect(self._url, max_reconnect_attempts=-1, reconnect_time_wait=0.1)
        self._jetstream = self._client.jetstream(timeout=1.0)
        return self

    async def __aexit__(self, *_):
        await self._client.close()

    async def make(self) -> None:
        await answered(lambda: self._jetstream.add_stream(name="kept", subjects=["kept"], num_replicas=3))

    async def says(self, text: bytes) -> bool:
        try:
            await self._jetstream.publish("kept", text)
        except (nats.errors.TimeoutError, nats.errors.NoRespondersError):
            return False
        return True

    async def until_said(self, text: bytes) -> None:
        end = time.monotonic() + 60
        while not await self.says(text):
            assert time.monotonic() < end

    async def stored(self) -> list[bytes]:
        last = (await answered(lambda: self._jetstream.stream_info("kept"))).state.last_seq
        numbers = range(1, last + 1)
        return [(await answered(lambda one=one: self._jetstream.get_msg("kept", one))).data for one in numbers]
