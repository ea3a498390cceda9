"""Requests on a connection, with one reply or many, and what it means when none comes.

`nats-py`'s own `request` waits the whole time out after a disconnect; ours fails at once, and tells a request that
nobody took (`UnreachableError`, nothing happened) from one whose reply is lost (`UnansweredError`, anything may have
happened).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from nats.errors import Error as NatsError

from mink_jetstream.connecting import said
from mink_jetstream.inbox import Awaited
from mink_jetstream.requests import Gathered, Request, UnansweredError, UnreachableError, status_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nats.aio.client import Client
    from nats.aio.msg import Msg

    from mink_jetstream.connection import Connection

_AGAIN = 0.5
"""Seconds without a reply after which a read is asked again."""
_NO_RESPONDERS = "503"


class Requester:
    """Sends requests, and waits for their replies."""

    def __init__(self, connection: Connection) -> None:
        """Send on a connection."""
        self._connection = connection
        self._inbox = connection.inbox

    async def request(self, request: Request, deadline: float) -> Msg:
        """Send one message that changes nothing, again and again until there is a reply, and give the first one.

        All servers hear a request to the API, and who leads answers it. While nobody does, it is lost.

        Raises:
            UnreachableError: Nobody took it.
            UnansweredError: No reply came in time, or the connection was lost.
        """
        client = await self._connection.ready(deadline)
        return await self._send(client, (request,), Awaited(), deadline, again=_AGAIN)

    async def batch(self, requests: Sequence[Request], deadline: float) -> Msg:
        """Send messages in one go, and wait for the reply to the last.

        Raises:
            UnreachableError: Nobody took it.
            UnansweredError: No reply came in time, or the connection was lost.
        """
        client = await self._connection.ready(deadline)
        return await self._send(client, requests, Awaited(), deadline)

    async def gather(self, request: Request, deadline: float) -> Gathered:
        """Send one message and wait for all its replies: the last one has a status.

        Raises:
            UnreachableError: Nobody took it.
            UnansweredError: The last reply did not come in time, or the connection was lost.
        """
        client = await self._connection.ready(deadline)
        awaited = Awaited(is_gathered=True)
        end = await self._send(client, (request,), awaited, deadline)
        return Gathered(awaited.messages, end)

    async def _send(
        self,
        client: Client,
        requests: Sequence[Request],
        awaited: Awaited,
        deadline: float,
        again: float | None = None,
    ) -> Msg:
        """The last reply."""
        subject = self._inbox.expect(awaited)
        timer = asyncio.get_running_loop().call_at(deadline, awaited.fail, UnansweredError("no reply came in time"))
        last = len(requests) - 1
        try:
            for index, request in enumerate(requests):
                reply = subject if index == last else ""
                await client.publish(request.subject, request.payload, reply=reply, headers=request.headers or None)
                if awaited.last.done():
                    break  # the server takes no more, and the time is over
            if again is not None:
                while not (await asyncio.wait([awaited.last], timeout=again))[0]:
                    await client.publish(requests[0].subject, requests[0].payload, reply=subject)
            found = await awaited.last
        except NatsError as error:
            self._connection.check_open()
            raise UnansweredError(said(error)) from error
        finally:
            timer.cancel()
            self._inbox.forget(subject)
        if status_of(found) == _NO_RESPONDERS:
            msg = f"nobody answers on {requests[last].subject}"
            raise UnreachableError(msg)
        return found
