"""The connection of a store: opened at its first use, made anew when it breaks, and led to another server in doubt.

`nats-py` keeps it, and makes it anew. Who waits for a reply is told at once that it is lost.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from mink_core.errors import StorageError, StoreClosedError, UsageError
from mink_core.forks import INHERITED, watch
from mink_core.runtime.starting import started
from mink_jetstream.connecting import abort, check_version, connect, leave
from mink_jetstream.inbox import Inbox
from mink_jetstream.options import options_of
from mink_jetstream.requests import UnansweredError, UnreachableError
from mink_jetstream.servers import DOUBT, Servers

if TYPE_CHECKING:
    from nats.aio.client import Client

    from mink_jetstream.options import Options
    from mink_jetstream.server import EmbeddedServer

_LOG = logging.getLogger("mink.jetstream")
_PAYLOAD = 1024 * 1024


class Connection:
    """A connection of one event loop."""

    def __init__(self, options: Options) -> None:
        """Connect to nothing yet."""
        self._options = options
        self._client: Client | None = None
        self._server: EmbeddedServer | None = None
        self._opening: asyncio.Task[Client] | None = None
        self._connected = asyncio.Event()
        self._opened = False
        self._closed = False
        self.is_inherited = False
        """Whether this process was forked from the one that made the connection."""
        watch(self._is_forked)
        self._servers = Servers()
        self.inbox = Inbox()
        """Where the replies to its requests come."""
        self.reconnected: set[asyncio.Event] = set()
        """Set when the connection was made anew."""
        self.reconnects = 0
        """How often the connection was made anew: whatever was remembered may be another history's."""

    def _is_forked(self) -> None:
        """In a process that was forked from this one: the connection, if there is one, is the parent's."""
        if self._client is not None or self._opening is not None:
            self.is_inherited = True
            self._client = None

    # Opening

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

    async def ready(self, deadline: float) -> Client:
        """The client, once it is connected at this moment.

        Raises:
            UnreachableError: It is not until then.
            StoreClosedError: The store is closed.
            StorageError: See `client`.
        """
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

    def check_open(self) -> None:
        """Refuse the use of a closed store (LIFE-01).

        Raises:
            StoreClosedError: It is closed.
            UsageError: It is the connection of the process that this one was forked from.
        """
        if self._closed:
            msg = "the JetStream store is closed; open another one to go on with its events"
            raise StoreClosedError(msg)
        if self.is_inherited:
            raise UsageError(INHERITED)

    def _opening_ended(self, opening: asyncio.Task[Client]) -> None:
        self._opening = None
        if not opening.cancelled():
            opening.exception()  # all who waited may have gone

    async def _open(self) -> Client:
        self._client, self.inbox.subject = await connect(
            await self._served(),
            replied=self.inbox.take,
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
        self.inbox.fail(partial(UnansweredError, "the connection was lost"))

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

    # Closing

    async def close(self) -> None:
        """Close the connection; who waits for a reply gets `StoreClosedError`. Idempotent."""
        self._closed = True
        if self.is_inherited:
            return
        self.inbox.fail(
            partial(
                StoreClosedError, "the JetStream store was closed while a call waited: what it was to do may be done"
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

    # Which server

    @property
    def max_payload(self) -> int:
        """Bytes that a message may have, headers included: the server's setting, or its default before it is known."""
        return _PAYLOAD if self._client is None else self._client.max_payload

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
