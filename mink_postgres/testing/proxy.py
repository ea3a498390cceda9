"""A TCP proxy that breaks a connection at a chosen request: before it is sent on, or once it was answered."""

from __future__ import annotations

import selectors
import socket
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mink_core.testing import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

_CHUNK = 65536
_RESET = struct.pack("ii", 1, 0)
_READY, _IDLE = ord("Z"), ord("I")


@dataclass
class _Pair:
    """A client's connection, and the one to the server that goes with it."""

    client: socket.socket
    server: socket.socket
    sent: bytes = b""
    """The end of what the client sent, in case the marker comes in two pieces."""
    answer: bytearray = field(default_factory=bytearray)
    """What the server sent and is not a whole message yet."""
    doomed: bool = False
    """Whether replies are kept back until the server is done, and the connection is then cut."""

    def cut(self) -> None:
        """Break both sides, without a farewell."""
        for side in (self.client, self.server):
            with suppress(OSError):
                side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            side.close()

    def is_done(self, chunk: bytes) -> bool:
        """Whether the server has committed: it is ready, and in no transaction."""
        self.answer += chunk
        done = False
        while len(self.answer) >= 5:  # noqa: PLR2004 -- a message's type and length
            size = 1 + int.from_bytes(self.answer[1:5], "big")
            if len(self.answer) < size:
                break
            done = self.answer[0] == _READY and self.answer[5] == _IDLE
            del self.answer[:size]
        return done


class Proxy:
    """Serves connections in a thread of its own until it is closed."""

    def __init__(self, host: str, port: int) -> None:
        """Listen on a free port of this machine, for a server that is there."""
        self._dial = _dialler(host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.struck = 0
        """Connections that were broken."""
        self._armed: tuple[Fault, bytes] | None = None
        self._pairs: dict[socket.socket, _Pair] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._ending, self._end = socket.socketpair()
        self._selector.register(self._ending, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._serve, name="mink-postgres-proxy", daemon=True)
        self._thread.start()

    def arm(self, fault: Fault, marker: bytes) -> None:
        """Break the connection at the next request that holds these bytes."""
        self._armed = (fault, marker)

    def close(self) -> None:
        """Break every connection and end the thread."""
        self._end.close()
        self._thread.join()

    def _serve(self) -> None:
        try:
            while True:
                for key, _ in self._selector.select():
                    if key.fileobj is self._ending:
                        return
                    if key.fileobj is self._listener:
                        self._accept()
                    elif (pair := self._pairs.get(key.fileobj)) is not None:  # type: ignore[call-overload]
                        self._move(pair, from_client=key.fileobj is pair.client)
        finally:
            for pair in self._pairs.values():
                pair.cut()
            self._selector.close()
            self._listener.close()
            self._ending.close()

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        try:
            server = self._dial()
        except OSError:
            client.close()
            return
        pair = _Pair(client, server)
        for side in (client, server):
            self._pairs[side] = pair
            self._selector.register(side, selectors.EVENT_READ)

    def _move(self, pair: _Pair, *, from_client: bool) -> None:
        source, target = (pair.client, pair.server) if from_client else (pair.server, pair.client)
        try:
            chunk = source.recv(_CHUNK)
            if not chunk or not self._passes(pair, chunk, from_client=from_client):
                self._drop(pair)
                return
            if from_client or not pair.doomed:
                target.sendall(chunk)
        except OSError:
            self._drop(pair)

    def _passes(self, pair: _Pair, chunk: bytes, *, from_client: bool) -> bool:
        """Whether the connection lives on after this chunk."""
        if not from_client:
            if pair.is_done(chunk) and pair.doomed:
                self.struck += 1
                return False
            return True
        if self._armed is not None:
            fault, marker = self._armed
            if marker in pair.sent + chunk:
                self._armed = None
                if fault is Fault.CUT_BEFORE:
                    self.struck += 1
                    return False
                pair.doomed = True
            pair.sent = chunk[-len(marker) :]
        return True

    def _drop(self, pair: _Pair) -> None:
        for side in (pair.client, pair.server):
            if self._pairs.pop(side, None) is not None:
                self._selector.unregister(side)
        pair.cut()


def _dialler(host: str, port: int) -> Callable[[], socket.socket]:
    if not host.startswith("/"):
        return lambda: socket.create_connection((host, port))

    def dial() -> socket.socket:
        made = socket.socket(socket.AF_UNIX)
        made.connect(str(Path(host) / f".s.PGSQL.{port}"))
        return made

    return dial
