"""When a conflict may be told: a server that was cut off answers from its past, and its word may not be the last."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeGuard

from mink_core.errors import ConcurrencyError, MinkError
from mink_jetstream.leading import HEALING, is_led

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mink_jetstream.messages import StreamTail
    from mink_jetstream.place import Place
    from mink_jetstream.reading import Reading


class Refusals:
    """What one store makes of who leads."""

    def __init__(self, place: Place, reading: Reading) -> None:
        """Look at a place."""
        self._place = place
        self._reading = reading

    async def is_certain(
        self, error: MinkError, tails: Mapping[str, StreamTail], before: Mapping[str, StreamTail] | None
    ) -> bool:
        """Whether a refusal may be told that was decided on what has just been read.

        Args:
            error: The refusal.
            tails: What was read.
            before: What was read before `may_be_told_next` said so.
        """
        if self._place.is_alone:  # the only copy has said so
            return True
        if before is not None and all(tail.sequence >= before[name].sequence for name, tail in tails.items()):
            return True
        return _is_below(error) and await self._is_shown(error)

    async def may_be_told_next(self, error: MinkError) -> float | None:
        """The seconds after which a refusal may be told, if nothing older is read again; None where nobody leads for sure.

        Who answered may have been cut off when it did, and this be asked of another one, once it was not any more. So
        it is only by what is read afterwards that a refusal is told.
        """
        if not is_led(await self._place.info()):
            return None
        return HEALING if _is_below(error) and not self._place.is_alone else 0.0

    async def _is_shown(self, conflict: ConcurrencyError) -> bool:
        """Whether a stream is at the version that a conflict tells by one who leads for sure, so that no pause is needed.

        It has what this store appended a moment ago: see `Leading`. One answer has to say both, as the next may come from another
        server: it counts the events.
        """
        leading = self._place.leading
        if not leading.is_recent():
            return False
        stream_id = conflict.stream_id
        subject = self._place.subjects.of_stream(stream_id)
        oldest = await self._reading.oldest(stream_id)  # the first ones of an imported stream may not be there
        info = await self._place.info(subjects=subject)
        version = info.state.subjects.get(subject, 0) + (oldest.version - 1 if oldest else 0)
        return version == conflict.actual and leading.shows(info)


def _is_below(error: MinkError) -> TypeGuard[ConcurrencyError]:
    """Whether a conflict tells of fewer events than were expected: its caller is mistaken, or who tells it is behind."""
    if not isinstance(error, ConcurrencyError):
        return False
    return error.actual < (error.expected if isinstance(error.expected, int) else 1)
