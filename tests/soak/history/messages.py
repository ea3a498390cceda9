"""What the coordinator and its client processes tell each other."""

from __future__ import annotations

import msgspec

from conformance_tests.histories.acts import Act
from conformance_tests.histories.history import Call

STREAMS = 8
"""Streams of a window. Single digits, so that the order of numbers is that of names, in which all lock."""


class Window(msgspec.Struct, frozen=True, tag=True):
    """Load for some seconds, on streams that no other window has."""

    number: int
    salt: int
    """What its event ids begin with."""
    origin: int
    """Of all clocks, in nanoseconds of the machine's monotonic clock."""
    start: int
    """The head of the feed, with nothing in flight."""
    until: float
    """When to stop, by the machine's monotonic clock."""
    sharing_until: float
    hand_over: bool
    """Whether durable workers end in its middle, and others take over."""

    @property
    def tag(self) -> str:
        return f"w{self.number}"


class Drain(msgspec.Struct, frozen=True, tag=True):
    """Everybody has stopped: let the followers come to the head, and report."""

    head: int
    patience: float


class Stop(msgspec.Struct, frozen=True, tag=True):
    """End."""


class Report(msgspec.Struct, frozen=True):
    """What one process did and saw in a window."""

    calls: tuple[Call, ...]
    acts: tuple[Act, ...]
    stuck: tuple[str, ...] = ()
    """Followers that did not come to the head in time."""
    broken: tuple[str, ...] = ()
    """What was raised where nothing should be."""


Command = Window | Drain | Stop
