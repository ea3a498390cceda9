"""A TCP proxy that breaks a connection at a chosen message: before it is sent on, or once it was acknowledged."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from mink_core.testing import Fault

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

T = TypeVar("T")

_CHUNK = 65536
_ACKNOWLEDGED = (b'{"stream":"', b'{"error":')
"""How a server's answer to a publication begins."""


class _Pair:
    """A client's connection, and the one to the server that goes with it."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.ends = (client, server)
        self.tail = b""
        """The end of what the client sent, in case the marker comes in two pieces."""
        self.doomed = False
        """Whether answers are kept back until the message is acknowledged, and the connection is then cut."""

    def cut(self) -> None:
        """Break both sides, without a farewell."""
        for end in self.ends:
            end.transport.abort()


class Proxy:
    """Serves connections in a thread of its own until it is closed."""

    def __init__(self, host: str, port: int) -> None:
        """Listen on a free port of this machine, for a server that is there."""
        self._target = host, port
        self._armed: tuple[Fault, bytes] | None = None
        self._pairs: set[_Pair] = set()
        self.struck = 0
        """Connections that were broken."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="mink-jetstream-proxy", daemon=True)
        self._thread.start()
        self._server = self._wait(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port: int = self._server.sockets[0].getsockname()[1]

    def arm(self, fault: Fault, marker: bytes) -> None:
        """Break the connection at the next message that holds these bytes."""
        self._armed = fault, marker

    def end_all(self) -> int:
        """Break every connection; tells how many there were."""
        return self._wait(self._end_all())

    def close(self) -> None:
        """Break every connection and end the thread."""
        self._server.close()
        self._wait(self._end_all())
        self._wait(self._settle())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _end_all(self) -> int:
        pairs = list(self._pairs)
        for pair in pairs:
            pair.cut()
        return len(pairs)

    async def _settle(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.wait(others, timeout=5) if others else None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        pair = _Pair(writer, far_writer)
        self._pairs.add(pair)
        try:
            await asyncio.gather(self._up(pair, reader, far_writer), self._down(pair, far_reader, writer))
        finally:
            self._pairs.discard(pair)
            pair.cut()

    async def _up(self, pair: _Pair, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await reader.read(_CHUNK):
                if not self._passes(pair, chunk):
                    break
                writer.write(chunk)
                await writer.drain()
        pair.cut()

    def _passes(self, pair: _Pair, chunk: bytes) -> bool:
        if self._armed is None:
            return True
        fault, marker = self._armed
        if marker in pair.tail + chunk:
            self._armed = None
            if fault is Fault.CUT_BEFORE:
                self.struck += 1
                return False
            pair.doomed = True
        pair.tail = chunk[-len(marker) :]
        return True

    async def _down(self, pair: _Pair, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held = b""
        with suppress(OSError):
            while chunk := await reader.read(_CHUNK):
                if pair.doomed:
                    held += chunk
                    if any(mark in held for mark in _ACKNOWLEDGED):
                        self.struck += 1
                        break
                    continue
                writer.write(chunk)
                await writer.drain()
        pair.cut()
