"""Handles that take what they saw last for what is there, or that reach into each other."""

from __future__ import annotations

from typing import Any

from conformance_tests.zoo.member import breaks
from conformance_tests.zoo.wrapped import Wrapped
from mink_core import (
    Capability,
    ConcurrencyError,
    StoreClosedError,
)


@breaks("FEED-05", "READ-06")
class HeadIsRemembered(Wrapped):
    """Each handle asks for the head once."""

    def head_position(self) -> int:
        self.store.head_position()
        head: int = self.__dict__.setdefault("_head", self.store.head_position())
        return head


@breaks("APPEND-03", "READ-06")
class ChecksWhatItRemembers(Wrapped):
    """Compares the expectation with the version that this handle has seen last."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        known = self.__dict__.setdefault("_known", {})
        if type(expected_version) is int and known.get(stream_id, expected_version) > expected_version > 0:
            raise ConcurrencyError(stream_id, expected_version, known[stream_id])
        try:
            result = self.store.append(stream_id, events, expected_version=expected_version)
        except ConcurrencyError as error:
            if stream_id in known and type(error.expected) is int:
                raise ConcurrencyError(stream_id, error.expected, known[stream_id]) from None
            raise
        known[stream_id] = result.last_version
        return result


@breaks("LIFE-02")
class InitializeWipes(Wrapped):
    """Initializing again begins a new history: what was stored reads as missing."""

    def initialize(self) -> None:
        self.store.initialize()
        with self.shared.lock:
            if self.shared.facts.setdefault("made", False):
                self.shared.facts["gone"] = {info.stream_id for info in self.store.streams()}
            self.shared.facts["made"] = True

    def read_stream(self, stream_id: str, **arguments: Any) -> Any:
        events = self.store.read_stream(stream_id, **arguments)
        return iter(()) if stream_id in self.shared.facts.get("gone", ()) else events


@breaks("LIFE-02", "READ-06")
class GoneWithTheLastHandle(Wrapped):
    """What was stored is gone when the last handle is closed."""

    def __init__(self, store: Any, shared: Any, *, inside: bool = False) -> None:
        super().__init__(store, shared, inside=inside)
        if not inside:
            shared.facts["open"] = shared.facts.get("open", 0) + 1

    def close(self) -> None:
        if not self.__dict__.get("ended"):
            self.__dict__["ended"] = True
            with self.shared.lock:
                self.shared.facts["open"] -= 1
                if not self.shared.facts["open"]:
                    self.shared.facts["gone"] = {info.stream_id for info in self.store.streams()}
        super().close()

    def read_stream(self, stream_id: str, **arguments: Any) -> Any:
        events = self.store.read_stream(stream_id, **arguments)
        return iter(()) if stream_id in self.shared.facts.get("gone", ()) else events


@breaks("TX-01", needs=[Capability.TRANSACTIONS])
class UsableAfterItsEnd(Wrapped):
    """A transaction that has ended appends on, by itself."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        events = list(events)
        if not self.inside:
            self.shared.facts["store"] = self.store
        try:
            return self.store.append(stream_id, events, expected_version=expected_version)
        except StoreClosedError:
            outside = self.shared.facts.get("store")
            if not self.inside or outside is None:
                raise
            return outside.append(stream_id, events, expected_version=expected_version)
