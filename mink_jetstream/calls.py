"""Calls of several events: the server stores a batch one message after another, and shows what it has so far (APPEND-01).

Each event says how many of its call come after it (`messages.REST`). So who meets an end in the middle of a call
knows where the call ends. It is committed, so the rest follows within moments, and is waited for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mink_jetstream.patience import Patience, behind
from mink_jetstream.place import is_led

if TYPE_CHECKING:
    from mink_jetstream.answers import Info
    from mink_jetstream.place import Place


class Calls:
    """Which calls are there as a whole, as far as one store knows."""

    def __init__(self, place: Place) -> None:
        """Know of none."""
        self._place = place
        self._seen = 0
        self._cut: set[int] = set()
        """Where calls should end of which only the beginning was kept: see `give_up`."""

    def saw(self, sequence: int) -> None:
        """Note a sequence that some server has: calls that end below are stored as a whole."""
        self._seen = max(self._seen, sequence)

    def is_there(self, end: int) -> bool:
        """Whether the call that ends there is known to be stored, or never to be."""
        return end <= self._seen or end in self._cut

    def is_cut(self, end: int) -> bool:
        """Whether the rest of the call that ends there was given up."""
        return end in self._cut

    def patience(self) -> Patience:
        """How long a rest is waited for: half of a call's time, so that the other half is left to go on without it."""
        jetstream = self._place.jetstream
        return Patience(jetstream.deadline_in(self._place.options.timeout / 2))

    async def reached(self, end: int) -> bool:
        """Wait until the leader's log goes up to the end of a call; False where that was given up.

        Raises:
            TransientStorageError: Who answers may be behind.
        """
        if end in self._cut:
            return False
        patience: Patience | None = None
        while True:
            info = await self._place.info()
            if info.state.last_seq >= end:
                self.saw(end)
                return True
            patience = patience or self.patience()
            if not await patience.pause():
                self.give_up(end, info)
                return False

    def give_up(self, end: int, info: Info) -> None:
        """Wait no more, now and later, for a call of which a leader shows the beginning alone for seconds.

        Its log was cut in there: one server alone may lose power while it stores a batch, and a backup ends anywhere. A store
        that cannot be read for that would be worse.

        Raises:
            TransientStorageError: It is no leader for sure, so it may be behind.
        """
        if not is_led(info):
            msg = f"position {end}, with which a call ends of which it shows the beginning,"
            raise behind(msg)
        self._cut.add(end)
