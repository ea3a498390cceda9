"""The calls of a program, as plain values: they are run, shown in a failure, kept in a file and run again."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec

from mink_core import Direction, EventFilter, Expected, ExpectedVersion, NewEvent, StreamAppend


class EventOp(msgspec.Struct, frozen=True):
    """An event to append; its number makes its id."""

    number: int
    data: Any
    event_type: str = "Happened"
    metadata: dict[str, Any] | None = None

    def event(self) -> NewEvent:
        """The event, of objects of its own."""
        copy = msgspec.json.decode(msgspec.json.encode(self.data))
        return NewEvent(self.event_type, copy, self.metadata and dict(self.metadata), event_id_of(self.number))


def event_id_of(number: int) -> UUID:
    """The id of an event's number: spread out, as real ones are, so that an index sees no order in them."""
    return UUID(int=(number * 0x9E3779B97F4A7C15F39CC0605CEDC835) % 2**128, version=4)


class ItemOp(msgspec.Struct, frozen=True):
    """An append to one stream."""

    stream_id: str
    events: tuple[EventOp, ...]
    expected: int | str
    """An exact version, or the name of an ExpectedVersion."""

    def item(self) -> StreamAppend:
        """The item, of objects of its own."""
        return StreamAppend(self.stream_id, [event.event() for event in self.events], self.expectation)

    @property
    def expectation(self) -> Expected:
        """The expected version itself."""
        return self.expected if isinstance(self.expected, int) else ExpectedVersion[self.expected]


class FilterOp(msgspec.Struct, frozen=True):
    """A filter; times are told by the number of an event in the feed."""

    event_types: tuple[str, ...] = ()
    stream_ids: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    metadata: dict[str, Any] = {}

    def where(self) -> EventFilter:
        """The filter itself."""
        return EventFilter(self.event_types, self.stream_ids, self.categories, self.metadata)


class Append(msgspec.Struct, frozen=True, tag=True):
    """`append`, or `append_batch` where there are several items."""

    items: tuple[ItemOp, ...]
    handle: int = 0
    inside: bool = False
    batch: bool = False


class ReadStream(msgspec.Struct, frozen=True, tag=True):
    """`read_stream`."""

    stream_id: str
    after: int = 0
    limit: int | None = None
    backward: bool = False
    handle: int = 0
    inside: bool = False


class ReadAll(msgspec.Struct, frozen=True, tag=True):
    """`read_all` after the event of that place in the feed; 0 for the beginning."""

    after: int = 0
    limit: int | None = None
    where: FilterOp = FilterOp()
    backward: bool = False
    handle: int = 0
    inside: bool = False


class Follow(msgspec.Struct, frozen=True, tag=True):
    """The next `poll` of one of the readers that go on from where they were."""

    reader: int
    limit: int = 100
    handle: int = 0


class Look(msgspec.Struct, frozen=True, tag=True):
    """`stream_info` of a stream, `head_position`, and `streams`."""

    stream_id: str
    category: str | None = None
    after: str | None = None
    limit: int | None = None
    handle: int = 0
    inside: bool = False


class Begin(msgspec.Struct, frozen=True, tag=True):
    """Open a transaction."""


class End(msgspec.Struct, frozen=True, tag=True):
    """End it."""

    commit: bool


class Reopen(msgspec.Struct, frozen=True, tag=True):
    """Close a handle and open another one in its place."""

    handle: int


Op = Append | ReadStream | ReadAll | Follow | Look | Begin | End | Reopen


class Sequence:
    """Which calls may follow: an end needs a beginning, and nobody may wait for the open transaction.

    An append from outside would wait for a stream or an id that the transaction has named, also where it
    was refused there, or recognized as a repeat: a store may have locked them to find out.
    """

    def __init__(self) -> None:
        """No transaction is open."""
        self.is_open = False
        self._named: set[str | int] = set()

    def allows(self, op: Op) -> bool:
        """Whether the call may follow now."""
        if isinstance(op, (Begin, Reopen)):
            return not self.is_open
        if isinstance(op, End) or getattr(op, "inside", False):
            return self.is_open
        return not isinstance(op, Append) or self._named.isdisjoint(_names(op))

    def add(self, op: Op) -> None:
        """The call follows."""
        if isinstance(op, (Begin, End)):
            self.is_open = isinstance(op, Begin)
            self._named.clear()
        elif isinstance(op, Append) and op.inside:
            self._named |= _names(op)


def _names(op: Append) -> set[str | int]:
    return {item.stream_id for item in op.items} | {event.number for item in op.items for event in item.events}


direction_of = {False: Direction.FORWARD, True: Direction.BACKWARD}


def to_json(ops: list[Op]) -> Any:
    """A program as JSON."""
    return msgspec.to_builtins(ops)


def from_json(value: Any) -> list[Op]:
    """A program from JSON."""
    return msgspec.convert(value, list[Op])
