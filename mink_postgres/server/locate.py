"""A PostgreSQL for tests, from wherever one can be had."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mink_core.servers import ServerUnavailableError
from mink_postgres.server.binaries import ADVICE
from mink_postgres.server.container import ContainerServer
from mink_postgres.server.embedded import EmbeddedServer

if TYPE_CHECKING:
    from collections.abc import Generator


@contextmanager
def postgres_for_tests() -> Generator[str]:
    """A server's URL: `MINK_POSTGRES_URL`, else an embedded server, else a container.

    Raises:
        ServerUnavailableError: None could be had; lists what was tried.
    """
    given = os.environ.get("MINK_POSTGRES_URL")
    if given:
        yield given
        return
    tried = ["MINK_POSTGRES_URL is not set"]
    server: EmbeddedServer | ContainerServer | None = None
    for kind, start in (("embedded", EmbeddedServer.start), ("container", ContainerServer.start)):
        try:
            server = start()
            break
        except ServerUnavailableError as error:
            tried.append(f"{kind}: {error}")
    if server is None:
        problem = "no PostgreSQL could be had for the tests; tried:"
        raise ServerUnavailableError(problem, tried, advice=ADVICE)
    with server:
        yield server.url()
