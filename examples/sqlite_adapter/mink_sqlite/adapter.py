"""The entry point of the scheme `sqlite://`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mink_core import UsageError
from mink_sqlite.store import SqliteEventStore

if TYPE_CHECKING:
    from mink_core import AsyncStore

_SCHEME = "sqlite://"


def open_store(url: str, **options: Any) -> SqliteEventStore:
    """Make the store for `sqlite:///path/to/file`.

    Raises:
        UsageError: The URL names no file, or an option is wrong.
    """
    path = url.removeprefix(_SCHEME)
    if not path.startswith("/"):
        msg = f"a SQLite store's URL is sqlite:///path/to/file, not {url!r:.60}"
        raise UsageError(msg)
    return SqliteEventStore(path, **options)


def open_async_store(url: str, **options: Any) -> AsyncStore:
    """Refused: SQLite's driver is sync.

    Raises:
        UsageError: Always.
    """
    del url, options
    msg = "sqlite:// is sync only: use open_store"
    raise UsageError(msg)
