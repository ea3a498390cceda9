"""Calls of several events: the server stores a batch one message after another, and shows what it has so far (APPEND-01).

Each event says how many of its call come after it (`messages.REST`). So who meets an end in the middle of a call
knows where the call ends. It is committed, so the rest follows within moments, and is waited for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mink_jetstream.leading import is_led
from mink_jetstream.patience import Patience, behind

if TYPE_CHECKING:
    from mink_core.events import StoreIdentity
    from mink_jetstream.answers import Info
    from mink_jetstream.messages import LoggedEvent
    from mink_jetstream.place import Place


class Calls:
    """Which calls are there as a whole, as far as one store knows."""

    def __init__(self, place: Place) -> None:
        """Know of none."""
        self._place = place
        self._history: tuple[int, int, StoreIdentity | None] = 0, 0, None
        self._seen = 0
        self._cut: dict[int, int] = {}
        """Where calls should end of which only the beginning was kept, and where the log was cut: see `give_up`."""

    def saw(self, sequence: int) -> None:
        """Note a sequence that some server has: calls that end below are stored as a whole."""
        self._seen = max(self._known(), sequence)

    def _known(self) -> int:
        """What was seen; nothing of another connection or identity: a restored backup may be shorter."""
        self._look_whose_history()
        return self._seen

    def _look_whose_history(self) -> None:
        history = self._place.jetstream.connection.reconnects, self._place.histories, self._place.identity
        if history != self._history:
            self._history, self._seen, self._cut = history, 0, {}

    def is_there(self, event: LoggedEvent) -> bool:
        """Whether the rest of an event's call is known to be stored, or never to be."""
        return event.call_end <= self._known() or self.is_cut(event)

    def is_cut(self, event: LoggedEvent) -> bool:
        """Whether the rest of an event's call was given up. What the log got later is of other calls, and may end there too."""
        self._look_whose_history()
        return event.global_position <= self._cut.get(event.call_end, 0)

    def patience(self) -> Patience:
        """How long a rest is waited for: half of a call's time, so that the other half is left to go on without it."""
        jetstream = self._place.jetstream
        return Patience(jetstream.deadline_in(self._place.options.timeout / 2))

    async def reached(self, event: LoggedEvent) -> bool:
        """Wait until the leader's log goes up to the end of an event's call; False where that was given up.

        Raises:
            TransientStorageError: Who answers may be behind.
        """
        if self.is_cut(event):
            return False
        patience: Patience | None = None
        while True:
            info = await self._place.info()
            if info.state.last_seq >= event.call_end:
                self.saw(event.call_end)
                return True
            patience = patience or self.patience()
            if not await patience.pause():
                self.give_up(event, info)
                return False

    def give_up(self, event: LoggedEvent, info: Info) -> None:
        """Wait no more, now and later, for a call of which a leader shows the beginning alone for seconds.

        Its log was cut in there: one server alone may lose power while it stores a batch, and a backup ends anywhere. A store
        that cannot be read for that would be worse.

        Raises:
            TransientStorageError: It is no leader for sure, so it may be behind.
        """
        if not is_led(info):
            msg = f"position {event.call_end}, with which a call ends of which it shows the beginning,"
            raise behind(msg)
        self._cut[event.call_end] = max(event.global_position, info.state.last_seq)
