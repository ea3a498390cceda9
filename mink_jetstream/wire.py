"""The connection: requests with one reply or many, and what it means when none comes.

`nats-py` keeps the connection, and makes it anew when it breaks. Its own `request` waits the whole time
out after a disconnect; ours fails at once, and tells a request that nobody took (`UnreachableError`,
nothing happened) from one whose reply is lost (`UnansweredError`, anything may have happened).
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from nats.errors import Error as NatsError

from mink_core.errors import StorageError, StoreClosedError
from mink_core.runtime.starting import started
from mink_jetstream.connecting import abort, check_version, connect, leave, said
from mink_jetstream.options import options_of
from mink_jetstream.requests import Gathered, Gathering, Request, UnansweredError, UnreachableError, status_of
from mink_jetstream.servers import DOUBT, Servers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nats.aio.client import Client
    from nats.aio.msg import Msg

    from mink_jetstream.options import Options
    from mink_jetstream.server import EmbeddedServer

_LOG = logging.getLogger("mink.jetstream")
_AGAIN = 0.5
"""Seconds without a reply after which a read is asked again."""
_PAYLOAD = 1024 * 1024
_NO_RESPONDERS = "503"


class Wire:
    """A connection of one event loop, opened at its first use."""

    def __init__(self, options: Options) -> None:
        """Connect to nothing yet."""
        self._options = options
        self._client: Client | None = None
        self._server: EmbeddedServer | None = None
        self._opening: asyncio.Task[Client] | None = None
        self._connected = asyncio.Event()
        self._opened = False
        self._closed = False
        self._inbox = ""
        self._tokens = count()
        self._servers = Servers()
        self._waiting: dict[str, asyncio.Future[Any] | Gathering] = {}
        self.reconnected: set[asyncio.Event] = set()
        """Set when the connection was made anew."""
        self.reconnects = 0
        """How often the connection was made anew: whatever was remembered may be another history's."""

    # Opening and closing

    async def client(self) -> Client:
        """The connected client.

        Raises:
            StoreClosedError: The store is closed.
            TransientStorageError: No server can be reached.
            StorageError: The server is too old, or refuses the user.
        """
        client = self._client
        if client is not None and not client.is_closed:  # an error of the server's closes it for good
            return client
        self.check_open()
        opening = self._opening
        if opening is None:  # one connection is made for all who wait, and they are told of its failure together
            opening = asyncio.get_running_loop().create_task(self._open(), name="mink-jetstream-connection")
            self._opening = opening
            opening.add_done_callback(self._opening_ended)
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            if opening.cancelled():
                self.check_open()
            raise

    def _opening_ended(self, opening: asyncio.Task[Client]) -> None:
        self._opening = None
        if not opening.cancelled():
            opening.exception()  # all who waited may have gone

    def check_open(self) -> None:
        """Refuse the use of a closed store (LIFE-01).

        Raises:
            StoreClosedError: It is closed.
        """
        if self._closed:
            msg = "the JetStream store is closed; open another one to go on with its events"
            raise StoreClosedError(msg)

    async def _open(self) -> Client:
        self._client, self._inbox = await connect(
            await self._served(),
            replied=self._replied,
            lost=self._lost,
            found=self._found,
            choose=self._servers.choose,
        )
        self._moved(self._client)
        if self._opened:
            self._is_another()
        self._opened = True
        return self._client

    async def _served(self) -> Options:
        """The options with an address: that of the embedded server, where there is one."""
        if self._options.servers:
            return self._options
        from mink_jetstream.server import EmbeddedServer  # noqa: PLC0415 -- only this needs a launcher

        if self._server is None:
            folder = None if self._options.folder is None else Path(self._options.folder)
            self._server = await started(lambda: EmbeddedServer.start(folder), EmbeddedServer.stop)
        found = options_of(f"{self._server.url}/{self._options.store}", {})
        return msgspec.structs.replace(self._options, servers=found.servers, user=found.user, password=found.password)

    async def _lost(self) -> None:
        self._connected.clear()
        for waiting in list(self._waiting.values()):
            future = waiting.done if isinstance(waiting, Gathering) else waiting
            if not future.done():
                future.set_exception(UnansweredError("the connection was lost"))

    async def _found(self) -> None:
        if self._client is None:
            return
        try:
            check_version(self._client)
        except StorageError:
            await leave(self._client)  # the next call opens another one, and is told
            return
        self._moved(self._client)
        self._is_another()

    def _moved(self, client: Client) -> None:
        if client.connected_url is not None:
            self._servers.connected(client.connected_url.netloc)
        self._connected.set()

    def _is_another(self) -> None:
        self.reconnects += 1
        for event in self.reconnected:
            event.set()

    # Which server

    def prove(self) -> None:
        """Say that a majority of the servers has just answered by this connection."""
        self._servers.prove()

    async def doubt(self) -> None:
        """Go to another server, where there is one: this one does not answer, and has proved nothing for a while.

        Calls that wait for a reply get `UnansweredError`.
        """
        client = self._client
        if client is None or not client.is_connected or len(client.servers) < 2 or not self._servers.is_doubtful():  # noqa: PLR2004 -- another one
            return
        _LOG.info("leaving %s, which has not answered for %g s, for another server", client.connected_url, DOUBT)
        self._servers.prove()  # once for all the calls that come here
        await self._lost()
        abort(client)
        await client.force_reconnect()

    async def close(self) -> None:
        """Close the connection; who waits for a reply gets `StoreClosedError`. Idempotent."""
        self._closed = True
        for waiting in list(self._waiting.values()):
            future = waiting.done if isinstance(waiting, Gathering) else waiting
            if not future.done():
                future.set_exception(
                    StoreClosedError(
                        "the JetStream store was closed while a call waited: what it was to do may be done"
                    )
                )
        # Whatever interrupts one of them, the others are closed as well: a second call would do nothing.
        async with AsyncExitStack() as closing:
            closing.push_async_callback(self._stop_server)
            closing.push_async_callback(self._leave)
            if self._opening is not None:
                self._opening.cancel()
                await asyncio.wait([self._opening])

    async def _leave(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await leave(client)

    async def _stop_server(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            await asyncio.to_thread(server.stop)

    @property
    def max_payload(self) -> int:
        """Bytes that a message may have, headers included: the server's setting, or its default before it is known."""
        return _PAYLOAD if self._client is None else self._client.max_payload

    # Requests

    async def _ready(self, deadline: float) -> Client:
        client = await self.client()
        if not self._connected.is_set():
            try:
                async with asyncio.timeout_at(deadline):
                    await self._connected.wait()
            except TimeoutError:
                msg = "there is no connection"
                raise UnreachableError(msg) from None
            self.check_open()
        return client

    async def request(self, request: Request, deadline: float) -> Msg:
        """Send one message that changes nothing, again and again until there is a reply, and give the first one.

        All servers hear a request to the API, and who leads answers it. While nobody does, it is lost.

        Raises:
            UnreachableError: Nobody took it.
            UnansweredError: No reply came in time, or the connection was lost.
        """
        return await self._one((request,), deadline, again=_AGAIN)

    async def batch(self, requests: Sequence[Request], deadline: float) -> Msg:
        """Send messages in one go, and wait for the reply to the last."""
        return await self._one(requests, deadline)

    async def _one(self, requests: Sequence[Request], deadline: float, again: float | None = None) -> Msg:
        client = await self._ready(deadline)
        future: asyncio.Future[Msg] = asyncio.get_running_loop().create_future()
        reply: Msg = await self._exchange(client, requests, future, deadline, again)
        if status_of(reply) == _NO_RESPONDERS:
            msg = f"nobody answers on {requests[-1].subject}"
            raise UnreachableError(msg)
        return reply

    async def gather(self, request: Request, deadline: float) -> Gathered:
        """Send one message and wait for all its replies: the last one has a status.

        Raises:
            UnreachableError: Nobody took it.
            UnansweredError: The last reply did not come in time, or the connection was lost.
        """
        client = await self._ready(deadline)
        gathering = Gathering(asyncio.get_running_loop().create_future())
        end: Msg = await self._exchange(client, (request,), gathering, deadline)
        if status_of(end) == _NO_RESPONDERS:
            msg = f"nobody answers on {request.subject}"
            raise UnreachableError(msg)
        return Gathered(gathering.messages, end)

    async def _exchange(
        self,
        client: Client,
        requests: Sequence[Request],
        waiting: asyncio.Future[Any] | Gathering,
        deadline: float,
        again: float | None = None,
    ) -> Any:
        future = waiting.done if isinstance(waiting, Gathering) else waiting
        token = str(next(self._tokens))
        self._waiting[token] = waiting
        timer = asyncio.get_running_loop().call_at(deadline, _expire, future)
        last = len(requests) - 1
        try:
            for index, request in enumerate(requests):
                reply = f"{self._inbox}.{token}" if index == last else ""
                await client.publish(request.subject, request.payload, reply=reply, headers=request.headers or None)
                if future.done():
                    break  # the server takes no more, and the time is over
            if again is not None:
                while not (await asyncio.wait([future], timeout=again))[0]:
                    await client.publish(requests[0].subject, requests[0].payload, reply=f"{self._inbox}.{token}")
            return await future
        except NatsError as error:
            self.check_open()
            raise UnansweredError(said(error)) from error
        finally:
            timer.cancel()
            del self._waiting[token]

    async def _replied(self, msg: Msg) -> None:
        waiting = self._waiting.get(msg.subject[len(self._inbox) + 1 :])
        if waiting is None:
            return
        if not isinstance(waiting, Gathering):
            if not waiting.done():
                waiting.set_result(msg)
            return
        if status_of(msg) is None:
            waiting.messages.append(msg)
        elif not waiting.done.done():
            waiting.done.set_result(msg)


def _expire(future: asyncio.Future[Any]) -> None:
    if not future.done():
        future.set_exception(UnansweredError("no reply came in time"))
