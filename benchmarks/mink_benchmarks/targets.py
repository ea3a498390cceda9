"""The stores that are measured: by URL through the registry, or `module:callable`."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mink_benchmarks import loops
from mink_benchmarks.workload import STREAMS, Workload, stream_name
from mink_core import ExpectedVersion, StreamAppend, UsageError, open_async_store, open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")

# The first stream that a scenario writes to.
_OURS = re.compile(rf"{re.escape(stream_name(0))}|log-0|live-\d+")


class Target:
    """How to open one store, and whether by threads or by tasks."""

    def __init__(self, name: str, make: Callable[[], Any], *, is_async: bool) -> None:
        """Keep how to make it."""
        self.name = name
        self.make = make
        self.is_async = is_async


def target_of(text: str, *, is_async: bool, **options: Any) -> Target:
    """A target of a URL or of `module:callable`, which returns a store that is not opened yet.

    `LABEL=URL` names it, where two have the same scheme.

    Raises:
        UsageError: It is neither.
    """
    label, separator, url = text.partition("=")
    if separator and "://" in url and "://" not in label:
        found = target_of(url, is_async=is_async, **options)
        return Target(f"{label} {'async' if is_async else 'sync'}", found.make, is_async=is_async)
    if "://" in text:
        opener: Callable[..., Any] = open_async_store if is_async else open_store
        scheme = text.partition("://")[0]
        return Target(f"{scheme} {'async' if is_async else 'sync'}", lambda: opener(text, **options), is_async=is_async)
    module, separator, name = text.partition(":")
    if not separator:
        msg = f"a store is a URL, or module:callable, not {text!r:.60}"
        raise UsageError(msg)
    return Target(text, _factory(module, name), is_async=is_async)


def _factory(module: str, name: str) -> Callable[[], Any]:
    if (here := str(Path.cwd())) not in sys.path:  # as the script of a command has it not
        sys.path.insert(0, here)
    try:
        factory: Callable[[], Any] = getattr(importlib.import_module(module), name)
        with suppress(ValueError):  # of what is written in C there may be no signature
            inspect.signature(factory).bind()
    except (ImportError, AttributeError, TypeError) as error:
        msg = f"{module}:{name} is nothing that can be called without arguments for a store: {error}"
        raise UsageError(msg) from None
    return factory


def check_is_ours(target: Target) -> None:
    """Look whether a store is empty, or only has what benchmarks have written.

    Raises:
        UsageError: It has somebody's events: those of a benchmark would stay among them, and be read with them.
    """
    opened = OpenStore(target)
    try:
        page = opened.call("poll", 0, limit=1)
    finally:
        opened.close()
    if page.events and not _OURS.fullmatch(page.events[0].stream_id):
        msg = (
            f"{target.name} is a store in use: it has events that no benchmark wrote, and those of one would stay among "
            "them; name an empty store, as by a schema of its own (…?schema=bench)"
        )
        raise UsageError(msg)


class OpenStore:
    """A store that is open, with an event loop of its own where it needs one."""

    def __init__(self, target: Target) -> None:
        """Open and initialize it."""
        self.is_async = target.is_async
        self._runner = loops.runner() if target.is_async else None
        self.store = target.make()
        if not hasattr(self.store, "append"):
            msg = f"{target.name} gave a {type(self.store).__name__}, which is no store"
            raise UsageError(msg)
        self.call("initialize")

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the store's loop."""
        if self._runner is None:
            msg = "a sync store has no event loop"
            raise UsageError(msg)
        return self._runner.run(coroutine)

    def call(self, name: str, *args: Any, **options: Any) -> Any:
        """Call one method and wait for its result; an iterator comes back as a list."""
        if not self.is_async:
            result = getattr(self.store, name)(*args, **options)
            return list(result) if hasattr(result, "__next__") else result

        async def called() -> Any:
            found = getattr(self.store, name)(*args, **options)
            if inspect.isasyncgen(found):
                return [item async for item in found]
            return await found

        return self.run(called())

    def read(self, stream: str) -> Any:
        """A stream's events as a list; of an async store, an awaitable of it."""
        if self.is_async:
            return self._read_async(stream)
        return list(self.store.read_stream(stream))

    async def _read_async(self, stream: str) -> list[Any]:
        return [event async for event in self.store.read_stream(stream)]

    def versions(self) -> dict[str, int]:
        """The versions of the streams that are written to, whatever else the store has."""
        first, category = stream_name(0), stream_name(0).partition("-")[0]
        found = self.call("streams", category=category, after=first[:-1], limit=STREAMS)
        return {info.stream_id: info.version for info in found}

    def fill(self, workload: Workload) -> None:
        """Make the streams that are written to."""
        for start in range(0, STREAMS, 100):
            names = [stream_name(number) for number in range(start, start + 100)]
            self.call("append_batch", [StreamAppend(name, workload.events(1), ExpectedVersion.ANY) for name in names])

    def close(self) -> None:
        """Close it, and its loop."""
        self.call("close")
        if self._runner is not None:
            self._runner.close()
