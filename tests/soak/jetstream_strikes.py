"""What is done to the cluster while the load runs. Blocking: for a thread of its own."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

from mink_jetstream.server import Break, ServerUnavailableError
from tests.soak.jetstream_ledger import Window

if TYPE_CHECKING:
    import threading
    from random import Random

    from mink_jetstream.server import Cluster
    from tests.soak.jetstream_ledger import Ledger

LEAD_SECONDS = 1.5
"""The load runs so long before the first strike, and between two of them."""


class Strikes:
    """Strikes until told to stop, and leaves the cluster whole."""

    def __init__(self, cluster: Cluster, stream: str, ledger: Ledger, chance: Random) -> None:
        """Nothing was struck."""
        self._cluster = cluster
        self._stream = stream
        self._ledger = ledger
        self._chance = chance
        self.counts: Counter[str] = Counter()
        self.minorities: list[Window] = []
        """When which node was alone."""

    def run(self, stop: threading.Event, *, partition: bool, first_leader: bool = False) -> None:
        """Strike again and again.

        Args:
            stop: Ends it after the strike that is under way.
            partition: Cut routes rather than kill nodes.
            first_leader: Strike the leader first, where one is too short to leave it to chance.
        """
        number = 0
        while not stop.wait(LEAD_SECONDS):
            leader = self._cluster.leader_of(self._stream)
            if leader is None:
                continue
            try:
                if partition:
                    self._isolate(leader, (Break.HOLD, Break.RESET)[number % 2])
                else:
                    others = [node for node in range(len(self._cluster.nodes)) if node != leader]
                    at_leader = (first_leader and number == 0) or self._chance.random() < 0.5
                    self._kill(leader if at_leader else self._chance.choice(others), at_leader=at_leader)
                self._cluster.wait_healthy()
            except ServerUnavailableError as error:
                self._ledger.problem(str(error))
                return
            number += 1

    def _kill(self, node: int, *, at_leader: bool) -> None:
        self._cluster.kill(node)
        self.counts["leader killed" if at_leader else "follower killed"] += 1
        time.sleep(self._chance.uniform(0.2, 6.0))
        self._cluster.restart(node)

    def _isolate(self, leader: int, how: Break) -> None:
        """Put the leader into the minority until the others have chosen another, and a little longer."""
        self._cluster.isolate(leader, how)
        self.counts[f"leader isolated ({how.value})"] += 1
        cut = time.monotonic()
        while self._cluster.leader_of(self._stream) in {leader, None} and time.monotonic() - cut < 30:
            time.sleep(0.1)
        time.sleep(self._chance.uniform(0.5, 3.0))
        self.minorities.append(Window(f"node-{leader}", cut, time.monotonic()))
        self._cluster.heal()
