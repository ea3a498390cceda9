"""A real NATS server, or a cluster of them, with no set-up: for tests, demonstrations and a first look."""

from mink_core.servers import ServerUnavailableError
from mink_jetstream.server.cluster import Cluster, nats_cluster
from mink_jetstream.server.embedded import EmbeddedServer
from mink_jetstream.server.links import Break, Link, Links
from mink_jetstream.server.locate import nats_for_tests
from mink_jetstream.server.program import Program, find_program

__all__ = [
    "Break",
    "Cluster",
    "EmbeddedServer",
    "Link",
    "Links",
    "Program",
    "ServerUnavailableError",
    "find_program",
    "nats_cluster",
    "nats_for_tests",
]
