"""The entry point of the scheme `sqlite://`."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mink_core import UsageError
from mink_sqlite.store import SqliteEventStore

if TYPE_CHECKING:
    from collections.abc import Generator

    from mink_core import AsyncStore

_SCHEME = "sqlite://"


def open_store(url: str, **options: Any) -> SqliteEventStore:
    """Make the store for `sqlite:///path/to/file`.

    Raises:
        UsageError: The URL names no file, or an option is wrong.
    """
    return SqliteEventStore(_path(url), **options)


def open_async_store(url: str, **options: Any) -> AsyncStore:
    """Refused: SQLite's driver is sync.

    Raises:
        UsageError: Always.
    """
    del url, options
    msg = "sqlite:// is sync only: use open_store"
    raise UsageError(msg)


class FileNamespaces:
    """See `mink_core.Namespaces`: each namespace is a file beside the URL's."""

    def __init__(self, path: str) -> None:
        """Keep the URL's own path."""
        self._path = path

    def url(self, namespace: str) -> str:
        """See `mink_core.Namespaces.url`."""
        return f"{_SCHEME}{self._path}.{namespace}"

    def drop(self, namespace: str) -> None:
        """See `mink_core.Namespaces.drop`."""
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self._path}.{namespace}{suffix}").unlink(missing_ok=True)


@contextmanager
def namespaces(url: str) -> Generator[FileNamespaces]:
    """Files beside the URL's, for tests and measurements.

    Raises:
        UsageError: The URL names no file.
    """
    yield FileNamespaces(_path(url))


def _path(url: str) -> str:
    path = url.removeprefix(_SCHEME)
    if not path.startswith("/"):
        msg = f"a SQLite store's URL is sqlite:///path/to/file, not {url!r:.60}"
        raise UsageError(msg)
    return path
