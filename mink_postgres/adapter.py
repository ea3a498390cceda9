"""The entry point of the group `mink.adapters` for every postgresql scheme."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from mink_core.errors import UsageError
from mink_postgres.administration import PostgresAdministration, administered
from mink_postgres.async_store import AsyncPostgresEventStore
from mink_postgres.namespaces import SchemaNamespaces, schema_namespaces
from mink_postgres.options import PostgresOptions, split_url
from mink_postgres.source import ContainerSource, EmbeddedSource, ServerSource, Source
from mink_postgres.store import PostgresEventStore
from mink_postgres.url_query import pairs_of, query_of

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


def open_store(url: str, **options: Any) -> PostgresEventStore:
    """Make the sync store for `postgresql://…`, `postgres://…`, `postgresql+embedded://[/folder]`, `postgresql+testcontainers://`.

    Raises:
        UsageError: The URL or an option is wrong, or the scheme names asyncpg, which is async only.
    """
    source, driver, values = _read(url, options)
    if driver == "asyncpg":
        msg = "asyncpg is async only: use open_async_store, or postgresql:// for the sync door"
        raise UsageError(msg)
    return PostgresEventStore(source, **values)


def open_async_store(url: str, **options: Any) -> AsyncPostgresEventStore:
    """Make the async store: the schemes of `open_store`, and `postgresql+asyncpg://…`.

    Raises:
        UsageError: The URL or an option is wrong.
    """
    source, driver, values = _read(url, options)
    return AsyncPostgresEventStore(source, driver=driver, **values)


def administration(url: str) -> AbstractContextManager[PostgresAdministration]:
    """The administration of the store that a URL names; see `mink_core.administration`.

    Raises:
        UsageError: The URL or an option is wrong.
    """
    source, _, values = _read(url, {})
    where = ServerSource(source) if isinstance(source, str) else source
    return administered(where, PostgresOptions.of(values))


def namespaces(url: str) -> AbstractContextManager[SchemaNamespaces]:
    """A schema each, on the server that the URL names or starts; see `mink_core.Namespaces`.

    Raises:
        UsageError: The URL is wrong.
    """
    source, driver, _ = _read(url, {})
    scheme = "postgresql+asyncpg" if driver == "asyncpg" else "postgresql"
    query = url.partition("?")[2]
    if isinstance(source, str):
        return schema_namespaces(scheme, ServerSource(source), query)
    # What was for the server is no option of its stores.
    query = query_of((key, value) for key, value in pairs_of(query) if key not in _OF_STARTED_SERVERS)
    return schema_namespaces(scheme, source, query)


# What a server that is started is told, by the query of its URL.
_FSYNC: dict[str, dict[str, str]] = {"on": {}, "off": {"fsync": "off", "full_page_writes": "off"}}
_OF_STARTED_SERVERS = frozenset({"fsync", "image"})


def _read(url: str, given: dict[str, Any]) -> tuple[str | Source, str, dict[str, Any]]:
    cleaned, options = split_url(url, given)
    scheme, _, rest = cleaned.partition("://")
    _, *extras = scheme.split("+")
    driver = "asyncpg" if "asyncpg" in extras else "psycopg"
    if "embedded" in extras:
        return _embedded(rest), driver, options.as_keywords()
    if "testcontainers" in extras:
        return _container(rest), driver, options.as_keywords()
    return f"postgresql://{rest}", driver, options.as_keywords()


def _embedded(rest: str) -> EmbeddedSource:
    folder, _, query = rest.partition("?")
    said = dict(pairs_of(query))
    settings = _FSYNC.get(said.pop("fsync", "on"))
    # A folder is made where there is none: only where the URL plainly says.
    folder = unquote(folder)
    plain = folder.startswith(("/", "./")) and ".." not in folder.split("/")
    if said or settings is None or (folder and not plain):
        msg = (
            "an embedded server's URL is …+embedded:// (temporary), or …+embedded://./folder or "
            "…+embedded:///path/to/folder (kept), without '..'; "
            "beside the store's options it takes ?fsync=off, for data that may be lost"
        )
        raise UsageError(msg)
    return EmbeddedSource(folder or None, settings)


def _container(rest: str) -> ContainerSource:
    place, _, query = rest.partition("?")
    said = dict(pairs_of(query))
    image = said.pop("image", None)
    if place or said:
        msg = "a container's URL is …+testcontainers://; beside the store's options it takes ?image=postgres:17"
        raise UsageError(msg)
    return ContainerSource(image)
