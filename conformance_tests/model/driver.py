"""Runs a program's calls on a store and on the model, and tells the first answer that differs."""

from __future__ import annotations

import time
from contextlib import ExitStack
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

from conformance_tests.expect import same
from conformance_tests.failure import CheckFailedError, Step
from conformance_tests.looking import result_of, told
from conformance_tests.model.model import Call, Model
from conformance_tests.model.ops import (
    Append,
    Begin,
    End,
    FilterOp,
    Follow,
    Look,
    Op,
    ReadAll,
    ReadStream,
    Reopen,
    direction_of,
    to_json,
)
from mink_core import (
    AppendResult,
    Capability,
    ConcurrencyError,
    DuplicateEventError,
    EventFilter,
    ExpectedVersion,
    MinkError,
    StreamNotFoundError,
    category_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance_tests.lab import Lab
    from mink_core import NewEvent, StoredEvent, StreamAppend

READERS = (FilterOp(), FilterOp(categories=("order",)), FilterOp(event_types=("Placed", "Pl%")))
"""The filters of the readers that go on from where they were."""


class _UndoError(Exception):
    """Rolls the transaction back."""


class Driver:
    """A store of a namespace of its own under two handles, beside the model."""

    def __init__(self, lab: Lab) -> None:
        """Open nothing before the first call: a namespace may take its time, and not every program is run."""
        self.capabilities = lab.capabilities
        self.model = Model(Capability.UNIQUE_EVENT_IDS in self.capabilities)
        self.ops: list[Op] = []
        self._lab = lab
        self._steps: list[Step] = []
        self._begun = time.perf_counter()
        self._transaction: Any = None
        self._open = ExitStack()
        self._positions = [0] * len(READERS)
        self._given: list[list[StoredEvent]] = [[] for _ in READERS]

    @cached_property
    def handles(self) -> list[Any]:
        """The store, opened twice."""
        return [self._lab.open(), self._lab.open()]

    def close(self) -> None:
        """Undo an open transaction."""
        if self._transaction is not None:
            self.run(End(commit=False))

    def run(self, op: Op) -> None:
        """Make one call.

        Raises:
            CheckFailedError: The store answered another thing than the model; carries the whole program.
        """
        self.ops.append(op)
        begun = time.perf_counter() - self._begun
        try:
            outcome = getattr(self, f"_{type(op).__name__.lower()}")(op)
        except CheckFailedError as error:
            self._note(op, f"{error.seen}", begun, at_fault=True)
            error.timeline, error.replay = tuple(self._steps), to_json(self.ops)
            raise
        except Exception as error:
            self._note(op, repr(error), begun, at_fault=True)
            failure = CheckFailedError(f"{_shown(op)} raised {type(error).__name__}", "no such error", repr(error))
            failure.timeline, failure.replay = tuple(self._steps), to_json(self.ops)
            raise failure from error
        self._note(op, outcome, begun)

    def _note(self, op: Op, outcome: str, begun: float, *, at_fault: bool = False) -> None:
        inside = getattr(op, "inside", isinstance(op, (Begin, End)))
        actor = "transaction" if inside else f"handle {getattr(op, 'handle', 0) + 1}"
        self._steps.append(Step(actor, _shown(op), outcome, begun, time.perf_counter() - self._begun, at_fault))

    def _on(self, op: Any) -> Any:
        return self._transaction if getattr(op, "inside", False) else self.handles[op.handle]

    def _append(self, op: Append) -> str:
        log = self._on(op)
        items = [item.item() for item in op.items]
        expected = self.model.append(items, inside=op.inside)
        try:
            if op.batch:
                results = log.append_batch(items)
            else:
                results = [log.append(items[0].stream_id, items[0].events, expected_version=items[0].expected_version)]
        except MinkError as error:
            return self._refused(op, items, expected, error)
        if isinstance(expected, MinkError):
            _differs(op, _rule_of(expected), repr(expected), results)
        for call, result, item in zip(expected, results, items, strict=True):
            self._stored(op, call, result, item)
        return f"versions {', '.join(f'{it.first_version}-{it.last_version}' for it in results)}"

    def _refused(
        self, op: Append, items: list[StreamAppend], expected: list[Call] | MinkError, error: MinkError
    ) -> str:
        if type(error) is not type(expected):
            if isinstance(expected, MinkError):
                _differs(op, _rule_of(expected), repr(expected), repr(error))
            _differs(op, _rule_of(error), "it is stored", repr(error))
        if isinstance(error, ConcurrencyError) and isinstance(expected, ConcurrencyError):
            facts = (expected.stream_id, expected.actual)
            if (error.stream_id, error.actual) != facts:
                _differs(op, "APPEND-03", f"a conflict on {facts}", f"a conflict on {(error.stream_id, error.actual)}")
        if isinstance(error, DuplicateEventError):
            ids = [event.event_id for item in items for event in item.events]
            if error.event_id not in ids:
                _differs(op, "APPEND-09", f"DuplicateEventError with one of {ids}", f"with {error.event_id}")
        return type(error).__name__

    def _stored(self, op: Append, call: Call, result: AppendResult, item: StreamAppend) -> None:
        """Hold a result to the model's call, and the events to what was given."""
        if call.result is not None:
            if not same(result, call.result):
                _differs(op, "APPEND-09", f"the first call's {call.result}", result)
            return
        call.result = result
        stored = list(
            self._on(op).read_stream(item.stream_id, after_version=call.first_version - 1, limit=len(item.events))
        )
        call.stored = stored
        if [event.version for event in stored] != [call.first_version + n for n in range(len(item.events))]:
            _differs(op, "APPEND-02", f"versions from {call.first_version}", told(stored))
        if not same(result, result_of(stored)):
            _differs(op, "APPEND-10", f"the result that the events read make: {result_of(stored)}", result)
        for given, event in zip(item.events, stored, strict=True):
            self._same_content(op, item, given, event)
        last = max((it.global_position for one in self.model.feed for it in one.stored if one is not call), default=0)
        if not op.inside and stored[0].global_position <= last and self.model.pending is None:
            _differs(op, "FEED-02", f"positions above {last}", told(stored))

    @staticmethod
    def _same_content(op: Op, item: StreamAppend, given: NewEvent, event: StoredEvent) -> None:
        want = (item.stream_id, given.event_id, given.event_type, given.data, given.metadata or {})
        seen = (event.stream_id, event.event_id, event.event_type, event.data, event.metadata)
        if not same(seen, want):
            _differs(op, "JSON-01", want, seen)

    def _readstream(self, op: ReadStream) -> str:
        want = [it for it in self.model.stream(op.stream_id, inside=op.inside) if it.version > op.after]
        keywords = {"direction": direction_of[True]} if op.backward else {}
        got = list(self._on(op).read_stream(op.stream_id, after_version=op.after, limit=op.limit, **keywords))
        return self._compare(op, "READ-03", got, want[:: -1 if op.backward else 1][: op.limit])

    def _readall(self, op: ReadAll) -> str:
        everything = self.model.visible(EventFilter())
        after = everything[min(op.after, len(everything)) - 1].global_position if op.after and everything else 0
        where = op.where.where()
        want = [it for it in self.model.visible(where) if it.global_position > after]
        keywords = {"direction": direction_of[True]} if op.backward else {}
        got = list(self._on(op).read_all(after_position=after, limit=op.limit, where=where, **keywords))
        return self._compare(op, "FEED-06", got, want[:: -1 if op.backward else 1][: op.limit])

    def _follow(self, op: Follow) -> str:
        where = READERS[op.reader].where()
        position = self._positions[op.reader]
        page = self.handles[op.handle].poll(position, limit=op.limit, where=where)
        visible = self.model.visible(EventFilter())
        newest = max(position, visible[-1].global_position if visible else 0)
        want = [it for it in self.model.visible(where) if it.global_position > position][: op.limit]
        self._compare(op, "FEED-06", list(page.events), want[: len(page.events)])
        last = page.events[-1].global_position if page.events else position
        if not last <= page.next_position <= newest:
            _differs(op, "FEED-06", f"next_position from {last} to {newest}", page.next_position)
        missed = [it for it in want[len(page.events) :] if it.global_position <= page.next_position]
        if missed or (page.next_position == position and want):
            _differs(op, "FEED-01", told(want), f"{told(list(page.events))} and next_position {page.next_position}")
        self._positions[op.reader] = page.next_position
        self._given[op.reader] += page.events
        passed = [it for it in self.model.visible(where) if it.global_position <= page.next_position]
        return self._compare(op, "FEED-01", self._given[op.reader], passed)

    def _look(self, op: Look) -> str:
        log = self._on(op)
        events = self.model.stream(op.stream_id, inside=op.inside)
        try:
            info = log.stream_info(op.stream_id)
        except StreamNotFoundError:
            info = None
        if info is None or not events:
            if info is not None or events:
                _differs(op, "READ-01", f"{len(events)} events", info)
        elif (info.version, info.updated_at, info.category) != (
            events[-1].version,
            events[-1].timestamp,
            category_of(op.stream_id),
        ):
            _differs(op, "READ-06", f"version and time of {told(events[-1:])}", info)
        names = self.model.names(op.category, op.after, inside=op.inside)[: op.limit]
        listed = [it.stream_id for it in log.streams(category=op.category, after=op.after, limit=op.limit)]
        if listed != names:
            _differs(op, "READ-09", names, listed)
        visible = self.model.visible(EventFilter())
        head = visible[-1].global_position if visible else 0
        if log.head_position() != head:
            _differs(op, "FEED-05", head, log.head_position())
        return f"version {events[-1].version if events else 0}, {len(names)} streams, head {head}"

    def _begin(self, _: Begin) -> str:
        self._transaction = self._open.enter_context(self.handles[0].transaction())
        self.model.pending = []
        return ""

    def _end(self, op: End) -> str:
        self._transaction = None
        if op.commit:
            self._open.close()
            self.model.commit()
            return "committed"
        try:
            with self._open:
                raise _UndoError  # noqa: TRY301 -- it is the stack that has to see it
        except _UndoError:
            self.model.pending = None
            return "rolled back"

    def _reopen(self, op: Reopen) -> str:
        self.handles[op.handle].close()
        self.handles[op.handle] = self._lab.open()
        return ""

    @staticmethod
    def _compare(op: Op, rule: str, got: Sequence[StoredEvent], want: Sequence[StoredEvent]) -> str:
        if not same(list(got), list(want)):
            shown = (told(list(want)), told(list(got)))
            _differs(op, rule, *(shown if shown[0] != shown[1] else (want, got)))
        return f"{len(got)} events"


def _rule_of(error: MinkError) -> str:
    """The rule that tells when this error is due."""
    if isinstance(error, ConcurrencyError):
        if error.expected is ExpectedVersion.ANY:
            return "APPEND-05"
        return "APPEND-03" if isinstance(error.expected, int) else "APPEND-04"
    return "APPEND-09" if isinstance(error, DuplicateEventError) else "APPEND-01"


def _differs(op: Op, rule: str, expected: Any, seen: Any) -> NoReturn:
    what = f"{_shown(op)} answered another thing than the model"
    raise CheckFailedError(what, expected, seen, rule=rule)


def _shown(op: Op) -> str:
    """A call about as it would be written."""
    if isinstance(op, Append):
        parts = []
        for item in op.items:
            ids = ", ".join(f"#{event.number}" for event in item.events)
            parts.append(f"{item.stream_id[:30]!r}, [{ids}], expected_version={item.expected}")
        return f"append_batch({'; '.join(parts)})" if op.batch else f"append({parts[0]})"
    name = type(op).__name__
    facts = {key: getattr(op, key) for key in op.__struct_fields__ if key not in {"handle", "inside"}}
    shown = ", ".join(f"{key}={value!r:.60}" for key, value in facts.items() if value not in (None, False, FilterOp()))
    return f"{name}({shown})"
