"""What threads and asyncio do each in their way: wait, run beside, enter a block."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from mink_core.runtime.bell import Bell
from mink_core.runtime.steps import Steps, run_steps, run_steps_async
from mink_core.runtime.task_waiting import wait_until_set

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")


class Signal(Protocol):
    """Something to wait for, set from any thread."""

    def set(self) -> None:
        """Wake who waits, and who will."""
        ...

    def clear(self) -> None:
        """Forget that it was set."""
        ...

    def is_set(self) -> bool:
        """Whether it was set."""
        ...

    def wait(self, seconds: float, /) -> Any:
        """A step: wait until it is set, so long at most."""
        ...


class Door(Protocol):
    """The way of one door. What returns Any is to be yielded as a step."""

    def signal(self) -> Signal:
        """A new signal."""
        ...

    def spawn(self, name: str, steps: Steps[None]) -> Any:
        """Run steps beside the caller."""
        ...

    def current(self) -> Any:
        """What `spawn` gives for whoever calls this."""
        ...

    def is_done(self, running: Any) -> bool:
        """Whether what was spawned has ended."""
        ...

    def cancel(self, running: Any) -> None:
        """Interrupt it where that is possible."""
        ...

    def join(self, running: Sequence[Any], seconds: float) -> Any:
        """A step: wait until all have ended, so long at most."""
        ...

    def collect(self, items: Any) -> Any:
        """A step: everything that an iterator gives, in a list."""
        ...

    def enter(self, block: Any) -> Any:
        """A step: enter a `with` block."""
        ...

    def leave(self, block: Any, error: BaseException | None) -> Any:
        """A step: leave it."""
        ...


class ThreadDoor:
    """By threads."""

    def signal(self) -> Bell:
        """See `Door.signal`."""
        return Bell()

    def spawn(self, name: str, steps: Steps[None]) -> threading.Thread:
        """See `Door.spawn`."""
        # A daemon, so that a handler that never returns does not keep the process alive.
        thread = threading.Thread(target=run_steps, args=(steps,), name=name, daemon=True)
        thread.start()
        return thread

    def current(self) -> threading.Thread:
        """See `Door.current`."""
        return threading.current_thread()

    def is_done(self, running: threading.Thread) -> bool:
        """See `Door.is_done`."""
        return not running.is_alive()

    def cancel(self, running: threading.Thread) -> None:
        """Threads are not interrupted."""

    def join(self, running: Sequence[threading.Thread], seconds: float) -> None:
        """See `Door.join`."""
        for thread in running:
            if thread is not threading.current_thread():
                thread.join(seconds / len(running))

    def collect(self, items: Any) -> list[Any]:
        """See `Door.collect`."""
        return list(items)

    def enter(self, block: Any) -> Any:
        """See `Door.enter`."""
        return block.__enter__()

    def leave(self, block: Any, error: BaseException | None) -> Any:
        """See `Door.leave`."""
        return block.__exit__(type(error) if error else None, error, error.__traceback__ if error else None)


class TaskSignal:
    """A `Signal` for tasks of the loop it was made in, set from any thread."""

    def __init__(self) -> None:
        """Not set."""
        self._event = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def set(self) -> None:
        """See `Signal.set`."""
        if _running_loop() is self._loop:
            self._event.set()  # at once: who stops in a handler must see it before the next event
            return
        with suppress(RuntimeError):  # the loop has ended, and with it whoever waited
            self._loop.call_soon_threadsafe(self._event.set)

    def clear(self) -> None:
        """See `Signal.clear`."""
        self._event.clear()

    def is_set(self) -> bool:
        """See `Signal.is_set`."""
        return self._event.is_set()

    async def wait(self, seconds: float) -> None:
        """See `Signal.wait`."""
        await wait_until_set(self._event, seconds)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


class TaskDoor:
    """By tasks."""

    def signal(self) -> TaskSignal:
        """See `Door.signal`."""
        return TaskSignal()

    def spawn(self, name: str, steps: Steps[None]) -> asyncio.Task[None]:
        """See `Door.spawn`."""
        return asyncio.get_running_loop().create_task(run_steps_async(steps), name=name)

    def current(self) -> asyncio.Task[Any] | None:
        """See `Door.current`."""
        return asyncio.current_task()

    def is_done(self, running: asyncio.Task[None]) -> bool:
        """See `Door.is_done`."""
        return running.done()

    def cancel(self, running: asyncio.Task[None]) -> None:
        """See `Door.cancel`."""
        running.cancel()

    async def join(self, running: Sequence[asyncio.Task[None]], seconds: float) -> None:
        """See `Door.join`."""
        if running:
            await asyncio.wait(running, timeout=seconds)

    async def collect(self, items: Any) -> list[Any]:
        """See `Door.collect`."""
        return [item async for item in items]

    async def enter(self, block: Any) -> Any:
        """See `Door.enter`."""
        return await block.__aenter__()

    async def leave(self, block: Any, error: BaseException | None) -> Any:
        """See `Door.leave`."""
        return await block.__aexit__(type(error) if error else None, error, error.__traceback__ if error else None)


def within(door: Door, block: Any, work: Callable[[Any], Steps[T]]) -> Steps[T]:
    """`with block as given: work(given)`, on either door."""
    given = yield door.enter(block)
    try:
        result = yield from work(given)
    except GeneratorExit:
        raise  # nobody is there to take a step any more
    except BaseException as error:
        yield door.leave(block, error)
        raise
    yield door.leave(block, None)
    return result
