"""Appends that are under way at the same moment share an atomic batch, where they are many.

A message alone costs the server a write to disk. A batch costs several, and hardly more for hundreds of messages
than for two. So few appends go out side by side, each alone; where more wait, all of them are the next
batch, one at a time. Each has its own stream and expectation. If one is not met the server refuses the batch
whole: then each goes alone, so that only the one to blame is refused.
"""

from __future__ import annotations

import asyncio
from collections import deque
from copy import copy
from typing import TYPE_CHECKING, NamedTuple

from mink_core.errors import MinkError, TransientStorageError
from mink_jetstream.answers import RefusedError
from mink_jetstream.requests import Request, UnansweredError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mink_jetstream.jetstream import JetStream

_FEW = 16
"""So many appends go out side by side, alone; from as many on, those that wait are a group."""
_MOST = 1000
"""Messages of a group: what the server takes in a batch."""
_MOST_BYTES = 4 * 1024 * 1024
_AFTER_REFUSAL = 0.1
"""Seconds without groups after one was refused: somebody else appends to the same streams."""


class _Waiting(NamedTuple):
    requests: Sequence[Request]
    size: int
    deadline: float
    patience: float
    outcome: asyncio.Future[int | None]
    """The sequence of its last message; None: go alone."""


class Grouping:
    """The writes of one store's appends. At each moment, no two of them are to one stream."""

    def __init__(self, jetstream: JetStream, stream: str) -> None:
        """Group nothing yet, of what a stream is to store."""
        self._jetstream = jetstream
        self._stream = stream
        self._alone = 0
        self._queue: deque[_Waiting] = deque()
        self._task: asyncio.Task[None] | None = None
        self._no_groups_until = 0.0

    async def write(self, requests: Sequence[Request], deadline: float, patience: float) -> int:
        """See `JetStream.write`."""
        loop = asyncio.get_running_loop()
        if (self._task is None and self._alone < _FEW) or loop.time() < self._no_groups_until:
            return await self._write_alone(requests, deadline, patience)
        size = sum([len(request.payload) for request in requests])
        waiting = _Waiting(requests, size, deadline, patience, loop.create_future())
        self._queue.append(waiting)
        if self._task is None:
            self._task = loop.create_task(self._run(), name="mink-jetstream-groups")
        last = await waiting.outcome
        return await self._write_alone(requests, deadline, patience) if last is None else last

    async def _write_alone(self, requests: Sequence[Request], deadline: float, patience: float) -> int:
        self._alone += 1
        try:
            return await self._jetstream.write(requests, deadline, patience, self._stream)
        finally:
            self._alone -= 1

    async def _run(self) -> None:
        try:
            await asyncio.sleep(0)  # for those who come in this turn of the loop
            while self._queue:
                group = self._take()
                if len(group) >= _FEW:
                    await self._send(group)
                else:
                    for waiting in group:
                        _tell(waiting, None)
        finally:
            self._task = None
            while self._queue:  # only where the loop ends
                _fail(self._queue.popleft(), UnansweredError("the store's event loop has ended"))

    def _take(self) -> list[_Waiting]:
        group: list[_Waiting] = []
        count = size = 0
        while self._queue:
            waiting = self._queue[0]
            count += len(waiting.requests)
            size += waiting.size
            if group and (count > _MOST or size > _MOST_BYTES):
                break
            self._queue.popleft()
            if waiting.outcome.done():
                continue  # its caller was cancelled: nothing was sent
            if waiting.deadline <= asyncio.get_running_loop().time():
                _tell(waiting, None)  # alone, it is told that its time is over; the others have theirs
            else:
                group.append(waiting)
        return group

    async def _send(self, group: list[_Waiting]) -> None:
        # Copies: a batch has headers that a message alone must not have.
        requests = [Request(it.subject, it.payload, dict(it.headers)) for waiting in group for it in waiting.requests]
        try:
            deadline, patience = min([it.deadline for it in group]), max([it.patience for it in group])
            last = await self._jetstream.write(requests, deadline, patience, self._stream)
        except RefusedError:
            self._no_groups_until = asyncio.get_running_loop().time() + _AFTER_REFUSAL
            for waiting in group:
                _tell(waiting, None)
        except (UnansweredError, MinkError) as error:
            _fail_all(group, error)
        except BaseException:
            for waiting in group:
                _fail(waiting, UnansweredError("the store's event loop has ended"))
            raise
        else:
            sequence = last - len(requests)
            for waiting in group:
                sequence += len(waiting.requests)
                _tell(waiting, sequence)


def _tell(waiting: _Waiting, outcome: int | None) -> None:
    if not waiting.outcome.done():
        waiting.outcome.set_result(outcome)


def _fail_all(group: list[_Waiting], error: UnansweredError | MinkError) -> None:
    now = asyncio.get_running_loop().time()
    for waiting in group:
        # Nobody took it before the first one's time was over: the others go on alone.
        if isinstance(error, TransientStorageError) and waiting.deadline > now:
            _tell(waiting, None)
        else:
            _fail(waiting, copy(error))  # each raises its own


def _fail(waiting: _Waiting, error: Exception) -> None:
    if not waiting.outcome.done():
        waiting.outcome.set_exception(error)
