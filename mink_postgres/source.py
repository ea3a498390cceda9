"""Where connections come from: a server that is there, or one that is started for the store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mink_postgres.server import ContainerServer, EmbeddedServer


class Source(Protocol):
    """Gives the connection string, and lets go of what it took for it. Blocking."""

    def open(self) -> str:
        """The libpq URL or conninfo to connect with."""
        ...

    def close(self) -> None:
        """Let go. Idempotent."""
        ...


class ServerSource:
    """A server that somebody else runs."""

    def __init__(self, conninfo: str) -> None:
        """Keep the connection string."""
        self._conninfo = conninfo

    def open(self) -> str:
        """The connection string."""
        return self._conninfo

    def close(self) -> None:
        """Nothing to let go of."""


class EmbeddedSource:
    """A server started for the store: temporary, or kept in a folder."""

    def __init__(self, folder: str | None, settings: Mapping[str, str] | None = None) -> None:
        """Start nothing yet."""
        self._folder = None if folder is None else Path(folder).absolute()
        self._settings = settings
        self._server: EmbeddedServer | None = None

    def open(self) -> str:
        """Start the server, or attach to the one that runs on the folder."""
        from mink_postgres.server import EmbeddedServer  # noqa: PLC0415 -- only this source needs a launcher

        if self._server is None:
            self._server = EmbeddedServer.start(self._folder, settings=self._settings)
        return self._server.url()

    def close(self) -> None:
        """Stop the server; a kept folder's stops with its last user."""
        server, self._server = self._server, None
        if server is not None:
            server.stop()


class ContainerSource:
    """A server in a container, started for the store and gone with it."""

    def __init__(self, image: str | None) -> None:
        """Start nothing yet."""
        self._image = image
        self._server: ContainerServer | None = None

    def open(self) -> str:
        """Start the container."""
        from mink_postgres.server.container import IMAGE, ContainerServer  # noqa: PLC0415 -- as above

        if self._server is None:
            self._server = ContainerServer.start(self._image or IMAGE)
        return self._server.url()

    def close(self) -> None:
        """Stop and remove it."""
        server, self._server = self._server, None
        if server is not None:
            server.stop()
