"""A background event loop, through which sync code uses an async store."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")


class Portal:
    """One thread with one event loop. `close` cancels what is left on it and ends the thread."""

    def __init__(self) -> None:
        """Start the thread."""
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="mink-conformance-loop", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def refuse_itself(self) -> None:
        """Refuse to be waited for on its own loop, which would never end.

        Raises:
            RuntimeError: This is the loop's thread.
        """
        if threading.current_thread() is self._thread:
            msg = "a check waited for the portal's loop on that loop"
            raise RuntimeError(msg)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop, from any other thread, and wait for its result.

        An interrupt of the waiting thread cancels it.
        """
        future = asyncio.run_coroutine_threadsafe(work, self.loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """Cancel what is left and end the thread."""
        self.run(_cancel_others())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()
    await asyncio.get_running_loop().shutdown_default_executor()
