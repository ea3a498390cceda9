"""The connection: requests with one reply or many, and what it means when none comes.

`nats-py` keeps the connection, and makes it anew when it breaks. Its own `request` waits the whole time
out after a disconnect; ours fails at once, and tells a request that nobody took (`UnreachableError`,
nothing happened) from one whose reply is lost (`UnansweredError`, anything may have happened).
"""

from __future__ import annotations

import asyncio
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from nats.aio.client import Client
from nats.errors import Error as NatsError

from mink_core.errors import StorageError, StoreClosedError, TransientStorageError
from mink_jetstream.connecting import check_version, note, said, tls_context
from mink_jetstream.options import options_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nats.aio.msg import Msg

    from mink_jetstream.options import Options
    from mink_jetstream.server import EmbeddedServer

_PAUSE = 0.2
"""Seconds between two tries to connect."""
_PING = 5
_PAYLOAD = 1024 * 1024
_NO_RESPONDERS = "503"


class UnreachableError(Exception):
    """The request did not get to anybody who acts on it: nothing was done."""


class UnansweredError(Exception):
    """The request was sent, and no reply came: it may have been done."""


class Request:
    """A message to send: its subject, payload and headers."""

    __slots__ = ("headers", "payload", "subject")

    def __init__(self, subject: str, payload: bytes = b"", headers: dict[str, str] | None = None) -> None:
        """Keep the three."""
        self.subject = subject
        self.payload = payload
        self.headers = headers or {}


class _Gathering:
    """The replies to a request that is answered by several messages, the last of which has a status."""

    __slots__ = ("done", "messages")

    def __init__(self, done: asyncio.Future[Any]) -> None:
        self.done = done
        self.messages: list[Msg] = []


class Wire:
    """A connection of one event loop, opened at its first use."""

    def __init__(self, options: Options) -> None:
        """Connect to nothing yet."""
        self._options = options
        self._client: Client | None = None
        self._server: EmbeddedServer | None = None
        self._opening = asyncio.Lock()
        self._connected = asyncio.Event()
        self._closed = False
        self._inbox = ""
        self._tokens = count()
        self._waiting: dict[str, asyncio.Future[Any] | _Gathering] = {}
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
        if self._client is None or self._client.is_closed:  # an error of the server's closes it for good
            async with self._opening:
                if self._client is None or self._client.is_closed:
                    self.check_open()
                    self._client = await self._open()
        return self._client

    def check_open(self) -> None:
        """Refuse the use of a closed store (LIFE-01).

        Raises:
            StoreClosedError: It is closed.
        """
        if self._closed:
            msg = "the JetStream store is closed; open another one to go on with its events"
            raise StoreClosedError(msg)

    async def _open(self) -> Client:
        options = await self._served()
        client = Client()
        try:
            async with asyncio.timeout(options.timeout):
                await client.connect(
                    list(options.servers),
                    name="mink",
                    user=options.user,
                    password=options.password,
                    user_credentials=options.creds,
                    tls=tls_context() if options.tls else None,
                    error_cb=note,
                    disconnected_cb=self._lost,
                    reconnected_cb=self._found,
                    allow_reconnect=True,
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=_PAUSE,  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] -- any seconds will do
                    connect_timeout=2,
                    ping_interval=_PING,
                )
            check_version(client)
            self._inbox = client.new_inbox()
            await client.subscribe(f"{self._inbox}.*", cb=self._replied, pending_msgs_limit=0, pending_bytes_limit=0)
        except StorageError:
            await client.close()
            raise
        except (NatsError, OSError, TimeoutError) as error:
            await client.close()
            msg = f"no NATS server can be reached at {', '.join(options.servers)} ({said(error)}); nothing was done"
            raise TransientStorageError(msg) from error
        except BaseException:
            await client.close()
            raise
        if self._closed:
            await client.close()
            self.check_open()
        self._connected.set()
        return client

    async def _served(self) -> Options:
        """The options with an address: that of the embedded server, where there is one."""
        if self._options.servers:
            return self._options
        from mink_jetstream.server import EmbeddedServer  # noqa: PLC0415 -- only this needs a launcher

        if self._server is None:
            folder = None if self._options.folder is None else Path(self._options.folder)
            self._server = await asyncio.to_thread(EmbeddedServer.start, folder)
        found = options_of(f"{self._server.url}/{self._options.store}", {})
        return msgspec.structs.replace(self._options, servers=found.servers, user=found.user, password=found.password)

    async def _lost(self) -> None:
        self._connected.clear()
        for waiting in list(self._waiting.values()):
            future = waiting.done if isinstance(waiting, _Gathering) else waiting
            if not future.done():
                future.set_exception(UnansweredError("the connection was lost"))

    async def _found(self) -> None:
        self.reconnects += 1
        self._connected.set()
        for event in self.reconnected:
            event.set()

    async def close(self) -> None:
        """Close the connection; who waits for a reply gets `StoreClosedError`. Idempotent."""
        self._closed = True
        for waiting in list(self._waiting.values()):
            future = waiting.done if isinstance(waiting, _Gathering) else waiting
            if not future.done():
                future.set_exception(
                    StoreClosedError("the JetStream store was closed while a call waited for its reply")
                )
        client, self._client = self._client, None
        if client is not None:
            await client.close()
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
        """Send one message and wait for one reply.

        Raises:
            UnreachableError: Nobody took it.
            UnansweredError: No reply came in time, or the connection was lost.
        """
        return await self.batch((request,), deadline)

    async def batch(self, requests: Sequence[Request], deadline: float) -> Msg:
        """Send messages in one go, and wait for the reply to the last."""
        client = await self._ready(deadline)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Msg] = loop.create_future()
        reply: Msg = await self._exchange(client, requests, future, future, deadline)
        if reply.headers is not None and reply.headers.get("Status") == _NO_RESPONDERS:
            msg = f"nobody answers on {requests[-1].subject}"
            raise UnreachableError(msg)
        return reply

    async def gather(self, request: Request, deadline: float) -> list[Msg]:
        """Send one message and wait for all its replies: the last one has a status.

        Raises:
            UnreachableError: Nobody took it.
            UnansweredError: The last reply did not come in time, or the connection was lost.
        """
        client = await self._ready(deadline)
        gathering = _Gathering(asyncio.get_running_loop().create_future())
        status: str = await self._exchange(client, (request,), gathering, gathering.done, deadline)
        if status == _NO_RESPONDERS:
            msg = f"nobody answers on {request.subject}"
            raise UnreachableError(msg)
        return gathering.messages

    async def _exchange(
        self,
        client: Client,
        requests: Sequence[Request],
        waiting: asyncio.Future[Any] | _Gathering,
        future: asyncio.Future[Any],
        deadline: float,
    ) -> Any:
        token = str(next(self._tokens))
        self._waiting[token] = waiting
        timer = asyncio.get_running_loop().call_at(deadline, _expire, future)
        last = len(requests) - 1
        try:
            for index, request in enumerate(requests):
                reply = f"{self._inbox}.{token}" if index == last else ""
                await client.publish(request.subject, request.payload, reply=reply, headers=request.headers or None)
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
        if not isinstance(waiting, _Gathering):
            if not waiting.done():
                waiting.set_result(msg)
            return
        status = None if msg.headers is None else msg.headers.get("Status")
        if status is None:
            waiting.messages.append(msg)
        elif not waiting.done.done():
            waiting.done.set_result(status)


def _expire(future: asyncio.Future[Any]) -> None:
    if not future.done():
        future.set_exception(UnansweredError("no reply came in time"))
