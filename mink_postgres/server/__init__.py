"""A real PostgreSQL with no set-up, for tests, demonstrations and a first look."""

from mink_core.servers import ServerUnavailableError
from mink_postgres.server.binaries import Binaries, find_binaries
from mink_postgres.server.container import ContainerServer
from mink_postgres.server.embedded import EmbeddedServer
from mink_postgres.server.locate import postgres_for_tests

__all__ = [
    "Binaries",
    "ContainerServer",
    "EmbeddedServer",
    "ServerUnavailableError",
    "find_binaries",
    "postgres_for_tests",
]
