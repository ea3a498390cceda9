"""Asking again where every server that answers is behind, as it may be while a network heals, until the time is over."""

from __future__ import annotations

import asyncio

from mink_core.errors import TransientStorageError

_PAUSE = 0.005
_LONGEST_PAUSE = 0.1


class Patience:
    """The pauses of one call."""

    __slots__ = ("_deadline", "_pause")

    def __init__(self, deadline: float) -> None:
        """Have until then, by the loop's clock."""
        self._deadline = deadline
        self._pause = _PAUSE

    async def pause(self) -> bool:
        """Wait for a moment, longer each time; not where the time is over by then."""
        if asyncio.get_running_loop().time() + self._pause >= self._deadline:
            return False
        await asyncio.sleep(self._pause)
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        return True


def behind(what: str) -> TransientStorageError:
    """The error where the time is over."""
    return TransientStorageError(
        f"every server that answers is behind {what}, which may be so while a network heals; nothing was read, and the "
        "same call may be made again (where a backup was restored, its epoch has to be bumped first)"
    )
