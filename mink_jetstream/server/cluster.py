"""Three nodes on loopback whose network can be broken: the fixture that proves the replicated store."""

from __future__ import annotations

import secrets
import signal
import time
from collections import Counter
from contextlib import contextmanager
from itertools import permutations
from typing import TYPE_CHECKING, Any

from mink_core.servers import ServerUnavailableError
from mink_jetstream.server.embedded import USER, EmbeddedServer
from mink_jetstream.server.links import Break, Link, Links

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Mapping

HEALTHY_SECONDS = 60.0
_NOWHERE = "127.0.0.1:1"


class Cluster:
    """Nodes that replicate among themselves, by routes and to clients through links that can be broken.

    Nodes are numbered from 0 and named `node-0` and so on.
    """

    def __init__(self, nodes: list[EmbeddedServer], links: Links, routes: dict[tuple[int, int], Link]) -> None:
        """Use `nats_cluster`."""
        self.nodes = nodes
        self._links = links
        self._routes = routes
        self._doors = [links.add(node.ports["nats"]) for node in nodes]

    @property
    def url(self) -> str:
        """Every node, each through its own link. Append `/store` for a store."""
        return self.url_of(*range(len(self.nodes)))

    def url_of(self, *numbers: int) -> str:
        """Some of the nodes, each through its own link."""
        hosts = ",".join(f"127.0.0.1:{self._doors[number].port}" for number in numbers)
        return f"nats://{self.nodes[0].credentials}@{hosts}"

    @property
    def direct_url(self) -> str:
        """Every node, past the links: for figures."""
        hosts = ",".join(f"127.0.0.1:{node.ports['nats']}" for node in self.nodes)
        return f"nats://{self.nodes[0].credentials}@{hosts}"

    def node_of(self, port: int) -> int:
        """Which node a client is connected to, by the port of its link."""
        return [door.port for door in self._doors].index(port)

    def running(self) -> list[int]:
        """The nodes whose process is there."""
        return [number for number, node in enumerate(self.nodes) if node.process.is_running()]

    def kill(self, number: int) -> None:
        """SIGKILL a node, as a crash does."""
        self.nodes[number].kill()

    def restart(self, number: int) -> None:
        """Start a node again, on its own data and ports."""
        self.nodes[number].restart()

    def pause(self, number: int) -> None:
        """SIGSTOP a node, until `resume`."""
        self.nodes[number].process.signal(signal.SIGSTOP)

    def resume(self, number: int) -> None:
        """SIGCONT a node."""
        self.nodes[number].process.signal(signal.SIGCONT)

    def partition(self, *groups: Collection[int], how: Break = Break.HOLD) -> None:
        """Break every route between nodes of different groups; within a group they are healed."""
        side = {number: index for index, group in enumerate(groups) for number in group}
        for (near, far), link in self._routes.items():
            if side[near] == side[far]:
                self._links.heal(link)
            else:
                self._links.break_(link, how)

    def isolate(self, number: int, how: Break = Break.HOLD) -> None:
        """Partition one node from all others; its clients still reach it."""
        self.partition([number], [other for other in range(len(self.nodes)) if other != number], how=how)

    def heal(self) -> None:
        """Let all routes and all clients through again."""
        for link in (*self._routes.values(), *self._doors):
            self._links.heal(link)

    def break_clients(self, number: int, how: Break = Break.RESET) -> None:
        """Let no client reach a node, until `heal`."""
        self._links.break_(self._doors[number], how)

    def end_clients(self, number: int) -> None:
        """End the connections of a node's clients, who may come again at once."""
        self._links.end(self._doors[number])

    def leader_of(self, stream: str) -> int | None:
        """Which node leads a stream, as most of the running nodes see it; None while none does."""
        seen: Counter[str] = Counter()
        for number in self.running():
            leader = (self.view_of(number, stream) or {}).get("leader")
            if leader:
                seen[leader] += 1
        names = [f"node-{number}" for number in range(len(self.nodes))]
        majority = len(self.nodes) // 2 + 1
        # After a kill two are left: both must agree. A node that is cut off may still believe in itself.
        return next((names.index(name) for name, votes in seen.items() if votes >= majority), None)

    def view_of(self, number: int, stream: str) -> dict[str, Any] | None:
        """How a node sees the group of a stream: `leader` and `replicas`; None where it knows no such stream."""
        try:
            said = self.nodes[number].monitor("/jsz?streams=true")
        except ServerUnavailableError:
            return None
        for account in said.get("account_details", []):
            for detail in account.get("stream_detail", []):
                if detail["name"] == stream:
                    cluster: dict[str, Any] = detail.get("cluster", {})
                    return cluster
        return None

    def is_healthy(self) -> bool:
        """Whether every node says that it is, with every stream caught up."""
        try:
            return all(node.monitor("/healthz").get("status") == "ok" for node in self.nodes)
        except ServerUnavailableError:
            return False

    def wait_healthy(self, seconds: float = HEALTHY_SECONDS) -> None:
        """Wait until every node is healthy.

        Raises:
            ServerUnavailableError: Some are not after so many seconds; says what each answers.
        """
        end = time.monotonic() + seconds
        while not self.is_healthy():
            if time.monotonic() > end:
                problem = f"the cluster is not healthy after {seconds} s:"
                told = [f"node-{number}: {_health(node)}" for number, node in enumerate(self.nodes)]
                raise ServerUnavailableError(problem, told)
            time.sleep(0.05)


@contextmanager
def nats_cluster(nodes: int = 3, *, settings: Mapping[str, Any] | None = None) -> Generator[Cluster]:
    """Start a cluster, and stop it at the end; it dies with this process, however that ends.

    Args:
        nodes: How many; the replicas of a stream are chosen with the stream.
        settings: The servers' settings beside ours.

    Raises:
        ServerUnavailableError: No program was found, or the nodes do not find one another.
    """
    started: list[EmbeddedServer] = []
    password = secrets.token_hex(16)
    with Links() as links:
        try:
            routes = {(near, far): links.add() for near, far in permutations(range(nodes), 2)}
            for number in range(nodes):
                ports = [routes[number, far].port for far in range(nodes) if far != number]
                own = {
                    "server_name": f"node-{number}",
                    "cluster": {
                        "name": "mink",
                        "authorization": {"user": USER, "password": password},
                        "routes": [f"nats://{USER}:{password}@127.0.0.1:{port}" for port in ports],
                        # Neither clients nor nodes may learn of a way past the links.
                        "no_advertise": True,
                        "advertise": _NOWHERE,
                    },
                }
                started.append(EmbeddedServer.start(settings={**(settings or {}), **own}, password=password))
                for near in range(nodes):
                    if near != number:
                        routes[near, number].target = started[number].ports["cluster"]
            cluster = Cluster(started, links, routes)
            cluster.wait_healthy()
            yield cluster
        finally:
            for server in started:
                server.stop()


def _health(node: EmbeddedServer) -> str:
    try:
        said = node.monitor("/healthz")
    except ServerUnavailableError as error:
        return str(error)
    return str(said.get("error", said.get("status")))
