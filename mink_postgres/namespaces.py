"""A schema for each namespace: empty stores beside one another, for tests and measurements."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from mink_core.errors import TransientStorageError
from mink_postgres.drivers import psycopg_sync
from mink_postgres.drivers.psycopg_errors import translated
from mink_postgres.url_query import pairs_of, query_of

if TYPE_CHECKING:
    from collections.abc import Generator

    from mink_postgres.source import Source

# Many stores are opened beside one another, and few of them for long.
_FEW_CONNECTIONS = {"min_size": "0", "max_size": "8"}
_PATIENCE = "10s"
"""How long a drop waits for who still uses the schema."""


class SchemaNamespaces:
    """See `mink_core.Namespaces`: the namespace is the schema's name. Its owner may drop it."""

    def __init__(self, scheme: str, server: str, query: str) -> None:
        """Keep the scheme to answer with, the server's libpq URL, and the query of the store's URL."""
        self._scheme = scheme
        self._server = server
        self._query = dict(pairs_of(server.partition("?")[2])) | dict(pairs_of(query))

    def url(self, namespace: str) -> str:
        """See `mink_core.Namespaces.url`."""
        place = self._server.partition("://")[2].partition("?")[0]
        # Tables of the caller's own go there as well, and are dropped with it. A pooler keeps no such thing, and refuses it.
        pooled = self._query.get("transaction_pooler", "").lower() in {"true", "1"}
        own = {} if pooled else {"options": f"-csearch_path={namespace}"}
        said = {**_FEW_CONNECTIONS, **own, **self._query, "schema": namespace}
        return f"{self._scheme}://{place}?{query_of(said.items())}"

    def drop(self, namespace: str) -> None:
        """See `mink_core.Namespaces.drop`.

        Raises:
            StorageError: The server cannot be reached, or a transaction that is still open holds the schema.
        """
        with psycopg_sync.connect(self._server) as connection:
            try:
                connection.execute(sql.SQL("SET lock_timeout = {}").format(sql.Literal(_PATIENCE)))
                connection.execute("SET client_min_messages = warning")
                connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(namespace)))
            except psycopg.errors.LockNotAvailable as error:
                msg = f"schema {namespace} was not dropped: a transaction that is still open holds it; end it, or close its store"
                raise TransientStorageError(msg, sqlstate=error.sqlstate) from error
            except psycopg.Error as error:
                raise translated(error, None, lost=connection.broken) from error


@contextmanager
def schema_namespaces(scheme: str, source: Source, query: str) -> Generator[SchemaNamespaces]:
    """Namespaces on a server; one that is started for it runs until the context is left."""
    try:
        yield SchemaNamespaces(scheme, source.open(), query)
    finally:
        source.close()
