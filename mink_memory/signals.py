"""How those who wait for a stream are woken: a thread, or a task of whatever event loop."""

from __future__ import annotations

import asyncio
import threading

from mink_core.runtime.task_waiting import in_time


class ThreadSignal:
    """Wakes the thread that waits on it."""

    __slots__ = ("_bell",)

    # Released to wake. An Event is written in Python: it stays locked for good where Ctrl-C comes in the middle of `set`.
    _bell: threading.Lock

    def arm(self) -> None:
        """See `mink_memory.open_transaction.Signal`."""
        bell = threading.Lock()
        bell.acquire()
        self._bell = bell

    def set(self) -> bool:
        """See `mink_memory.open_transaction.Signal`."""
        if self._bell.locked():
            self._bell.release()
        return True

    def wait(self, seconds: float) -> bool:
        """Wait; False when the time is over."""
        return self._bell.acquire(timeout=max(seconds, 0.0))


class TaskSignal:
    """Wakes the task that waits on it, from any thread and any other event loop."""

    __slots__ = ("_future", "_loop")

    _loop: asyncio.AbstractEventLoop
    _future: asyncio.Future[None]

    def arm(self) -> None:
        """See `mink_memory.open_transaction.Signal`."""
        self._loop = asyncio.get_running_loop()
        self._future = self._loop.create_future()

    def set(self) -> bool:
        """See `mink_memory.open_transaction.Signal`."""
        try:
            self._loop.call_soon_threadsafe(_resolve, self._future)
        except RuntimeError:  # the loop was closed over the waiting task
            return False
        return True

    async def wait(self, seconds: float) -> bool:
        """Wait; False when the time is over."""
        return await in_time(self._future, seconds)


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
