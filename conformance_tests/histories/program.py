"""What actors are to do: values that Hypothesis draws and shrinks, and that a replay file keeps."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

Expect: TypeAlias = Literal["any", "no_stream", "stream_exists", "seen", "fresh", "ahead"]
"""What an append expects: an `ExpectedVersion`, or the version that the actor last saw of the stream (`seen`),
reads just before (`fresh`), or three above it (`ahead`)."""


class Append(msgspec.Struct, frozen=True, tag=True):
    """Append to one stream."""

    stream: int
    count: int = 1
    expect: Expect = "seen"
    shared: int | None = None
    """The number of a call that several actors make with the very same event ids."""


class Batch(msgspec.Struct, frozen=True, tag=True):
    """Append to several streams at once."""

    items: tuple[Append, ...]


class Again(msgspec.Struct, frozen=True, tag=True):
    """Repeat the actor's last append, with the same ids and the same expectation."""


class Read(msgspec.Struct, frozen=True, tag=True):
    """Read a stream whole."""

    stream: int


class Info(msgspec.Struct, frozen=True, tag=True):
    """Ask for a stream's version."""

    stream: int


class Poll(msgspec.Struct, frozen=True, tag=True):
    """Take the next page of the actor's own pass over the feed."""

    limit: int = 100
    restart: bool = False
    """Begin a new pass."""


class ReadAll(msgspec.Struct, frozen=True, tag=True):
    """Read the feed whole."""

    backward: bool = False


class Head(msgspec.Struct, frozen=True, tag=True):
    """Ask for the head, then poll from the beginning."""


class Wait(msgspec.Struct, frozen=True, tag=True):
    """Do nothing for some milliseconds."""

    milliseconds: float = 1.0


class Transact(msgspec.Struct, frozen=True, tag=True):
    """Do the steps in one transaction, hold it open, then end it."""

    steps: tuple[Append | Read | Poll, ...]
    milliseconds: float = 0.0
    commit: bool = True


Op: TypeAlias = Append | Batch | Again | Read | Info | Poll | ReadAll | Head | Wait | Transact


class Follower(msgspec.Struct, frozen=True):
    """An actor that follows the feed from the beginning to the end of the history."""

    live: bool
    """By a subscription; else by polling."""
    limit: int = 100
    stream: int | None = None
    """Only this stream's events."""
    delay: float = 0.0
    """Milliseconds after which it begins: it then has to catch up while others append."""
    pace: float = 0.0
    """Milliseconds that it takes for each batch."""


class Program(msgspec.Struct, frozen=True):
    """What everybody does."""

    rounds: tuple[tuple[tuple[Op, ...], ...], ...]
    """By round, then by actor. All actors begin a round together."""
    followers: tuple[Follower, ...] = ()
    streams: int = 2

    @property
    def actors(self) -> int:
        """How many actors there are, without the followers."""
        return max((len(one) for one in self.rounds), default=0)
