"""Writes down every call with its two times, and translates between a program's numbers and the store's names."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from conformance_tests.histories.history import FOREIGN, Call, Item, Placed, Seen
from mink_core import (
    ConcurrencyError,
    DuplicateEventError,
    ExpectedVersion,
    NewEvent,
    OutcomeUnknownError,
    StreamAppend,
    StreamNotFoundError,
    TransientStorageError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mink_core import AppendResult, Expected, StoredEvent

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)
_NUMBER_BITS = 32
_NAMED = {expected.value: expected for expected in ExpectedVersion}


class Scribe:
    """The record of one history. Any thread may write to it."""

    def __init__(self, tag: str, salt: int, streams: int) -> None:
        """Begin.

        Args:
            tag: What the history's streams begin with, so that histories can share a store.
            salt: What its event ids begin with.
            streams: How many streams there are.
        """
        self.calls: list[Call] = []
        self.pending: dict[str, dict[str, Any]] = {}
        """By actor, the call that has begun and not ended."""
        self._salt = salt
        self._names = {f"s{number}": f"{tag}s{number}-x" for number in range(streams)}
        self._shorts = {name: short for short, name in self._names.items()}
        self._origin = time.perf_counter_ns()

    def now(self) -> int:
        """Nanoseconds since the history began, from one clock for all actors."""
        return time.perf_counter_ns() - self._origin

    def name(self, short: str) -> str:
        """A stream's name in the store."""
        return self._names[short]

    def names(self) -> dict[str, str]:
        """All streams: their short names, and those in the store."""
        return self._names

    def begin(self, actor: str, kind: str, facts: dict[str, Any]) -> int:
        """Note that a call begins."""
        begun = self.now()
        self.pending[actor] = {"kind": kind, "begun": begun, **facts}
        return begun

    def end(self, actor: str, kind: str, begun: int, outcome: dict[str, Any]) -> Call:
        """Note that it has ended, and how."""
        call = Call(actor=actor, kind=kind, begun=begun, ended=self.now(), **outcome)
        self.pending.pop(actor, None)
        self.calls.append(call)
        return call

    def all_calls(self) -> tuple[Call, ...]:
        """Every call so far, those that have not ended too."""
        still = [Call(actor=actor, ended=None, outcome="open", **facts) for actor, facts in list(self.pending.items())]
        return tuple(sorted([*self.calls, *still], key=lambda call: call.begun))

    def new_events(self, numbers: Iterable[int]) -> list[NewEvent]:
        """The events of these numbers: the same ones each time."""
        return [
            NewEvent("Happened", {"n": number}, event_id=UUID(int=(self._salt << _NUMBER_BITS) | number))
            for number in numbers
        ]

    def to_append(self, item: Item) -> StreamAppend:
        """An item as the store takes it."""
        expected: Expected = item.expected if isinstance(item.expected, int) else _NAMED[item.expected]
        return StreamAppend(self.name(item.stream), self.new_events(item.events), expected)

    def number(self, event_id: UUID) -> int:
        """The number of an event id; `FOREIGN` where it is not of this history."""
        salt, number = divmod(event_id.int, 1 << _NUMBER_BITS)
        return number if salt == self._salt else FOREIGN

    def seen(self, events: Iterable[StoredEvent]) -> tuple[Seen, ...]:
        """Events as they were read."""
        return tuple(self._one(event) for event in events)

    def _one(self, event: StoredEvent) -> Seen:
        number = self.number(event.event_id)
        if event.data != {"n": number}:
            number = FOREIGN
        stamp = (event.timestamp - _EPOCH) // _TICK
        stream = self._shorts.get(event.stream_id, event.stream_id)
        return Seen(stream, event.version, event.global_position, number, stamp)

    def placed(self, results: Sequence[AppendResult]) -> tuple[Placed, ...]:
        """What appends say they stored."""
        return tuple(
            Placed(
                self._shorts.get(result.stream_id, result.stream_id),
                result.first_version,
                result.last_version,
                result.first_position,
                result.last_position,
                tuple(map(self.number, result.event_ids)),
            )
            for result in results
        )

    def failed(self, error: BaseException) -> dict[str, Any]:
        """How a call ended that raised."""
        message = f"{type(error).__name__}: {error}"[:300]
        if isinstance(error, ConcurrencyError):
            stream = self._shorts.get(error.stream_id, error.stream_id)
            return {"outcome": "conflict", "stream": stream, "number": error.actual, "message": message}
        if isinstance(error, OutcomeUnknownError):
            return {"outcome": "unknown", "retry_is_safe": error.retry_is_safe, "message": message}
        for kind, outcome in _OUTCOMES.items():
            if isinstance(error, kind):
                return {"outcome": outcome, "message": message}
        return {"outcome": "error", "message": message}


_OUTCOMES: dict[type[BaseException], str] = {
    DuplicateEventError: "duplicate",
    TransientStorageError: "transient",
    StreamNotFoundError: "missing",
}
