"""What an append has sent and does not know the outcome of yet: looked for until it is known.

A publish without a reply may be stored, or be stored yet; one that a server refused may be stored by another that
leads (decision 0060). Each carries the sequences of its streams that it expects. So once a newer event of one of them is
read, it is there or will never be. Until then the same events may be sent again: one of the two at most is stored.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from mink_core.encoded import result_of
from mink_core.errors import TransientStorageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mink_core.events import AppendResult
    from mink_jetstream.drafts import Write
    from mink_jetstream.messages import StreamTail
    from mink_jetstream.reading import Reading


class Wait(StrEnum):
    """What a call waits for, as is told when its time is over."""

    REPLY = "JetStream did not answer within {:g} s"
    OTHERS = "others appended to the same stream all the {:g} s that this call waited"
    LEADER = (
        "the stream is not as expected on a server that has lost its majority for {:g} s, so it may be otherwise by now"
    )


def over(wait: Wait, seconds: float) -> TransientStorageError:
    """The error of a call whose time is over, of which nothing was stored."""
    return TransientStorageError(f"{wait.format(seconds)}; nothing was stored, and the same call may be made again")


class Attempt(NamedTuple):
    """One publish of a call's events."""

    writes: Sequence[Write]
    expected: Mapping[str, int]
    """The newest sequence of each stream that it was decided on."""


class Attempts:
    """The attempts of one call whose outcome is open."""

    def __init__(self, reading: Reading, seconds: float) -> None:
        """Nothing was sent. The call has so many seconds."""
        self._seconds = seconds
        self._wait = Wait.REPLY
        self._reading = reading
        self._open: list[Attempt] = []
        self.problem = ""
        """What became of the newest."""

    @property
    def are_open(self) -> bool:
        """Whether something may be stored."""
        return bool(self._open)

    def waits_for(self, wait: Wait) -> None:
        """Note what the call waits for now."""
        self._wait = wait

    def over(self) -> TransientStorageError:
        """The error for when its time is over: what it has waited for last."""
        return over(self._wait, self._seconds)

    def begin(self, writes: Sequence[Write], tails: Mapping[str, StreamTail]) -> Attempt:
        """Note what is sent now: whatever happens to the call from here on, it may be stored."""
        names = {write.item.stream_id for write in writes}
        attempt = Attempt(tuple(writes), {name: tails[name].sequence for name in names})
        self._open.append(attempt)
        return attempt

    def end(self, attempt: Attempt) -> None:
        """Note that its outcome is known."""
        self._open.remove(attempt)

    async def landed(self, tails: Mapping[str, StreamTail]) -> list[AppendResult] | None:
        """The results of the one that is stored, by the newest events of its streams; None where none is seen."""
        for attempt in list(self._open):
            found = await self._look(attempt, tails)
            if found:
                return found
            if found is not None:
                self.end(attempt)
        return None

    async def _look(self, attempt: Attempt, tails: Mapping[str, StreamTail]) -> list[AppendResult] | None:
        """Its results; none of them where it will never be stored; None while nobody can say."""
        results: list[AppendResult] = []
        is_open = False
        for item, version, time in attempt.writes:
            tail, last = tails[item.stream_id], version + len(item.events)
            if tail.sequence <= attempt.expected[item.stream_id]:
                is_open = True  # also where another stream has it already: this one was read before
                continue
            rows = await self._reading.versions(item.stream_id, version, last, tail) if tail.version >= last else []
            if tail.version >= last and len(rows) < len(item.events):
                is_open = True  # no server shows them all at this moment
                continue
            # By its time it is this very attempt, and not another call with the same ids, or the beginning of one.
            if [(row.event_id, row.timestamp) for row in rows] != [(event.event_id, time) for event in item.events]:
                return []
            results.append(result_of(rows))
        return None if is_open else results
