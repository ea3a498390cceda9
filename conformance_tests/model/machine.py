"""The Hypothesis state machine that draws programs, and how a check runs it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from conformance_tests.failure import CheckFailedError
from conformance_tests.level import Level
from conformance_tests.model import strategies as draw
from conformance_tests.model.driver import READERS, Driver
from conformance_tests.model.ops import (
    Append,
    Begin,
    End,
    EventOp,
    FilterOp,
    Follow,
    ItemOp,
    Look,
    Op,
    ReadAll,
    ReadStream,
    Reopen,
    Sequence,
    from_json,
)
from conformance_tests.model.shrinking import failure_of, without_needless
from mink_core import Capability

if TYPE_CHECKING:
    from conformance_tests.lab import Lab

_handles = st.integers(0, 1)
_expected = st.sampled_from(
    ["ANY", "ANY", "NO_STREAM", "NO_STREAM", "STREAM_EXISTS", "STREAM_EXISTS", 0, 0, 0, 0, 0, -1, 1, 7]
)
"""An ExpectedVersion, or what an exact version is away from the true one."""
_twists = st.sampled_from(
    ["same", "same", "same", "fewer", "more", "reversed", "data", "type", "metadata", "later", "ANY"]
)
"""How a call that is made again differs from the first time."""


_SHRINKING = {Level.SMOKE: 10.0, Level.STANDARD: 60.0, Level.DEEP: 600.0}
"""Seconds for making a failure small."""
_DRAWING = {Level.SMOKE: 30.0, Level.STANDARD: 120.0, Level.DEEP: 1800.0}
"""Seconds after which no other program is run, half of those after which a check is told to hang.

A store may rightly take its time: of several copies it may have to ask twice, seconds apart, before it refuses.
"""


def check_programs(lab: Lab) -> None:
    """Run random programs, or the one to replay.

    Raises:
        CheckFailedError: The store answered another thing than the model; with the smallest program that shows it.
    """
    if lab.replay is not None:
        ops = from_json(lab.replay)
        lab.count("programs")
        lab.count("calls", len(ops))
        failure = failure_of(lab, ops)
        if failure is not None:
            raise failure
        return
    failures: list[CheckFailedError] = []
    budget = lab.budget
    phases = [Phase.generate, Phase.shrink] if budget.shrink else [Phase.generate]
    chosen = settings(
        max_examples=budget.examples,
        stateful_step_count=budget.steps,
        deadline=None,
        database=None,
        phases=phases,
        verbosity=Verbosity.quiet,
        print_blob=False,
        report_multiple_bugs=False,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )
    try:
        run_state_machine_as_test(seed(lab.seed)(_machine(lab, failures)), settings=chosen)
    except BaseException as error:
        if not failures:
            raise
        smallest = min(failures, key=lambda failure: len(failure.replay))
        if budget.shrink:
            smallest = without_needless(lab, smallest)
        # Hypothesis also raises where a failure did not come again.
        raise smallest from (None if isinstance(error, (CheckFailedError, _EnoughError)) else error)


class _EnoughError(BaseException):
    """Ends the shrinking, which nothing in Hypothesis does after a time."""


def _machine(lab: Lab, failures: list[CheckFailedError]) -> type[RuleBasedStateMachine]:  # noqa: C901 -- a class of many short rules
    can = lab.capabilities.__contains__
    drawn_until = time.monotonic() + _DRAWING[lab.level]

    class Programs(RuleBasedStateMachine):
        until: ClassVar[list[float]] = []
        """When there was enough shrinking; set by the first failure."""

        def __init__(self) -> None:
            super().__init__()
            if failures and time.monotonic() > self.until[0]:
                raise _EnoughError
            self.inner = lab.child()
            self.driver = Driver(self.inner)
            self.numbers = 0
            self.sent: list[tuple[ItemOp, int]] = []
            self.sequence = Sequence()
            # Drawn all the same: what Hypothesis draws may not depend on the time.
            first = not lab.counters["programs"]
            self.runs = first or bool(failures) or time.monotonic() < drawn_until
            lab.count("programs", int(self.runs))

        def teardown(self) -> None:
            try:
                self.driver.close()
            finally:
                self.inner.close()

        def do(self, op: Op) -> None:
            if not self.sequence.allows(op):
                return
            self.sequence.add(op)
            if not self.runs:
                return
            lab.count("calls")
            try:
                self.driver.run(op)
            except CheckFailedError as error:
                failures.append(error)
                self.until.append(time.monotonic() + _SHRINKING[lab.level])
                raise

        @property
        def is_open(self) -> bool:
            return self.sequence.is_open

        def new_events(self, data: Any, size: int) -> tuple[EventOp, ...]:
            first, self.numbers = self.numbers + 1, self.numbers + size
            contents = data.draw(
                st.lists(st.tuples(draw.data, draw.event_types, draw.metadata), min_size=1, max_size=3)
            )
            return tuple(EventOp(first + index, *contents[index % len(contents)]) for index in range(size))

        def exact(self, stream_id: str, expected: str | int, *, inside: bool, ahead: int = 0) -> str | int:
            if isinstance(expected, str):
                return expected
            return max(0, self.driver.model.version(stream_id, inside=inside) + ahead + expected)

        @rule(
            stream_id=draw.stream_ids,
            size=draw.batch_sizes,
            expected=_expected,
            handle=_handles,
            inside=st.booleans(),
            data=st.data(),
        )
        def append(  # noqa: PLR0913 -- what is drawn
            self, *, stream_id: str, size: int, expected: str | int, handle: int, inside: bool, data: Any
        ) -> None:
            inside = inside and self.is_open
            item = ItemOp(stream_id, self.new_events(data, size), self.exact(stream_id, expected, inside=inside))
            self.sent.append((item, self.driver.model.version(stream_id, inside=inside)))
            self.do(Append((item,), handle, inside))

        @precondition(lambda _: can(Capability.APPEND_BATCH))
        @rule(
            streams=st.lists(draw.stream_ids, min_size=1, max_size=4),
            expected=st.lists(_expected, min_size=4, max_size=4),
            handle=_handles,
            inside=st.booleans(),
            data=st.data(),
        )
        def append_batch(
            self, *, streams: list[str], expected: list[Any], handle: int, inside: bool, data: Any
        ) -> None:
            inside = inside and self.is_open
            items: list[ItemOp] = []
            for stream_id, wish in zip(streams, expected, strict=False):
                ahead = sum(len(item.events) for item in items if item.stream_id == stream_id)
                events = self.new_events(data, data.draw(st.integers(1, 2)))
                items.append(ItemOp(stream_id, events, self.exact(stream_id, wish, inside=inside, ahead=ahead)))
            self.do(Append(tuple(items), handle, inside, batch=True))

        @precondition(lambda self: bool(self.sent))
        @rule(which=st.integers(0, 1000), twist=_twists, handle=_handles, inside=st.booleans(), data=st.data())
        def repeat(self, *, which: int, twist: str, handle: int, inside: bool, data: Any) -> None:
            item, version = self.sent[-1 - which % len(self.sent)]
            inside = inside and self.is_open
            expected = item.expected if isinstance(item.expected, int) else version
            self.do(Append((_twisted(item, twist, expected, self, data),), handle, inside))

        @rule(
            stream_id=draw.stream_ids,
            after=st.sampled_from([0, 0, 1, 2, 3, 40, 2**62]),
            limit=draw.limits,
            backward=st.booleans(),
            handle=_handles,
            inside=st.booleans(),
        )
        def read_stream(self, *, backward: bool, inside: bool, **arguments: Any) -> None:
            backward = backward and can(Capability.BACKWARDS)
            self.do(ReadStream(**arguments, backward=backward, inside=inside and self.is_open))

        @rule(
            after=st.integers(0, 50),
            limit=draw.limits,
            types=st.lists(draw.event_types, max_size=2),
            streams=st.lists(draw.stream_ids, max_size=2),
            categories=st.lists(draw.categories, max_size=2),
            wanted=draw.wanted_metadata,
            backward=st.booleans(),
            handle=_handles,
            inside=st.booleans(),
        )
        def read_all(  # noqa: PLR0913 -- the axes of a filter
            self,
            *,
            types: list[str],
            streams: list[str],
            categories: list[str],
            wanted: dict[str, Any],
            backward: bool,
            inside: bool,
            **arguments: Any,
        ) -> None:
            metadata = wanted if can(Capability.METADATA_FILTER) else {}
            where = FilterOp(tuple(types), tuple(streams), tuple(categories), metadata)
            backward = backward and can(Capability.BACKWARDS)
            self.do(ReadAll(**arguments, where=where, backward=backward, inside=inside and self.is_open))

        @rule(reader=st.integers(0, len(READERS) - 1), limit=st.sampled_from([1, 2, 3, 100]), handle=_handles)
        def follow(self, **arguments: Any) -> None:
            self.do(Follow(**arguments))

        @rule(
            stream_id=draw.stream_ids,
            category=st.one_of(st.none(), draw.categories),
            after=st.one_of(st.none(), draw.stream_ids),
            limit=draw.limits,
            handle=_handles,
            inside=st.booleans(),
        )
        def look(self, *, inside: bool, **arguments: Any) -> None:
            self.do(Look(**arguments, inside=inside and self.is_open))

        @precondition(lambda self: can(Capability.TRANSACTIONS) and not self.is_open)
        @rule()
        def begin(self) -> None:
            self.do(Begin())

        @precondition(lambda self: self.is_open)
        @rule(commit=st.booleans())
        def end(self, *, commit: bool) -> None:
            self.do(End(commit))

        @precondition(lambda self: not self.is_open)
        @rule(handle=_handles)
        def reopen(self, *, handle: int) -> None:
            self.do(Reopen(handle))

    return Programs


def _twisted(item: ItemOp, twist: str, expected: int, machine: Any, data: Any) -> ItemOp:
    """The call again, the same or changed in one way."""
    events = item.events
    again = ItemOp(item.stream_id, events, expected)
    if twist == "fewer" and len(events) > 1:
        return ItemOp(item.stream_id, events[:-1], expected)
    if twist == "more":
        return ItemOp(item.stream_id, (*events, *machine.new_events(data, 1)), expected)
    if twist == "reversed":
        return ItemOp(item.stream_id, events[::-1], expected)
    if twist in {"data", "type", "metadata"}:
        last = events[len(events) - 1]
        kinds: dict[str, dict[str, Any]] = {
            "data": {"data": [last.data]},
            "type": {"event_type": last.event_type[:499] + "'"},
            "metadata": {"metadata": {**(last.metadata or {}), "twist": 1}},
        }
        return ItemOp(item.stream_id, (*events[:-1], msgspec.structs.replace(last, **kinds[twist])), expected)
    if twist == "later":
        return ItemOp(item.stream_id, events[1:] or events, expected + 1)
    return ItemOp(item.stream_id, events, "ANY") if twist == "ANY" else again
