"""What a store has appended: whoever does not know that is behind, and what it answers is no end (READ-06)."""

from __future__ import annotations

from typing import TYPE_CHECKING

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

    async def note(self, stream_id: str, sequence: int) -> None:
        """Note what this store has appended to a stream, or found there as its own."""
        if not self._place.is_alone:
            await self._place.recognize()
        if self._place.is_alone:
            return  # the only server has it
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
        """Whether this is another history now: what was appended may not be there."""
        if not await self._place.is_another(info, self._identity):
            return False
        self.forget()
        return True
