"""The server that everything of a run is measured on: one that is given, or one started for the run."""

from __future__ import annotations

import secrets
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, cast

import psycopg
from psycopg import sql

from mink_core import TransientStorageError, UsageError
from mink_core.cli.redaction import redact, without_secrets
from mink_postgres.server import EmbeddedServer

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


class Server:
    """Gives out schemas, and drops them at the end."""

    def __init__(self, url: str) -> None:
        """Take a superuser's or an owner's URL."""
        self.url = url
        self._schemas: list[str] = []

    def new_schema(self, what: str) -> str:
        """The name of a schema of this run's own."""
        name = f"bench_{what}_{secrets.token_hex(3)}"
        self._schemas.append(name)
        return name

    def drop_later(self, schema: str) -> None:
        """Drop this one as well."""
        if schema not in self._schemas:
            self._schemas.append(schema)

    def run(self, statement: str, *args: Any) -> list[tuple[Any, ...]]:
        """Run one statement by itself."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(cast("Any", statement), args or None)
            return cursor.fetchall() if cursor.description else []

    def settle(self) -> None:
        """Let every measurement begin with true statistics and a quiet server."""
        self.run("VACUUM ANALYZE")
        with suppress(psycopg.errors.InsufficientPrivilege):  # an owner's URL is enough for the rest
            self.run("CHECKPOINT")

    def describe(self) -> dict[str, str]:
        """Version and the settings that matter."""
        names = ("server_version", "fsync", "synchronous_commit", "shared_buffers", "wal_sync_method")
        return {name: str(self.run(f"SHOW {name}")[0][0]) for name in names}

    def drop(self) -> None:
        """Drop what was made."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            for name in self._schemas:
                connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(name)))


class NoServer(Server):
    """Where every store is given by URL: nothing is started, and nothing is known of their servers."""

    def __init__(self) -> None:
        """Nothing to connect to."""
        super().__init__("")

    def settle(self) -> None:
        """Nothing to do."""

    def describe(self) -> dict[str, str]:
        """Nothing is known."""
        return {}


def _checked(url: str) -> str:
    """The URL, where a benchmark can make its schemas.

    Raises:
        UsageError: It is no such URL, or the role may not create schemas.
        TransientStorageError: There is no connection.
    """
    if not url.startswith("postgresql://") or "?" in url:
        shown = without_secrets(url)
        msg = f"a server is postgresql://USER:PASSWORD@HOST:PORT/DATABASE, without options, not {shown!r:.60}"
        raise UsageError(msg)
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            row = connection.execute(
                "SELECT current_user::text, current_database()::text, "
                "has_database_privilege(current_database(), 'CREATE')"
            ).fetchone()
    except psycopg.ProgrammingError as error:
        msg = f"not a PostgreSQL URL: {redact(str(error).strip(), url)}"
        raise UsageError(msg) from None
    except psycopg.OperationalError as error:
        told = redact(" ".join(str(error).split()), url)
        msg = f"no connection to PostgreSQL, so nothing was measured: {told}"
        raise TransientStorageError(msg) from None
    if row is not None and not row[2]:
        msg = f"{row[0]} may not create schemas in {row[1]}: GRANT CREATE ON DATABASE, or give another role's URL"
        raise UsageError(msg)
    return url


@contextmanager
def benchmark_server(url: str | None, folder: Path | None = None) -> Generator[Server]:
    """Use the server at `url`, or start one with durable settings for the time of the run; `folder` keeps its data."""
    if url is not None:
        server = Server(_checked(url))
        try:
            yield server
        finally:
            server.drop()
        return
    # A socket in the data's own folder: nobody else may use it.
    settings = {"max_wal_size": "4GB", "shared_buffers": "512MB", "unix_socket_directories": "."}
    with EmbeddedServer.start(folder, settings=settings) as embedded:
        yield Server(embedded.url())
