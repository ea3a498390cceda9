"""Reads with wrong bounds, in a wrong order, or of what was."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from conformance_tests.zoo.member import breaks
from conformance_tests.zoo.wrapped import Altered, Wrapped
from mink_core import Capability, Direction, StoredEvent, StreamInfo, StreamNotFoundError, UsageError

BACKWARDS = [Capability.BACKWARDS]


@breaks("READ-01")
class MissingIsVersionZero(Wrapped):
    """Gives a stream that does not exist as one at version 0."""

    def stream_info(self, stream_id: str) -> Any:
        try:
            return self.store.stream_info(stream_id)
        except StreamNotFoundError:
            return StreamInfo(stream_id, stream_id, 0, datetime.now(UTC), datetime.now(UTC))


@breaks("READ-01")
class MissingIsAnError(Wrapped):
    """Raises where a missing stream should read as empty."""

    def read_stream(self, stream_id: str, **arguments: Any) -> Any:
        events = self.store.read_stream(stream_id, **arguments)
        self.store.stream_info(stream_id)
        return events


@breaks("READ-02")
class VersionInclusive(Wrapped):
    """Reads from `after_version` on, itself included."""

    def read_stream(self, stream_id: str, **arguments: Any) -> Any:
        after = arguments.get("after_version", 0)
        if type(after) is int and after > 0:
            arguments["after_version"] = after - 1
        return self.store.read_stream(stream_id, **arguments)


@breaks("READ-02")
class PositionInclusive(Wrapped):
    """`read_all` gives the event at `after_position` again."""

    def read_all(self, **arguments: Any) -> Any:
        after = arguments.get("after_position", 0)
        if type(after) is int and after > 0:
            list(self.store.read_all(**{**arguments, "limit": 1}))
            arguments["after_position"] = after - 1
        return self.store.read_all(**arguments)


@breaks("READ-02", "FEED-06")
class PollInclusive(Wrapped):
    """`poll` gives the event at `after_position` again."""

    def poll(self, after_position: int, **arguments: Any) -> Any:
        page = self.store.poll(after_position, **arguments)
        return self.store.poll(max(after_position - 1, 0), **arguments) if page.events else page


@breaks("READ-02", needs=BACKWARDS)
class BackwardIgnoresAfter(Wrapped):
    """Reading backwards goes down to the beginning, whatever `after_version` says."""

    def read_stream(self, stream_id: str, **arguments: Any) -> Any:
        events = self.store.read_stream(stream_id, **arguments)
        if arguments.get("direction") is Direction.BACKWARD:
            return self.store.read_stream(stream_id, **{**arguments, "after_version": 0})
        return events


@breaks("READ-02", "FEED-01", needs=BACKWARDS)
class BackwardFeedIgnoresAfter(Wrapped):
    """Reading the feed backwards goes down to the beginning, whatever `after_position` says."""

    def read_all(self, **arguments: Any) -> Any:
        events = self.store.read_all(**arguments)
        if arguments.get("direction") is Direction.BACKWARD:
            return self.store.read_all(**{**arguments, "after_position": 0})
        return events


@breaks("READ-03")
class ZeroIsEverything(Wrapped):
    """Takes `limit=0` for no limit."""

    def read_stream(self, stream_id: str, **arguments: Any) -> Any:
        if arguments.get("limit") == 0 and arguments["limit"] is not False:
            arguments["limit"] = None
        return self.store.read_stream(stream_id, **arguments)


@breaks("READ-03")
class NegativeIsEmpty(Wrapped):
    """Takes a negative limit for 0."""

    def read_stream(self, stream_id: str, **arguments: Any) -> Any:
        limit = arguments.get("limit")
        if type(limit) is int and limit < 0:
            arguments["limit"] = 0
        return self.store.read_stream(stream_id, **arguments)


@breaks("READ-03", needs=BACKWARDS)
class LimitThenTurn(Wrapped):
    """Backwards gives the first events of the stream, turned round."""

    def read_stream(self, stream_id: str, **arguments: Any) -> Any:
        events = self.store.read_stream(stream_id, **arguments)
        if arguments.get("direction") is not Direction.BACKWARD or not arguments.get("limit"):
            return events
        return reversed(list(self.store.read_stream(stream_id, **{**arguments, "direction": Direction.FORWARD})))


@breaks("READ-03", needs=BACKWARDS)
class FeedLimitThenTurn(Wrapped):
    """Backwards gives the first events of the feed, turned round."""

    def read_all(self, **arguments: Any) -> Any:
        events = self.store.read_all(**arguments)
        if arguments.get("direction") is not Direction.BACKWARD or not arguments.get("limit"):
            return events
        return reversed(list(self.store.read_all(**{**arguments, "direction": Direction.FORWARD})))


@breaks("READ-03")
class LimitPerPage(Wrapped):
    """Loses the last event of a limit that is met exactly."""

    def read_all(self, **arguments: Any) -> Any:
        limit = arguments.get("limit")
        if type(limit) is int and limit > 1:
            arguments["limit"] = limit - 1
        return self.store.read_all(**arguments)


@breaks("READ-04")
class ReadsItAll(Wrapped):
    """Loads a whole stream before it gives the first event."""

    def read_stream(self, stream_id: str, **arguments: Any) -> Any:
        return iter(list(self.store.read_stream(stream_id, **arguments)))


@breaks("READ-04")
class ReadsTheWholeFeed(Wrapped):
    """Loads the whole feed before it gives the first event."""

    def read_all(self, **arguments: Any) -> Any:
        return iter(list(self.store.read_all(**arguments)))


@breaks("READ-06")
class ReadsFromAReplica(Wrapped):
    """Reads a stream from a copy that lags a little behind."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        before = len(list(self.store.read_stream(stream_id))) if isinstance(stream_id, str) and stream_id else 0
        result = self.store.append(stream_id, events, expected_version=expected_version)
        self.shared.facts[stream_id] = (time.monotonic() + 0.05, before)
        return result

    def read_stream(self, stream_id: str, **arguments: Any) -> Any:
        events = self.store.read_stream(stream_id, **arguments)
        until, version = self.shared.facts.get(stream_id, (0, 0))
        return events if time.monotonic() > until else (event for event in events if event.version <= version)


@breaks("READ-06")
class CachesInfo(Wrapped):
    """Remembers what it was told of a stream, and does not ask again."""

    def stream_info(self, stream_id: str) -> Any:
        if stream_id not in self.shared.facts:
            self.shared.facts[stream_id] = self.store.stream_info(stream_id)
        return self.shared.facts[stream_id]


@breaks("READ-06", "FEED-06")
class FeedLags(Wrapped):
    """Shows in the feed what is 50 ms old, as guards by the clock do."""

    def poll(self, after_position: int, **arguments: Any) -> Any:
        page = self.store.poll(after_position, **arguments)
        old = datetime.now(UTC) - timedelta(milliseconds=50)
        seen: list[StoredEvent] = []
        for event in page.events:
            if event.timestamp > old:
                return type(page)(seen, seen[-1].global_position if seen else after_position)
            seen.append(event)
        return page


@breaks("READ-07")
class ClockOfTheMoment(Altered):
    """Takes the clock's time as it is, and the clock is set back now and then."""

    def out(self, event: StoredEvent) -> StoredEvent:
        return replace(event, timestamp=event.timestamp - timedelta(seconds=event.version % 3 == 0))


@breaks("READ-08")
class HandsOutOneObject(Altered):
    """Keeps what it has read: two readers of an event share its data."""

    def out(self, event: StoredEvent) -> StoredEvent:
        kept: StoredEvent = self.shared.facts.setdefault((event.stream_id, event.version), event)
        return kept


@breaks("APPEND-12")
class ReadsAnyId(Wrapped):
    """Finds nothing under an id that no stream can have, instead of refusing it."""

    def stream_info(self, stream_id: str) -> Any:
        try:
            return self.store.stream_info(stream_id)
        except UsageError:
            raise StreamNotFoundError(stream_id) from None

    def read_stream(self, stream_id: str, **arguments: Any) -> Any:
        try:
            return self.store.read_stream(stream_id, **arguments)
        except UsageError:
            return self.store.read_stream("none", **arguments)
