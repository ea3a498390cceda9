"""Workers of durable subscriptions, as the caller has them: for threads, and for asyncio."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, Self

from mink_core.errors import UsageError
from mink_core.forks import watch
from mink_core.runtime.apart import apart
from mink_core.runtime.bell import Bell
from mink_core.runtime.doors import TaskDoor, ThreadDoor
from mink_core.runtime.steps import run_steps, run_steps_async
from mink_core.runtime.supervisor import Supervisor, new_owner
from mink_core.runtime.task_waiting import wait_until_set

if TYPE_CHECKING:
    from types import TracebackType

    from mink_core.runtime.settings import SubscriptionSettings

_ONCE = "a subscription's worker runs once: make another one"


class SubscriptionWorker:
    """Runs a durable subscription in threads of its own; made by `store.subscription`.

    Example:
        ```python
        with store.subscription("mailer", send_mail):
            …  # it works beside, until the block ends

        store.subscription("mailer", send_mail).run()  # or: it works here, until it is stopped
        ```
    """

    def __init__(self, store: Any, settings: SubscriptionSettings) -> None:
        """Start nothing yet."""
        self.name = settings.name
        """The subscription's name."""
        self.owner = new_owner()
        """This worker's name."""
        self._supervisor = Supervisor(store, ThreadDoor(), settings, self.owner)
        self._thread: threading.Thread | None = None
        self._started = False
        self._ended = Bell()
        self._error: BaseException | None = None
        watch(self._is_forked)

    def _is_forked(self) -> None:
        """In a process that was forked from this one: without its threads it has ended; not begun, it is another worker."""
        if self._started:
            self._ended = Bell()
            self._ended.set()
        else:
            self.owner = new_owner()
            self._supervisor.owner = self.owner

    def run(self) -> None:
        """Work until `stop`, or the store's end, while this thread waits.

        Ctrl-C stops it; it is raised when the event that is being handled is done, a second one at once.

        Raises:
            HandlerFailedError: The handler failed on an event often enough, and was not to park it.
            PositionAheadError: The checkpoint is not from this store's history (FEED-08).
            UsageError: The subscription has another number of partitions; or it ran before.
            BaseException: What the handler raised that is no `Exception`, `SystemExit` for instance. The event is
                the first to be handled again.
        """
        self.start()
        try:
            self._ended.wait()
        except BaseException:
            self.stop()
            self._ended.wait()
            raise
        self._raise()

    def start(self) -> None:
        """Work in a thread of its own; `close` waits for it, and raises what `run` would have."""

        def work() -> None:
            try:
                run_steps(self._supervisor.run())
            except BaseException as error:  # noqa: BLE001 -- raised by close
                self._error = error
            finally:
                self._ended.set()

        if self._started:
            raise UsageError(_ONCE)
        self._started = True
        # Never in the caller's: its Ctrl-C would come between two steps, and whoever holds partitions would go on.
        self._thread = threading.Thread(target=work, name=f"mink subscription {self.name}", daemon=True)
        try:
            apart(self._thread.start)
        except BaseException as error:
            self.stop()
            if isinstance(error, RuntimeError):  # there is no thread to be had; an interrupted start goes on
                self._ended.set()
            raise

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until the worker has ended.

        Returns:
            Whether it has, within so many seconds.
        """
        return self._ended.wait(seconds)

    def nudge(self) -> None:
        """Look for new events at once, instead of after the poll interval."""
        self._supervisor.nudge()

    def stop(self) -> None:
        """End soon, after the event that is being handled. Idempotent, from any thread."""
        self._supervisor.stop()

    def close(self) -> None:
        """Stop, wait for the end, and raise what ended the worker, once.

        Called by the handler itself it only stops.
        """
        self.stop()
        if self._supervisor.is_own():
            return
        if self._thread is not None and self._thread.is_alive():
            self._thread.join()
        self._raise()

    def _raise(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close; an error of the block is not hidden by one of the worker."""
        try:
            self.close()
        except Exception:
            if error is None:
                raise


class AsyncSubscriptionWorker:
    """`SubscriptionWorker` for asyncio."""

    def __init__(self, store: Any, settings: SubscriptionSettings) -> None:
        """Start nothing yet."""
        self.name = settings.name
        """The subscription's name."""
        self.owner = new_owner()
        """This worker's name."""
        self._store = store
        self._settings = settings
        self._supervisor: Supervisor | None = None
        self._task: asyncio.Task[None] | None = None
        self._started = self._stopped = False
        self._ended = asyncio.Event()
        watch(self._is_forked)

    def _is_forked(self) -> None:
        """See `SubscriptionWorker`."""
        if not self._started:
            self.owner = new_owner()

    async def run(self) -> None:
        """See `SubscriptionWorker.run`; a cancellation ends it as well."""
        if self._started:
            raise UsageError(_ONCE)
        self._started = True
        await self._run()

    async def _run(self) -> None:
        try:
            # Made here, as its signals belong to the running loop.
            self._supervisor = Supervisor(self._store, TaskDoor(), self._settings, self.owner)
            if not self._stopped:
                await run_steps_async(self._supervisor.run())
        finally:
            self._ended.set()

    async def start(self) -> None:
        """See `SubscriptionWorker.start`."""
        if self._started:
            raise UsageError(_ONCE)
        self._started = True
        self._task = asyncio.create_task(self._run(), name=f"mink subscription {self.name}")
        self._task.add_done_callback(lambda _: self._ended.set())  # also of one that is cancelled before it begins

    async def wait(self, seconds: float | None = None) -> bool:
        """See `SubscriptionWorker.wait`."""
        await wait_until_set(self._ended, seconds)
        return self._ended.is_set()

    def nudge(self) -> None:
        """See `SubscriptionWorker.nudge`."""
        if self._supervisor is not None:
            self._supervisor.nudge()

    def stop(self) -> None:
        """See `SubscriptionWorker.stop`."""
        self._stopped = True
        if self._supervisor is not None:
            self._supervisor.stop()

    async def close(self) -> None:
        """See `SubscriptionWorker.close`."""
        self.stop()
        if self._supervisor is not None and self._supervisor.is_own():
            return
        task, self._task = self._task, None
        if task is not None:
            await task
        elif self._started:  # by `run`, which raises what ended it; or closed before
            await self._ended.wait()

    async def __aenter__(self) -> Self:
        """Start."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close; an error of the block is not hidden by one of the worker."""
        try:
            await self.close()
        except Exception:
            if error is None:
                raise
