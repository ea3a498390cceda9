"""Ways between ports that can be held up or cut, so that a test has a network to break."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from enum import Enum
from typing import TYPE_CHECKING, Any, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from types import TracebackType

_CHUNK = 65536
_T = TypeVar("_T")


class Break(Enum):
    """How a link fails."""

    HOLD = "hold"
    """Nothing arrives and nobody is told, as where a cable is out. What was sent arrives after the healing."""
    RESET = "reset"
    """Connections end at once, and new ones are refused."""


class Link:
    """Listens on a port of loopback and forwards to another. Its methods are for the loop of its `Links`."""

    def __init__(self) -> None:
        """Use `Links.add`."""
        self.port = 0
        self.target = 0
        """Where to; 0 refuses, as a host does whose server is not there yet."""
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._refuses = False
        self._server: asyncio.Server | None = None
        self._pairs: set[asyncio.Task[None]] = set()

    async def listen(self) -> None:
        """Take a port."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._pair(reader, writer))
        self._pairs.add(task)
        task.add_done_callback(self._pairs.discard)

    async def _pair(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = [writer]
        try:
            await self._flowing.wait()
            if self._refuses or not self.target:
                return
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
            ends.append(far_writer)
            pumps = [
                asyncio.ensure_future(self._pump(reader, far_writer)),
                asyncio.ensure_future(self._pump(far_reader, writer)),
            ]
            try:
                # Either side's end is the end of both.
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
        except OSError:
            pass  # the server is down
        finally:
            for end in ends:
                end.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(_CHUNK):
                await self._flowing.wait()
                writer.write(data)
                await writer.drain()
            # The end of a connection is held up as its bytes are.
            await self._flowing.wait()

    async def break_(self, how: Break) -> None:
        """Let nothing through any more."""
        if how is Break.HOLD:
            self._flowing.clear()
        else:
            self._refuses = True
            await self.end()

    async def heal(self) -> None:
        """Let everything through again."""
        self._refuses = False
        self._flowing.set()

    async def end(self) -> None:
        """End the connections that are open."""
        pairs = list(self._pairs)
        for pair in pairs:
            pair.cancel()
        await asyncio.gather(*pairs, return_exceptions=True)

    async def close(self) -> None:
        """Give the port back, and end what is open."""
        if self._server is not None:
            self._server.close()
        await self.end()


class Links:
    """A set of links, served by a thread of their own."""

    def __init__(self) -> None:
        """Start the thread."""
        self._links: list[Link] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="mink-links", daemon=True)
        self._thread.start()

    def add(self, target: int = 0) -> Link:
        """A new link, which may get its target later."""
        link = Link()
        link.target = target
        self._wait(link.listen())
        self._links.append(link)
        return link

    def break_(self, link: Link, how: Break = Break.HOLD) -> None:
        """Let nothing through any more."""
        self._wait(link.break_(how))

    def heal(self, link: Link) -> None:
        """Let everything through again."""
        self._wait(link.heal())

    def end(self, link: Link) -> None:
        """End the connections that are open, and let new ones be made."""
        self._wait(link.end())

    def close(self) -> None:
        """Close every port and every connection. Idempotent."""
        if self._loop.is_closed():
            return
        for link in self._links:
            self._wait(link.close())
        self._wait(asyncio.sleep(0))  # aborted connections end in the loop's next turn
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        """The links themselves."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def _wait(self, work: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)
