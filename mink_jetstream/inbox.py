"""The inbox of a connection: the subject below which replies come, and who waits for them."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import TYPE_CHECKING

from mink_jetstream.requests import status_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from nats.aio.msg import Msg


class Awaited:
    """The reply to one request, while it is waited for: one message, or several of which the last has a status."""

    __slots__ = ("_is_gathered", "last", "messages")

    def __init__(self, *, is_gathered: bool = False) -> None:
        """Nothing came yet."""
        self._is_gathered = is_gathered
        self.messages: list[Msg] = []
        """Those before the last one."""
        self.last: asyncio.Future[Msg] = asyncio.get_running_loop().create_future()

    def take(self, msg: Msg) -> None:
        """Note what came."""
        if self._is_gathered and status_of(msg) is None:
            self.messages.append(msg)
        elif not self.last.done():
            self.last.set_result(msg)

    def fail(self, error: Exception) -> None:
        """Tell who waits that no reply will come, unless it came."""
        if not self.last.done():
            self.last.set_exception(error)


class Inbox:
    """Who waits for which reply."""

    def __init__(self) -> None:
        """Nobody waits."""
        self.subject = ""
        """What the connection has subscribed to; another one's is another."""
        self._tokens = count()
        self._awaited: dict[str, Awaited] = {}

    def expect(self, awaited: Awaited) -> str:
        """Wait for a reply; tells the subject that it is to come to."""
        subject = f"{self.subject}.{next(self._tokens)}"
        self._awaited[subject] = awaited
        return subject

    def forget(self, subject: str) -> None:
        """Wait no more: what still comes to the subject is dropped."""
        del self._awaited[subject]

    async def take(self, msg: Msg) -> None:
        """Give what came to who waits for it."""
        awaited = self._awaited.get(msg.subject)
        if awaited is not None:
            awaited.take(msg)

    def fail(self, error: Callable[[], Exception]) -> None:
        """Tell all who wait that no reply will come; each gets an error of its own."""
        for awaited in list(self._awaited.values()):
            awaited.fail(error())
