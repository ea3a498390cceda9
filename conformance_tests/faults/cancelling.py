"""Cancels a coroutine at the n-th time it waits."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Coroutine, Generator

CANCELLED = "calls of an async store cancelled while they waited"


class CancelledAt:
    """Awaits a coroutine, and cancels the task just before it waits for the n-th time (0 is the first)."""

    def __init__(self, work: Coroutine[Any, Any, Any], number: int) -> None:
        """Take the coroutine."""
        self._work = work
        self._left = number
        self.struck = False

    def __await__(self) -> Generator[Any, Any, Any]:
        """Pass on what the coroutine waits for, but for the one time."""
        steps = self._work.__await__()
        sent: Any = None
        error: BaseException | None = None
        while True:
            try:
                waited_for = steps.send(sent) if error is None else steps.throw(error)
            except StopIteration as stop:
                return stop.value
            if self._left == 0:
                self.struck = True
                task = asyncio.current_task()
                assert task is not None  # noqa: S101 -- told to the type checker
                # The task sees the request as it begins to wait, and cancels what it waits for.
                task.cancel()
            self._left -= 1
            sent, error = None, None
            try:
                sent = yield waited_for
            except BaseException as thrown:  # noqa: BLE001 -- the coroutine's own to handle
                error = thrown


async def cancelled_at(work: Coroutine[Any, Any, Any], number: int) -> tuple[bool, Any]:
    """Cancel it there: whether it was, and what came of it (a result, or an error)."""
    at = CancelledAt(work, number)

    async def run() -> Any:
        return await at

    outcome = (await asyncio.gather(asyncio.create_task(run()), return_exceptions=True))[0]
    return at.struck, outcome
