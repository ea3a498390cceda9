"""What is put to the test: a URL, or a callable that opens a store of a namespace."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

from conformance_tests.failure import origin, tell
from mink_core import AdapterError, MinkError, UsageError, open_async_store, open_namespaces, open_store

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from mink_core import AsyncEventStore, EventStore, Namespaces

Opener: TypeAlias = "Callable[[str], EventStore | AsyncEventStore]"
"""Opens the store of a namespace. Two calls with one namespace are two handles on the same data;
another namespace is isolated. It may have an attribute `drop`, a function that removes one."""

Door: TypeAlias = Literal["sync", "async"]

_PASSWORD = re.compile(r"(?<=://)([^/?#@:]*):[^/?#]*@")
_SECRET_OPTION = re.compile(r"(?<=[?&])(\w*(?:password|secret|token|_url)=)[^&]+", re.IGNORECASE)


class Target:
    """Opens stores of namespaces, and removes them where the adapter offers it. A context manager."""

    def __init__(self, name: str, opener: Opener, *, spec: str | None = None) -> None:
        """Take the callable.

        Args:
            name: What reports call it.
            opener: See `Opener`.
            spec: What `target_of` makes the same target of, where there is such a string.
        """
        self.name = name
        self.spec = spec
        self._opener = opener

    def __enter__(self) -> Self:
        """Get ready to open stores."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of what was taken for it."""

    def open(self, namespace: str) -> Any:
        """The store of a namespace, sync or async, not entered."""
        return _store_of(self.name, self._opener(namespace))

    def drop(self, namespace: str) -> None:
        """Remove a namespace, where the adapter can; otherwise it stays."""
        drop = getattr(self._opener, "drop", None)
        if drop is not None:
            drop(namespace)

    def reopening(self, namespace: str) -> str | None:
        """A spec by which another process opens this namespace, where there is one."""
        del namespace
        return self.spec


class UrlTarget(Target):
    """A URL whose adapter offers namespaces (`mink_core.open_namespaces`)."""

    def __init__(self, url: str, door: Door | None = None) -> None:
        """Choose the door: the sync one where the adapter has it for this URL, unless told otherwise."""
        shown = _SECRET_OPTION.sub(r"\1…", _PASSWORD.sub(r"\1:…@", url))
        super().__init__(f"{shown} ({door})" if door else shown, self._open, spec=url if shown == url else None)
        self._url = url
        self.door = door
        self._stack = ExitStack()
        self._namespaces: Namespaces | None = None

    def __enter__(self) -> Self:
        """Reach the place that the URL leads to.

        Raises:
            MinkError: It cannot be reached, or its adapter offers no namespaces.
        """
        self._namespaces = self._stack.enter_context(open_namespaces(self._url))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave it."""
        self._stack.close()

    def url(self, namespace: str) -> str:
        """The URL of a namespace."""
        assert self._namespaces is not None, "enter the target first"  # noqa: S101 -- a mistake in the kit itself
        return self._namespaces.url(namespace)

    def drop(self, namespace: str) -> None:
        """Remove a namespace."""
        assert self._namespaces is not None  # noqa: S101 -- as above
        self._namespaces.drop(namespace)

    def reopening(self, namespace: str) -> str | None:
        """The namespace's URL."""
        return self.url(namespace)

    def _open(self, namespace: str) -> Any:
        url = self.url(namespace)
        if self.door == "async":
            return open_async_store(url)
        if self.door == "sync":
            return open_store(url)
        try:
            return open_store(url)
        except (MinkError, AttributeError):
            self.door = "async"
            return open_async_store(url)


def target_of(spec: str | Opener, *, door: Door | None = None, name: str | None = None) -> Target:
    """The target of a URL, of `package.module:callable`, or of a callable itself.

    Args:
        spec: What to test.
        door: For a URL whose adapter has both: the sync or the async store.
        name: What reports call it.

    Raises:
        UsageError: It is none of these, or cannot be imported.
    """
    if callable(spec):
        return Target(name or f"{spec.__module__}:{getattr(spec, '__qualname__', spec)}", spec)
    if "://" in spec:
        target = UrlTarget(spec, door)
        target.name = name or target.name
        return target
    return Target(name or spec, _imported(spec), spec=spec)


_NEEDED = ("append", "read_stream", "read_all", "poll", "stream_info", "capabilities", "initialize", "close")


def _store_of(name: str, given: Any) -> Any:
    """What an opener gave, if it looks like a store."""
    missing = [method for method in _NEEDED if not hasattr(type(given), method) and not hasattr(given, method)]
    if not missing and not isinstance(given, type):
        return given
    what = f"the class {given.__qualname__}" if isinstance(given, type) else f"a {type(given).__name__}"
    hint = f", which has no {', '.join(missing)}" if missing and given is not None else ""
    if inspect.iscoroutine(given):
        given.close()
        hint = ": make it a plain function, also where it opens an async store"
    msg = f"the target {name} gave {what}{hint}; it must give an EventStore or AsyncEventStore that is not entered"
    raise UsageError(msg)


def _imported(spec: str) -> Opener:
    module, _, path = spec.partition(":")
    if not path or not all(part.isidentifier() for part in [*module.split("."), *path.split(".")]):
        msg = f"a target is a URL (scheme://…) or package.module:callable, not {spec!r:.100}"
        raise UsageError(msg)
    # As `python -m` finds what lies in the working directory, so does a target given to a script.
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = importlib.import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        msg = f"cannot import the target {spec}: {tell(error)}"
        raise UsageError(msg) from error
    except (Exception, SystemExit) as error:  # whatever a module does when it is imported
        msg = f"cannot import the target {spec}: {origin(error)}"
        raise UsageError(msg) from error
    if not callable(found):
        msg = f"the target {spec} is not callable; it must be open(namespace) -> EventStore | AsyncEventStore"
        raise UsageError(msg)
    return found  # type: ignore[no-any-return]


def is_async_store(store: Any) -> bool:
    """Whether a store is an `AsyncEventStore`: its methods are awaited."""
    return inspect.iscoroutinefunction(getattr(store, "append", None)) or not hasattr(store, "__enter__")


__all__ = ["AdapterError", "Door", "Opener", "Target", "UrlTarget", "is_async_store", "target_of"]
