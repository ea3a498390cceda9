"""What follows from a history before any rule is looked at: who wrote what, and when it can have taken effect."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance_tests.histories.history import Call, History, Item, Placed, Seen

NEVER = math.inf
"""The end of what has not ended."""


@dataclass(frozen=True)
class Violation:
    """One way in which a history breaks a rule."""

    rule: str
    what: str
    """What is wrong, in a sentence."""
    expected: str
    seen: str
    calls: tuple[Call, ...] = ()
    """The calls that contradict one another."""


@dataclass(frozen=True)
class Write:
    """An item that was stored for good, as far as its caller was told."""

    call: Call
    item: Item
    placed: Placed
    effect: tuple[float, float]
    """Between which moments it became visible: the call's, or those of its transaction's commit."""


@dataclass(frozen=True)
class Span:
    """An append in flight, or the transaction that holds it open."""

    begun: float
    """When the append was called."""
    ended: float


@dataclass(frozen=True)
class Commit:
    """Versions of one stream that became visible together."""

    first: int
    last: int
    begun: float
    ended: float
    calls: tuple[Call, ...]


class Facts:
    """A history, looked at from all sides. Pure: the same history gives the same facts."""

    def __init__(self, history: History) -> None:
        """Look at a history."""
        self.history = history
        self.calls = history.calls
        self.streams = history.streams
        self.complete = bool(history.streams) or not history.calls

    @cached_property
    def feed(self) -> list[Seen]:
        """All events that were stored, by position: what the feed has to give."""
        return sorted((event for events in self.streams.values() for event in events), key=lambda it: it.position)

    @cached_property
    def stored(self) -> dict[int, list[Seen]]:
        """By number, where an event is stored."""
        found: dict[int, list[Seen]] = defaultdict(list)
        for event in self.feed:
            found[event.event].append(event)
        return found

    @cached_property
    def appends(self) -> list[Call]:
        """Every append and batch."""
        return [call for call in self.calls if call.kind in {"append", "batch"}]

    @cached_property
    def ends(self) -> dict[int, Call]:
        """By transaction, the call that ended it."""
        return {call.tx: call for call in self.calls if call.kind in {"commit", "rollback"} and call.tx is not None}

    @cached_property
    def begins(self) -> dict[int, Call]:
        """By transaction, the call that began it."""
        return {call.tx: call for call in self.calls if call.kind == "begin" and call.tx is not None}

    def fate(self, call: Call) -> str:
        """Whether an append is `stored`, `refused`, or `unknown`, as far as its caller can know."""
        if call.outcome in {"conflict", "duplicate", "transient"}:
            return "refused"
        if call.tx is not None:
            end = self.ends.get(call.tx)
            if end is not None and (end.kind == "rollback" or end.outcome == "transient"):
                return "refused"
            if end is None or end.outcome != "ok":
                return "unknown"
        return "stored" if call.outcome == "ok" else "unknown"

    def effect(self, call: Call) -> tuple[float, float]:
        """Between which moments a stored append became visible."""
        by = call if call.tx is None else self.ends.get(call.tx, call)
        return by.begun, NEVER if by.ended is None or self.fate(call) == "unknown" else by.ended

    @cached_property
    def writes(self) -> list[Write]:
        """Every item that is stored for good; of a call that was repeated, the first."""
        found: dict[tuple[str, tuple[int, ...], int], Write] = {}
        for call in self.appends:
            if self.fate(call) != "stored":
                continue
            begun, ended = self.effect(call)
            for item, placed in zip(call.items, call.placed, strict=False):
                key = (item.stream, item.events, placed.first_version)
                known = found.get(key)
                if known is not None:
                    # Either of them may be the one that wrote.
                    effect = min(begun, known.effect[0]), min(ended, known.effect[1])
                    found[key] = Write(known.call, known.item, known.placed, effect)
                else:
                    found[key] = Write(call, item, placed, (begun, ended))
        return list(found.values())

    @cached_property
    def writer(self) -> dict[int, list[Call]]:
        """By number, the calls that sent an event and were not refused."""
        found: dict[int, list[Call]] = defaultdict(list)
        for call in self.appends:
            if self.fate(call) != "refused":
                for number in (number for item in call.items for number in item.events):
                    found[number].append(call)
        return found

    @cached_property
    def _by_place(self) -> dict[tuple[str, int], list[Call]]:
        """By stream and version, the calls that were told they stored an event there."""
        found: dict[tuple[str, int], list[Call]] = defaultdict(list)
        for call in self.appends:
            if self.fate(call) == "stored":
                for placed in call.placed:
                    for version in range(placed.first_version, placed.last_version + 1):
                        found[placed.stream, version].append(call)
        return found

    def writers(self, event: Seen) -> list[Call]:
        """The calls that can have stored an event where it is."""
        sent = self.writer.get(event.event, [])
        told = self._by_place.get((event.stream, event.version), ())
        # Under ANY a repeated call stores its events again: each time is one call's.
        return (
            [call for call in told if call in sent] or [call for call in sent if self.fate(call) == "unknown"] or sent
        )

    def shown_from(self, event: Seen) -> float:
        """The earliest moment at which anybody else can have seen an event; never where nobody stored it."""
        return min((self.effect(call)[0] for call in self.writers(event)), default=NEVER)

    def certain_from(self, event: Seen) -> float:
        """The moment from which an event is known to be stored."""
        return min((self.effect(call)[1] for call in self.writers(event)), default=NEVER)

    @cached_property
    def commits(self) -> dict[str, list[Commit]]:
        """By stream, in version order, which versions became visible together and when."""
        return {stream: list(self._commits(events)) for stream, events in self.streams.items()}

    def _commits(self, events: tuple[Seen, ...]) -> Iterator[Commit]:
        group: list[Seen] = []
        key: object = None
        for event in (*events, None):
            own = None if event is None else self._together(event)
            if group and own != key:
                calls = self.writers(group[0])
                begun = min((self.effect(call)[0] for call in calls), default=0.0)
                ended = min((self.effect(call)[1] for call in calls), default=NEVER)
                yield Commit(group[0].version, group[-1].version, begun, ended, tuple(calls))
                group = []
            if event is not None:
                group.append(event)
                key = own

    def _together(self, event: Seen) -> object:
        """What an event shares with those that became visible with it."""
        calls = self.writers(event)
        if not calls:
            return event
        return ("tx", calls[0].tx) if calls[0].tx is not None else ("call", id(calls[0]))

    @cached_property
    def spans(self) -> list[Span]:
        """Every append, with the transaction that holds it open."""
        found: list[Span] = []
        for call in self.appends:
            by = call if call.tx is None else self.ends.get(call.tx)
            ended = NEVER if by is None or by.ended is None or by.outcome in {"unknown", "error"} else by.ended
            found.append(Span(call.begun, max(ended, call.ended or NEVER)))
        return found


def ended(call: Call) -> float:
    """When a call ended; never, where it did not."""
    return NEVER if call.ended is None else call.ended
