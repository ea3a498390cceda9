"""Tells subscriptions at once that there is something new: a push consumer of headers, for all of a store.

It is a hint. Every event is read by `poll`, so that catching up and following live are one loop, with the
reader's own pace; a lost hint costs a poll interval (SUB-02).
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from mink_core.errors import StorageError
from mink_jetstream.answers import RefusedError
from mink_jetstream.requests import Request, UnansweredError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from nats.aio.msg import Msg

    from mink_jetstream.place import Place

_HEARTBEAT = 5.0
"""Seconds after which the server says that it is still there."""
_NANOSECONDS = 1_000_000_000


class Wakeups:
    """One consumer, from the first subscription of a store to its end."""

    def __init__(self, place: Place, nudge: Callable[[], bool]) -> None:
        """Take what wakes the subscriptions; it tells whether there are any."""
        self._place = place
        self._nudge = nudge
        self._task: asyncio.Task[None] | None = None
        self._heard = asyncio.Event()

    def ensure(self) -> None:
        """Begin, unless it has begun. On the store's loop."""
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run(), name="mink-jetstream-wakeups")

    async def close(self) -> None:
        """End."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])  # not `await task`: its being cancelled is not its caller's
            if not task.cancelled():
                task.result()

    async def _run(self) -> None:
        while self._nudge():
            with suppress(StorageError, RefusedError, UnansweredError, UnreachableError, TimeoutError):
                await self._follow()
            await asyncio.sleep(_HEARTBEAT / 10)

    async def _follow(self) -> None:
        """One consumer, until it is silent or the connection is another one."""
        jetstream = self._place.jetstream
        connection = jetstream.connection
        client = await connection.client()
        reconnects, inbox = connection.reconnects, client.new_inbox()
        following = await client.subscribe(inbox, cb=self._hear)
        name = inbox.rpartition(".")[2]
        config = {
            "name": name,
            "deliver_subject": inbox,
            "deliver_policy": "new",
            "ack_policy": "none",
            "headers_only": True,
            "mem_storage": True,
            "num_replicas": 1,
            "flow_control": True,
            "idle_heartbeat": int(_HEARTBEAT * _NANOSECONDS),
            "inactive_threshold": int(4 * _HEARTBEAT * _NANOSECONDS),
        }
        loop = asyncio.get_running_loop()
        connection.reconnected.add(self._heard)
        try:
            payload = msgspec.json.encode({"stream_name": self._place.stream, "config": config})
            await jetstream.requester.request(
                Request(f"$JS.API.CONSUMER.CREATE.{self._place.stream}.{name}", payload), loop.time() + _HEARTBEAT
            )
            self._nudge()  # what came before the consumer was made
            while connection.reconnects == reconnects:
                async with asyncio.timeout(3 * _HEARTBEAT):
                    await self._heard.wait()
                self._heard.clear()
        finally:
            connection.reconnected.discard(self._heard)
            if not client.is_closed:
                await following.unsubscribe()

    async def _hear(self, msg: Msg) -> None:
        self._heard.set()
        if msg.headers is not None and "Status" in msg.headers:
            if msg.reply:  # flow control: go on
                await msg.respond(b"")
            return
        self._nudge()
