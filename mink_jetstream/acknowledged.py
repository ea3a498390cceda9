"""What a store has appended: whoever does not know that is behind, and what it answers is no end (READ-06)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mink_jetstream.place import HEALING, is_led

if TYPE_CHECKING:
    from mink_core.events import StoreIdentity
    from mink_jetstream.answers import Info
    from mink_jetstream.place import Place

_REMEMBERED = 10_000
"""Streams of which a store remembers what it has appended."""


class Acknowledged:
    """The sequences that one store was acknowledged, of one history."""

    def __init__(self, place: Place) -> None:
        """Nothing was appended."""
        self._place = place
        self._identity: StoreIdentity | None = None
        self._streams: dict[str, int] = {}
        self.newest = 0
        """The highest of all."""

    def note(self, stream_id: str, sequence: int) -> None:
        """Note what this store has appended to a stream, or found there as its own."""
        if self._place.is_alone:
            return  # its only copy has it
        if self._identity != self._place.identity:
            self.forget()
            self._identity = self._place.identity
        self.newest = max(sequence, self.newest)
        # To the end: the oldest are forgotten first.
        self._streams[stream_id] = max(sequence, self._streams.pop(stream_id, 0))
        while len(self._streams) > _REMEMBERED:
            del self._streams[next(iter(self._streams))]

    def of(self, stream_id: str) -> int:
        """The newest sequence in a stream that this store knows of."""
        return self._streams.get(stream_id, 0)

    def forget(self) -> None:
        """Know nothing."""
        self._streams.clear()
        self.newest = 0

    async def are_void(self, info: Info) -> bool:
        """Whether the store has another identity or epoch now, as a restored backup has: what was appended may not be there.

        Told by two looks, as a server that was cut off may tell an old epoch.
        """
        if self._place.identity_of(info) == self._identity:
            return False
        await asyncio.sleep(HEALING)
        info = await self._place.info()
        present = self._place.identity_of(info)
        if present == self._identity or not is_led(info):
            return False
        self._place.identity = present
        self.forget()
        return True
