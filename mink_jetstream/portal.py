"""An event loop in a thread of its own: threads use an async store through it."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, TypeVar

from mink_core.errors import StoreClosedError, UsageError
from mink_core.forks import INHERITED, watch

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")


class Portal:
    """Begins with its first use; ends by `close`."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._guard = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._closed = self._inherited = False
        watch(self._is_forked)

    def _is_forked(self) -> None:
        """In a process that was forked from this one, which has not the thread."""
        if self._thread is not None or self._guard.locked():
            self._inherited, self._guard = True, threading.Lock()

    @property
    def is_running(self) -> bool:
        """Whether it has begun, and may have ended."""
        return self._thread is not None

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine and wait for its result; an interrupt of the waiting thread cancels it.

        Raises:
            StoreClosedError: It is closed.
            UsageError: This is the loop's own thread, which would wait for itself; or a process that was forked since.
        """
        try:
            with self._guard:
                loop = self._opened()
                future = asyncio.run_coroutine_threadsafe(work, loop)
        except BaseException:
            work.close()
            raise
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def _opened(self) -> asyncio.AbstractEventLoop:
        if self._closed:
            msg = "the JetStream store is closed; open another one to go on with its events"
            raise StoreClosedError(msg)
        if self._inherited:
            raise UsageError(INHERITED)
        if self._loop is None or self._thread is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=_work, args=(self._loop,), name="mink-jetstream", daemon=True)
            self._thread.start()
        if threading.current_thread() is self._thread:
            msg = "a sync store was used on its own event loop"
            raise UsageError(msg)
        return self._loop

    def close(self, last: Coroutine[Any, Any, None]) -> None:
        """Run a last coroutine, cancel what is left, and end the thread. Idempotent."""
        with self._guard:
            was_closed, self._closed = self._closed, True
            loop, thread = self._loop, self._thread
        if was_closed or loop is None or thread is None or self._inherited:
            last.close()
            return
        asyncio.run_coroutine_threadsafe(_end(last), loop).result()
        thread.join()


def _work(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        loop.close()


async def _end(last: Coroutine[Any, Any, None]) -> None:
    try:
        await _end_work(last)
    finally:  # by itself: who waits for it may be interrupted
        loop = asyncio.get_running_loop()
        loop.call_soon(loop.stop)


async def _end_work(last: Coroutine[Any, Any, None]) -> None:
    try:
        await last
    finally:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        # What waits for the store's calls ends by itself, as they do; what is left after that is stopped.
        _, left = await asyncio.wait(others, timeout=1.0) if others else (set(), set())
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await asyncio.get_running_loop().shutdown_asyncgens()
