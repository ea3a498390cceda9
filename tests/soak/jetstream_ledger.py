"""What was asked of a replicated store and answered, and the judgement of what it holds afterwards."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from enum import Enum
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from uuid import UUID

    from mink_core import AppendResult


class Outcome(Enum):
    """How a call ended, all of its tries taken together."""

    ACKNOWLEDGED = "acknowledged"
    UNKNOWN = "unknown"
    """Stored whole, or not at all: `OutcomeUnknownError`, and not repeated until it was known."""
    REFUSED = "refused"
    """A conflict: nothing of it is stored."""
    NOT_STORED = "not_stored"
    """`TransientStorageError` said so, and it was not repeated: nothing of it is stored."""


class Call(NamedTuple):
    """One append."""

    stream: str
    expected: int
    ids: tuple[UUID, ...]
    outcome: Outcome
    began: float
    ended: float
    through: str
    """By which node the caller came."""
    result: AppendResult | None = None


class Seen(NamedTuple):
    """An event, as a reader was given it."""

    position: int
    event_id: UUID
    stream: str
    version: int


class Window(NamedTuple):
    """When a node had no majority."""

    through: str
    began: float
    ended: float


class Stale(NamedTuple):
    """A conflict that was told with a version below one that had been acknowledged before the call."""

    through: str
    at: float
    said: str


class Ledger:
    """Written by all callers of one event loop."""

    def __init__(self) -> None:
        """Nothing was asked."""
        self.calls: list[Call] = []
        self.problems: list[str] = []
        """What no fault explains."""
        self.stale: list[Stale] = []
        self.errors: Counter[str] = Counter()
        """By the error's name: every try that failed."""
        self.highest: defaultdict[str, int] = defaultdict(int)
        """The highest version of each stream that was acknowledged."""
        self._last = time.monotonic()
        self.longest_gap = 0.0
        """Seconds between one acknowledgement and the next, of whichever caller."""

    def note(self, call: Call) -> None:
        """Keep a call that has ended."""
        self.calls.append(call)
        if call.result is not None:
            self.longest_gap = max(self.longest_gap, call.ended - self._last)
            self._last = call.ended
            self.highest[call.stream] = max(self.highest[call.stream], call.result.last_version)

    def problem(self, said: str) -> None:
        """Something happened that must not."""
        self.problems.append(said)

    def excuse(self, windows: Sequence[Window], grace: float = 1.0) -> int:
        """Conflicts told by a node that was alone may be old; those told by others become problems.

        Returns:
            How many are excused.
        """
        excused = [
            any(it.through == window.through and window.began < it.at < window.ended + grace for window in windows)
            for it in self.stale
        ]
        self.problems += [it.said for it, fine in zip(self.stale, excused, strict=True) if not fine]
        return sum(excused)

    def count(self, outcome: Outcome) -> int:
        """How many calls ended so."""
        return sum(call.outcome is outcome for call in self.calls)

    def within(self, window: Window) -> Counter[str]:
        """What became of calls that began in a window, by its node: `acknowledged in time` is what must not be."""
        found: Counter[str] = Counter()
        for call in self.calls:
            if call.through == window.through and window.began < call.began < window.ended:
                in_time = call.outcome is Outcome.ACKNOWLEDGED and call.ended < window.ended
                found["acknowledged in time" if in_time else call.outcome.value] += 1
        return found


class Verdict(NamedTuple):
    """What was found."""

    events: int
    """Acknowledged."""
    stored: int
    lost: int
    twice: int
    unknown_stored: int
    """Calls of unknown outcome that are stored."""
    problems: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong, and something was tried."""
        return not self.lost and not self.twice and not self.problems and self.events > 0


def judge(ledger: Ledger, feed: Sequence[Seen], readers: Sequence[Sequence[Seen]]) -> Verdict:
    """Compare what callers were told with the whole feed, and the feed with what each reader was given."""
    at = {event.event_id: event for event in feed}
    acknowledged = [call for call in ledger.calls if call.outcome is Outcome.ACKNOWLEDGED]
    ids = [event_id for call in acknowledged for event_id in call.ids]
    problems = [*ledger.problems, *_order(feed), *_absent(ledger, at), *_told(acknowledged, at)]
    for number, given in enumerate(readers):
        problems += [f"reader {number} {said}" for said in _reader(given, feed)]
    unknown = [call for call in ledger.calls if call.outcome is Outcome.UNKNOWN]
    known = {event_id for call in ledger.calls for event_id in call.ids}
    if strange := len(at.keys() - known):
        problems.append(f"{strange} events are stored that nobody appended")
    return Verdict(
        len(ids),
        len(feed),
        sum(event_id not in at for event_id in ids),
        len(feed) - len(at),
        sum(call.ids[0] in at for call in unknown),
        tuple(problems[:10]),
    )


def _order(feed: Sequence[Seen]) -> Iterator[str]:
    for before, after in pairwise(feed):
        if after.position <= before.position:
            yield f"position {after.position} comes after {before.position}"
    newest: dict[str, int] = {}
    for event in feed:
        if event.version != newest.get(event.stream, 0) + 1:
            yield f"{event.stream} goes on with version {event.version} after {newest.get(event.stream, 0)}"
        newest[event.stream] = event.version


def _absent(ledger: Ledger, at: dict[UUID, Seen]) -> Iterator[str]:
    for call in ledger.calls:
        found = sum(event_id in at for event_id in call.ids)
        if call.outcome in {Outcome.REFUSED, Outcome.NOT_STORED} and found:
            yield f"a call on {call.stream} was {call.outcome.value}, and {found} of {len(call.ids)} events are stored"
        elif 0 < found < len(call.ids):
            yield f"a call on {call.stream} is stored in part: {found} of {len(call.ids)} events"


def _told(acknowledged: list[Call], at: dict[UUID, Seen]) -> Iterator[str]:
    for call in acknowledged:
        assert call.result is not None
        for number, event_id in enumerate(call.ids):
            event = at.get(event_id)
            if event is None:
                continue  # counted as lost
            told = call.expected + 1 + number
            if (event.stream, event.version) != (call.stream, told) or call.result.first_version != call.expected + 1:
                yield f"an event of {call.stream} was told at {told} and is {event.stream} {event.version}"
            if not call.result.first_position <= event.position <= call.result.last_position:
                yield f"an event of {call.stream} was told at another position than {event.position}"


def _reader(given: Sequence[Seen], feed: Sequence[Seen]) -> Iterator[str]:
    if list(given) == list(feed):
        return
    missing, more = set(feed) - set(given), set(given) - set(feed)
    repeated = len(given) - len(set(given))
    yield (
        f"was given {len(given)} events of {len(feed)}: {len(missing)} missing, {len(more)} that are not stored, "
        f"{repeated} repeated{'' if missing or more or repeated else ', in another order'}"
    )
