"""A schema for each namespace: empty stores beside one another, for tests and measurements."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

from psycopg import sql

from mink_postgres.drivers import psycopg_sync

if TYPE_CHECKING:
    from collections.abc import Generator

    from mink_postgres.source import Source

# Many stores are opened beside one another, and few of them for long.
_FEW_CONNECTIONS = {"min_size": "0", "max_size": "8"}


class SchemaNamespaces:
    """See `mink_core.Namespaces`: the namespace is the schema's name. Its owner may drop it."""

    def __init__(self, scheme: str, server: str, query: str) -> None:
        """Keep the scheme to answer with, the server's libpq URL, and the query of the store's URL."""
        self._scheme = scheme
        self._server = server
        self._query = dict(parse_qsl(server.partition("?")[2])) | dict(parse_qsl(query))

    def url(self, namespace: str) -> str:
        """See `mink_core.Namespaces.url`."""
        place = self._server.partition("://")[2].partition("?")[0]
        return f"{self._scheme}://{place}?{urlencode({**_FEW_CONNECTIONS, **self._query, 'schema': namespace})}"

    def drop(self, namespace: str) -> None:
        """See `mink_core.Namespaces.drop`.

        Raises:
            StorageError: The server cannot be reached.
        """
        with psycopg_sync.connect(self._server) as connection:
            connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(namespace)))


@contextmanager
def schema_namespaces(scheme: str, source: Source, query: str) -> Generator[SchemaNamespaces]:
    """Namespaces on a server; one that is started for it runs until the context is left."""
    try:
        yield SchemaNamespaces(scheme, source.open(), query)
    finally:
        source.close()
