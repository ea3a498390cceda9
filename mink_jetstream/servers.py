"""Which of several servers a store is connected to, and when it leaves one.

A server that is cut off from the others takes requests and can do nothing with them, or answers from its past. Its client
sees a connection that is well. So a request that nobody answers casts doubt on it, unless it has just proved itself.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nats.aio.client import Server

PAUSE = 0.2
"""Seconds between two tries to connect to one server."""
DOUBT = 2.0
"""Seconds that a connection is kept without a proof: as long as a first try waits for its reply."""


class Servers:
    """The servers that are known, as one connection goes through them."""

    def __init__(self) -> None:
        """Know none yet."""
        self._tried: dict[str, float] = {}
        self._proved = 0.0

    def connected(self, address: str) -> None:
        """A connection was made; it has as long as one that has just proved itself."""
        now = asyncio.get_running_loop().time()
        self._tried[address] = self._proved = now

    def prove(self) -> None:
        """A majority has just answered by this connection."""
        self._proved = asyncio.get_running_loop().time()

    def is_doubtful(self) -> bool:
        """Whether nothing was proved for a while."""
        return asyncio.get_running_loop().time() >= self._proved + DOUBT

    def choose(self, servers: Sequence[Server], info: dict[str, Any]) -> tuple[Server, float]:
        """The one that was tried longest ago, and the seconds to wait before: so the one that was left comes last."""
        del info
        now = asyncio.get_running_loop().time()
        chosen = min(servers, key=lambda server: self._tried.get(server.uri.netloc, 0.0))
        wait = max(self._tried.get(chosen.uri.netloc, 0.0) + PAUSE - now, 0.0)
        self._tried[chosen.uri.netloc] = now + wait
        return chosen, wait
