"""The entry point of the schemes `nats://` and `nats+embedded://`."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mink_jetstream.administration import administered
from mink_jetstream.async_store import AsyncJetStreamEventStore
from mink_jetstream.options import EMBEDDED, SCHEME, options_of
from mink_jetstream.portal import Portal
from mink_jetstream.store import JetStreamEventStore

if TYPE_CHECKING:
    from collections.abc import Generator
    from contextlib import AbstractContextManager

    from mink_core.administration import Administration


def open_store(url: str, **options: Any) -> JetStreamEventStore:
    """Make the store for `nats://host,host2,host3/store`, or `nats+embedded://[/folder]`.

    Raises:
        UsageError: The URL or an option is wrong.
    """
    return JetStreamEventStore(url, **options)


def open_async_store(url: str, **options: Any) -> AsyncJetStreamEventStore:
    """Make the async store; see `open_store`.

    Raises:
        UsageError: The URL or an option is wrong.
    """
    return AsyncJetStreamEventStore(url, **options)


def administration(url: str) -> AbstractContextManager[Administration]:
    """The administration of the store that a URL names; see `mink_core.administration`.

    Raises:
        UsageError: The URL or an option is wrong.
    """
    return administered(options_of(url, {}))


@contextmanager
def namespaces(url: str) -> Generator[JetStreamNamespaces]:
    """Stores beside one another on the same servers; see `mink_core.Namespaces`.

    Raises:
        UsageError: The URL is wrong.
        StorageError: The servers cannot be reached.
    """
    options_of(url, {})
    with ExitStack() as stack:
        if url.startswith(EMBEDDED):  # one server for all of them
            url = stack.enter_context(_embedded(url))
        found = JetStreamNamespaces(url)
        stack.callback(found.close)
        yield found


@contextmanager
def _embedded(url: str) -> Generator[str]:
    from mink_jetstream.server import EmbeddedServer  # noqa: PLC0415 -- only this needs a launcher

    options = options_of(url, {})
    with EmbeddedServer.start(None if options.folder is None else Path(options.folder)) as server:
        yield f"{server.url}/{options.store}{''.join(url.partition('?')[1:])}"


class JetStreamNamespaces:
    """See `mink_core.Namespaces`: a namespace is a store whose name begins with the URL's."""

    def __init__(self, url: str) -> None:
        """Connect to nothing yet."""
        self._portal = Portal()
        path, mark, query = url.partition("?")
        self._begin = path
        self._query = mark + query
        # Streams are dropped by one connection for all: it asks by name and looks at no events.
        self._store = AsyncJetStreamEventStore(url)

    def url(self, namespace: str) -> str:
        """See `mink_core.Namespaces.url`."""
        return f"{self._begin}_{namespace}{self._query}"

    def drop(self, namespace: str) -> None:
        """See `mink_core.Namespaces.drop`."""
        name = self.url(namespace).removeprefix(SCHEME).partition("?")[0].rpartition("/")[2]
        self._portal.run(self._store.drop(name))

    def close(self) -> None:
        """Leave the servers."""
        self._portal.close(self._store.close())
