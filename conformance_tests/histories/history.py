"""What happened: every call of every actor, and what the store held in the end. Plain values, kept as JSON."""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

FOREIGN = -1
"""The number of an event that no actor of this history appended."""

Expectation: TypeAlias = int | str
"""An exact version, or `any`, `no_stream`, `stream_exists`."""


class Seen(msgspec.Struct, frozen=True, array_like=True):
    """An event as an actor was given it."""

    stream: str
    version: int
    position: int
    event: int
    """Its number in the program; `FOREIGN` where nobody appended it, or its content is not its own."""
    stamp: int
    """Its timestamp, in microseconds."""


class Item(msgspec.Struct, frozen=True):
    """Events sent to one stream."""

    stream: str
    events: tuple[int, ...]
    expected: Expectation


class Placed(msgspec.Struct, frozen=True):
    """Where an append says that it stored an item."""

    stream: str
    first_version: int
    last_version: int
    first_position: int
    last_position: int
    events: tuple[int, ...]


class Call(msgspec.Struct, frozen=True, omit_defaults=True):
    """One call, between two looks at one monotonic clock."""

    actor: str
    begun: int
    """Nanoseconds since the history began, taken before the call."""
    ended: int | None
    """Taken after it; None where it had not ended when the history was closed."""
    kind: str
    """append, batch, begin, commit, rollback, read, info, poll, read_all, head, step."""
    outcome: str
    """ok, conflict, duplicate, transient, unknown, missing, error; open where it had not ended."""
    items: tuple[Item, ...] = ()
    """What an append or a batch sent."""
    placed: tuple[Placed, ...] = ()
    """What it says it stored."""
    tx: int | None = None
    """The transaction it was made in, or began or ended."""
    stream: str | None = None
    """The stream that was read or filtered by, or that a conflict names."""
    after: int = 0
    """The position or version read after."""
    limit: int | None = None
    backward: bool = False
    events: tuple[Seen, ...] = ()
    """What was read."""
    number: int | None = None
    """A page's next position, a head, a stream's version, the `actual` of a conflict."""
    subscription: int | None = None
    retry_is_safe: bool | None = None
    message: str = ""
    """What an error said."""


class History(msgspec.Struct, frozen=True):
    """One run of a program."""

    calls: tuple[Call, ...]
    """In the order of their beginnings."""
    streams: dict[str, tuple[Seen, ...]]
    """Every stream as it was read once all actors had ended."""
    start: int = 0
    """The position below which the store held other histories."""
    unique_ids: bool = False
    """Whether the store declares UNIQUE_EVENT_IDS."""
    faults: bool = False
    """Whether connections were cut: how soon the feed shows an event is then not judged."""
    stuck: tuple[str, ...] = ()
    """Actors that had not ended when the time was up."""


def to_builtins(history: History) -> Any:
    """The history as JSON values."""
    return msgspec.to_builtins(history)


def from_builtins(value: Any) -> History:
    """The history that `to_builtins` gave.

    Raises:
        msgspec.ValidationError: It is none.
    """
    return msgspec.convert(value, History)
