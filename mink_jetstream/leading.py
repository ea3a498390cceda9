"""Who leads for sure: told by whom the leader has heard from, and by what this store has appended itself."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mink_jetstream.answers import Info

FRESH_SECONDS = 3.0
"""Seconds of silence after which a copy may be about to follow somebody else."""
HEALING = 1.2
"""Seconds in which a former leader hears of its successor once they reach each other: one sends each second."""


def is_led(info: Info) -> bool:
    """Whether who answered as the leader can be nobody else's former one.

    A server that was cut off believes for many seconds that it still leads, and answers from its past. Nobody
    else is elected while a majority has heard from it: a follower waits for at least four seconds of silence.
    """
    peers = info.cluster.replicas
    fresh = sum(not peer.offline and peer.active < FRESH_SECONDS * 1e9 for peer in peers)
    return 2 * (1 + fresh) > 1 + len(peers)


class Leading:
    """The newest append of one store, which shows for a moment who leads (decision 0088).

    A majority heard of it from who led then, so nobody else can lead yet: a follower waits for four seconds of silence before it
    elects somebody. And a reply that a cut has held up is none to what was sent after.
    """

    def __init__(self) -> None:
        """Nothing was appended."""
        self.newest = 0, 0.0
        """Its sequence, and when it was sent."""

    def acknowledged(self, sequence: int, sent: float) -> None:
        """Note an append of this store."""
        if sequence > self.newest[0]:
            self.newest = sequence, sent

    def forget(self) -> None:
        """Know nothing of a connection made anew: it may lead to a restored backup."""
        self.newest = 0, 0.0

    def is_recent(self) -> bool:
        """Whether it can show anything now."""
        return asyncio.get_running_loop().time() < self.newest[1] + FRESH_SECONDS

    def shows(self, info: Info) -> bool:
        """Whether who has just answered leads for sure."""
        return info.state.last_seq >= self.newest[0] and is_led(info) and self.is_recent()
