"""Requests to the JetStream API, their retries, and what its refusals mean.

A read may be sent again until its time is over. A write is sent again only where it is certain that nothing
was done: nobody took it (there is no leader at the moment), or the server said that it refused.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

import msgspec

from mink_core.errors import StorageError, TransientStorageError
from mink_jetstream.answers import Info, RefusedError, check, decode_ack, decode_done, decode_got, decode_info
from mink_jetstream.requester import Requester
from mink_jetstream.requests import Request, UnansweredError, UnreachableError, whole

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from nats.aio.msg import Msg

    from mink_jetstream.connection import Connection
    from mink_jetstream.messages import Stored
    from mink_jetstream.options import Options

T = TypeVar("T")

NO_PEERS = 10005
NO_MESSAGE = 10037
NO_STREAM = 10059
OTHER_CONFIG = 10058
WRONG_SEQUENCE = 10071
WRONG_SEQUENCE_NOW = 10164
"""As `WRONG_SEQUENCE`: another append to the subject is being decided on."""
_BATCH_INCOMPLETE = 10176
_BATCHES_TOO_MANY = 10210
_STORE_FAILED = 10077
_NO_LEADER = frozenset({10008, 10009})
_NOT_NOW = _NO_LEADER | {_BATCH_INCOMPLETE, _BATCHES_TOO_MANY}
"""Refusals that are over in a moment: no leader, a batch that lost a message on its way, too many batches at once."""
_PAUSE = 0.05
_LONGEST_PAUSE = 0.25
_PATIENCE = 2.0
"""Seconds after which a read is asked again; twice as many each time."""
_BATCHES = 16
"""Batches that a store has under way at once. The server takes 50 a stream, of all its clients."""
_API = "$JS.API"


_encode = msgspec.json.Encoder().encode


class JetStream:
    """The API as a store uses it."""

    def __init__(self, connection: Connection, options: Options) -> None:
        """Ask on a connection."""
        self.connection = connection
        self.requester = Requester(connection)
        self._options = options
        self._room = asyncio.Semaphore(_BATCHES)

    def deadline(self) -> float:
        """When a call that begins now gives up."""
        return asyncio.get_running_loop().time() + self._options.timeout

    def deadline_in(self, seconds: float) -> float:
        """When something gives up that waits at most so long."""
        return asyncio.get_running_loop().time() + seconds

    # Reads

    async def _read(
        self,
        send: Callable[[float], Awaitable[T]],
        deadline: float,
        doubt: Callable[[float], Awaitable[object]] | None = None,
    ) -> T:
        """Ask until there is an answer.

        Args:
            send: Told when to give up a single try, whose reply may be lost.
            deadline: When to give up.
            doubt: What to do after a try without an answer, told the deadline; without it, `Connection.doubt`.
        """
        pause, patience = _PAUSE, _PATIENCE
        loop = asyncio.get_running_loop()
        while True:
            until = loop.time() + patience
            try:
                return await send(min(deadline, until))
            except (UnreachableError, UnansweredError, RefusedError) as error:
                if isinstance(error, RefusedError) and error.code not in _NOT_NOW:
                    raise
                await (self.connection.doubt() if doubt is None else doubt(deadline))
                if loop.time() + pause >= deadline:
                    raise self._given_up(error) from error
            patience *= 2 if loop.time() >= until else 1  # not where a connection was lost, or nobody leads
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _given_up(self, error: Exception) -> StorageError:
        msg = (
            f"JetStream did not answer within {self._options.timeout:g} s ({error}): no leader, or no majority of the "
            "servers can be reached; nothing was done, and the same call may be made again"
        )
        return TransientStorageError(msg)

    async def _ask(self, verb: str, payload: bytes, deadline: float) -> bytes:
        reply = await self.requester.request(Request(f"{_API}.{verb}", payload), deadline)
        return reply.data

    async def info(
        self, stream: str, *, subjects: str | None = None, offset: int = 0, deadline: float | None = None
    ) -> Info:
        """What the leader says of a stream, until a call's deadline or one of its own; with a filter, its subjects too.

        Raises:
            RefusedError: There is no such stream, or something else is wrong with it.
            TransientStorageError: Nobody answered in time.
        """
        deadline = self.deadline() if deadline is None else deadline
        payload = b"" if subjects is None else _encode({"subjects_filter": subjects, "offset": offset})

        async def send(until: float) -> Info:
            found = decode_info(await self._ask(f"STREAM.INFO.{stream}", payload, until))
            check(found.error)
            return found

        return await self._read(send, deadline)

    async def get(self, stream: str, wanted: dict[str, Any]) -> Stored | None:
        """One message from the leader: `last_by_subj`, or the next by `seq` and `next_by_subj`.

        Raises:
            RefusedError: The request is refused.
            TransientStorageError: Nobody answered in time.
        """
        deadline, payload = self.deadline(), _encode(wanted)

        async def send(until: float) -> Stored | None:
            found = decode_got(await self._ask(f"STREAM.MSG.GET.{stream}", payload, until))
            if found.error is not None and found.error.err_code == NO_MESSAGE:
                return None
            check(found.error)
            return found.message

        return await self._read(send, deadline)

    async def page(self, stream: str, wanted: dict[str, Any], doubt: Callable[[float], Awaitable[object]]) -> list[Msg]:
        """Messages from any copy, which may be behind the leader: by `seq`, `next_by_subj` and `batch`.

        The copy that is to answer may be one that is cut off from the server that is asked. So that no answer comes says
        nothing of that server: `doubt` finds out.

        Raises:
            RefusedError: The request is refused.
            TransientStorageError: Nobody answered in time.
        """
        deadline = self.deadline()
        request = Request(f"{_API}.DIRECT.GET.{stream}", _encode(wanted))

        async def send(until: float) -> list[Msg]:
            return whole(await self.requester.gather(request, until))

        return await self._read(send, deadline, doubt)

    # Writes

    async def write(self, requests: Sequence[Request], deadline: float, patience: float, stream: str) -> int:
        """Publish messages that a stream stores, all or none: several are an atomic batch (NATS ADR-50).

        Args:
            requests: The messages.
            deadline: Until when somebody is looked for who takes them.
            patience: Seconds to wait for the reply once they are sent.
            stream: Which is to store them.

        Returns:
            The sequence of the last one.

        Raises:
            RefusedError: They were refused; nothing was stored. An expectation that is not met has the
                code `WRONG_SEQUENCE` or `WRONG_SEQUENCE_NOW`, a stream that is not there `NO_STREAM`.
            UnansweredError: They may have been stored.
            TransientStorageError: Nobody took them in time; nothing was stored.
        """
        if len(requests) == 1:
            return await self._write(requests, deadline, patience, stream)
        async with self._room:
            return await self._write(requests, deadline, patience, stream)

    async def _write(self, requests: Sequence[Request], deadline: float, patience: float, stream: str) -> int:
        pause, refused = _PAUSE, False
        problem: Exception = UnreachableError("the time was over before it was sent")
        loop = asyncio.get_running_loop()
        while (now := loop.time()) < deadline:
            try:
                if len(requests) > 1:
                    _number(requests)
                return self._stored(await self.requester.batch(requests, min(deadline, now + patience)))
            except UnansweredError:
                await self.connection.doubt()
                raise
            except UnreachableError as error:
                problem = error
                await self.connection.doubt()
                await self._refuse_missing(stream, min(deadline, loop.time() + _LONGEST_PAUSE))
            except RefusedError as error:
                if error.code not in _NOT_NOW:
                    raise
                problem, refused = error, refused or error.code in _NO_LEADER
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        if refused:  # by one that does not lead: while a network heals, one that does may have stored it
            raise UnansweredError(str(problem)) from problem
        raise self._given_up(problem) from problem

    async def _refuse_missing(self, stream: str, until: float) -> None:
        # Nobody takes what a stream that is gone would store, and the API says that it is. Where nobody leads, it says nothing.
        with suppress(UnreachableError, UnansweredError):
            found = decode_info(await self._ask(f"STREAM.INFO.{stream}", b"", until))
            if found.error is not None and found.error.err_code == NO_STREAM:
                check(found.error)

    def _stored(self, reply: Msg) -> int:
        try:
            ack = decode_ack(reply.data)
        except msgspec.MsgspecError as error:
            raise UnansweredError(str(error)) from error
        if ack.error is None:
            self.connection.prove()
            return ack.seq
        if ack.error.err_code == _STORE_FAILED:  # one copy's store failed: another one may have it
            raise UnansweredError(ack.error.description)  # as if no reply had come
        raise RefusedError(ack.error.err_code, ack.error.description)

    # Streams

    async def account(self) -> None:
        """Reach JetStream and come back.

        Raises:
            StorageError: The servers cannot be reached, or JetStream is not switched on for this user.
        """
        deadline = self.deadline()

        async def send(until: float) -> None:
            check(decode_done(await self._ask("INFO", b"", until)).error)

        try:
            await self._read(send, deadline)
        except RefusedError as error:
            msg = f"JetStream refuses this user: {error}"
            raise StorageError(msg) from error

    async def raw_config(self, stream: str) -> dict[str, Any]:
        """A stream's configuration as the server gives it, to be given back with a change."""
        deadline = self.deadline()

        async def send(until: float) -> dict[str, Any]:
            found: dict[str, Any] = msgspec.json.decode(await self._ask(f"STREAM.INFO.{stream}", b"", until))
            config: dict[str, Any] = found["config"]
            return config

        return await self._read(send, deadline)

    async def manage(self, verb: str, stream: str, wanted: dict[str, Any] | None = None) -> None:
        """Create, update or delete a stream.

        Raises:
            RefusedError: It is refused.
            TransientStorageError: Nobody answered in time. It may have been done; it can be repeated.
        """
        deadline = self.deadline()
        payload = b"" if wanted is None else _encode(wanted)

        async def send(until: float) -> None:
            check(decode_done(await self._ask(f"STREAM.{verb}.{stream}", payload, until)).error)

        await self._read(send, deadline)


def _number(requests: Sequence[Request]) -> None:
    """Make messages one batch. A second try is another one: of the first, the server may have a part."""
    batch = uuid4().hex
    for number, request in enumerate(requests, 1):
        request.headers["Nats-Batch-Id"] = batch
        request.headers["Nats-Batch-Sequence"] = str(number)
    requests[-1].headers["Nats-Batch-Commit"] = "1"
