"""The entry point of the scheme `memory://`."""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from mink_core.errors import UsageError
from mink_memory.async_store import AsyncMemoryEventStore
from mink_memory.names import forget
from mink_memory.store import MemoryEventStore

if TYPE_CHECKING:
    from collections.abc import Generator

_SCHEME = "memory://"
_OPTIONS = frozenset({"transforms", "unique_event_ids", "lock_timeout", "clock", "privacy"})
_BOOLS = {"true": True, "false": False}


def open_store(url: str, **options: Any) -> MemoryEventStore:
    """Make the store for `memory://` (private) or `memory://name` (shared in the process).

    Args:
        url: May say `unique_event_ids=true|false`, `privacy=true|false` and `lock_timeout=SECONDS` in its query.
        options: As of `MemoryEventStore`; they win over the query.

    Raises:
        UsageError: The URL or an option is wrong.
    """
    name, chosen = _parse(url, options)
    return MemoryEventStore(name, **chosen)


def open_async_store(url: str, **options: Any) -> AsyncMemoryEventStore:
    """Make the async store; see `open_store`.

    Raises:
        UsageError: The URL or an option is wrong.
    """
    name, chosen = _parse(url, options)
    return AsyncMemoryEventStore(name, **chosen)


@contextmanager
def namespaces(url: str) -> Generator[MemoryNamespaces]:
    """Logs named after the URL's; see `mink_core.Namespaces`.

    Raises:
        UsageError: The URL is wrong.
    """
    _parse(url, {})
    yield MemoryNamespaces(url)


class MemoryNamespaces:
    """See `mink_core.Namespaces`. A private `memory://` stands for a name that nobody else has."""

    def __init__(self, url: str) -> None:
        """Keep what the names begin with, and the query."""
        name, mark, query = url.removeprefix(_SCHEME).partition("?")
        self._begin = name or uuid.uuid4().hex
        self._query = mark + query

    def url(self, namespace: str) -> str:
        """See `mink_core.Namespaces.url`."""
        return f"{_SCHEME}{self._begin}.{namespace}{self._query}"

    def drop(self, namespace: str) -> None:
        """See `mink_core.Namespaces.drop`."""
        forget(f"{self._begin}.{namespace}")


def _parse(url: str, options: dict[str, Any]) -> tuple[str | None, dict[str, Any]]:
    if not url.startswith(_SCHEME):
        msg = f"a memory store's URL is memory:// or memory://name, not {url!r:.60}"
        raise UsageError(msg)
    if unknown := options.keys() - _OPTIONS:
        msg = f"the memory adapter has no option {min(unknown)!r}; it has: {', '.join(sorted(_OPTIONS))}"
        raise UsageError(msg)
    name, _, query = url.removeprefix(_SCHEME).partition("?")
    return name or None, _parse_query(query) | options


def _parse_query(query: str) -> dict[str, Any]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        msg = f"the query of a memory store's URL is malformed: {query!r:.60}"
        raise UsageError(msg) from None
    chosen: dict[str, Any] = {}
    for key, value in pairs:
        if key in chosen:
            msg = f"the URL says {key!r} twice"
            raise UsageError(msg)
        if key in ("unique_event_ids", "privacy") and value in _BOOLS:
            chosen[key] = _BOOLS[value]
        elif key == "lock_timeout":
            chosen[key] = _number(value)
        else:
            msg = (
                f"a memory store's URL may say unique_event_ids=true|false, privacy=true|false and lock_timeout=SECONDS, "
                f"not {key}={value}"
            )
            raise UsageError(msg)
    return chosen


def _number(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        msg = f"lock_timeout must be a number of seconds above 0, not {value!r:.60}"
        raise UsageError(msg) from None
