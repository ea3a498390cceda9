"""Small things that are wrong: a field, a type, an edge of a page, a handle that does not look."""

from __future__ import annotations

import itertools
from datetime import timedelta, timezone
from typing import Any

from msgspec.structs import replace

from conformance_tests.zoo.member import breaks
from conformance_tests.zoo.wrapped import Altered, Wrapped, subscribing
from mink_core import Capability, ConcurrencyError, EventFilter, NewEvent, StoreClosedError, StoredEvent, StreamAppend
from mink_core.adapter import EVERYTHING, PollingSubscription

PAGE = 500


@breaks("READ-01", "READ-06")
class InfoFromTheLastEvent(Wrapped):
    """`stream_info` gives the newest event's time as the stream's creation."""

    def stream_info(self, stream_id: str) -> Any:
        info = self.store.stream_info(stream_id)
        return replace(info, created_at=info.updated_at)


@breaks("READ-06")
class InfoNeverUpdated(Wrapped):
    """`stream_info` gives the creation as the time of the newest event."""

    def stream_info(self, stream_id: str) -> Any:
        info = self.store.stream_info(stream_id)
        return replace(info, updated_at=info.created_at)


@breaks("READ-09")
class ListsWithoutVersion(Wrapped):
    """`streams` gives version 1 for every stream."""

    def streams(self, **arguments: Any) -> Any:
        return (replace(info, version=1) for info in self.store.streams(**arguments))


@breaks("READ-01", "READ-05")
class CategoryIsTheId(Wrapped):
    """`stream_info` gives the whole id as the category."""

    def stream_info(self, stream_id: str) -> Any:
        return replace(self.store.stream_info(stream_id), category=stream_id)


@breaks("READ-07")
class NaiveTimes(Altered):
    """Gives timestamps without a time zone."""

    def out(self, event: StoredEvent) -> StoredEvent:
        return replace(event, timestamp=event.timestamp.replace(tzinfo=None))


@breaks("READ-07")
class LocalTimes(Altered):
    """Gives timestamps in a zone of its own."""

    def out(self, event: StoredEvent) -> StoredEvent:
        return replace(event, timestamp=event.timestamp.astimezone(timezone(timedelta(hours=2))))


@breaks("APPEND-10", "APPEND-02")
class IdsAreText(Altered):
    """Gives event ids as text."""

    def out(self, event: StoredEvent) -> StoredEvent:
        return replace(event, event_id=str(event.event_id))


@breaks("APPEND-10")
class ResultIdsReversed(Wrapped):
    """The result lists the ids in the wrong order."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        result = self.store.append(stream_id, events, expected_version=expected_version)
        return replace(result, event_ids=result.event_ids[::-1])


@breaks("APPEND-07", needs=[Capability.APPEND_BATCH])
class EqualIdsInABatch(Wrapped):
    """Looks for equal ids in each item of a batch by itself."""

    def append_batch(self, items: Any) -> Any:
        seen: set[Any] = set()
        given = []
        for item in items:
            if isinstance(item, StreamAppend) and isinstance(item.events, (list, tuple)):
                events = [
                    replace(event, event_id=None) if isinstance(event, NewEvent) and event.event_id in seen else event
                    for event in item.events
                ]
                seen |= {event.event_id for event in item.events if isinstance(event, NewEvent)}
                item = replace(item, events=events)  # noqa: PLW2901 -- the one to send
            given.append(item)
        return self.store.append_batch(given)


@breaks("READ-03", "READ-04")
class LosesAtThePagesEdge(Wrapped):
    """Reading a stream loses the first event of its second page."""

    def read_stream(self, stream_id: str, **arguments: Any) -> Any:
        events = self.store.read_stream(stream_id, **arguments)
        return (event for number, event in enumerate(events, 1) if number != PAGE + 1)


@breaks("READ-03", "READ-04", "FEED-06")
class FeedLosesAtThePagesEdge(Wrapped):
    """Reading the feed repeats the last event of its first page."""

    def read_all(self, **arguments: Any) -> Any:
        for number, event in enumerate(self.store.read_all(**arguments), 1):
            yield event
            if number == PAGE:
                yield event


@breaks("READ-09")
class ListsOnePage(Wrapped):
    """`streams` ends after its first page."""

    def streams(self, **arguments: Any) -> Any:
        return itertools.islice(self.store.streams(**arguments), PAGE)


@breaks("READ-03")
class ArgumentsCheckedLate(Wrapped):
    """Finds out that an argument is wrong when the first event is asked for."""

    def read_stream(self, stream_id: str, **arguments: Any) -> Any:
        yield from self.store.read_stream(stream_id, **arguments)


@breaks("SUB-01", "READ-05", needs=[Capability.SUBSCRIBE])
class FollowsEverything(Wrapped):
    """A subscription ignores its filter."""

    def subscribe(self, **arguments: Any) -> Any:
        return super().subscribe(**{**arguments, "where": EVERYTHING}) if self._checked(arguments) else None

    def _checked(self, arguments: dict[str, Any]) -> bool:
        self.store.subscribe(**arguments).close()
        return True


@breaks("SUB-01", "READ-02", needs=[Capability.SUBSCRIBE])
class FollowsFromTheStart(Wrapped):
    """A subscription begins at the beginning, whatever `after_position` says."""

    def subscribe(self, **arguments: Any) -> Any:
        self.store.subscribe(**arguments).close()
        return super().subscribe(**{**arguments, "after_position": 0})


class _StandsStill(PollingSubscription):
    began = 0

    @property
    def position(self) -> int:
        return self.began


@breaks("SUB-01", needs=[Capability.SUBSCRIBE])
class PositionStandsStill(Wrapped):
    """A subscription's `position` stays where it began."""

    def subscribe(self, **arguments: Any) -> Any:
        self.store.subscribe(**arguments).close()
        log: Any = self
        given = subscribing(arguments)
        subscription = _StandsStill(log, **given)
        subscription.began = given["after_position"]
        self.note(subscription)
        return subscription


@breaks("FEED-05", "READ-06")
class HeadIsRemembered(Wrapped):
    """Each handle asks for the head once."""

    def head_position(self) -> int:
        self.store.head_position()
        head: int = self.__dict__.setdefault("_head", self.store.head_position())
        return head


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


@breaks("APPEND-03")
class ExpectedIsRewritten(Wrapped):
    """The conflict tells another expectation than the caller's."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        try:
            return self.store.append(stream_id, events, expected_version=expected_version)
        except ConcurrencyError as error:
            raise ConcurrencyError(stream_id, 0, error.actual) from None


@breaks("APPEND-12", "JSON-01")
class ShallowJson(Altered):
    """Cannot decode what is nested deeper than 64."""

    def out(self, event: StoredEvent) -> StoredEvent:
        depth, value = 0, event.data
        while isinstance(value, (list, dict)) and value:
            depth, value = depth + 1, next(iter(value.values() if isinstance(value, dict) else value))
        if depth > 64:  # noqa: PLR2004 -- the story's
            raise RecursionError
        return event


@breaks("READ-08")
class OnePageForAll(Wrapped):
    """`poll` gives every reader the same objects."""

    def poll(self, after_position: int, **arguments: Any) -> Any:
        page = self.store.poll(after_position, **arguments)
        kept = self.shared.facts
        return replace(page, events=[kept.setdefault(event.global_position, event) for event in page.events])


@breaks("READ-05")
class NobodyIsEverybody(Wrapped):
    """A filter for one stream that does not exist lets everything through."""

    def poll(self, after_position: int, *, where: EventFilter = EVERYTHING, **arguments: Any) -> Any:
        page = self.store.poll(after_position, where=where, **arguments)
        known = {info.stream_id for info in self.store.streams()}
        if where.stream_ids and not known & set(where.stream_ids):
            return self.store.poll(after_position, where=replace(where, stream_ids=()), **arguments)
        return page


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


@breaks("APPEND-03", "APPEND-06")
class DecidesOnce(Wrapped):
    """`update` decides once, and appends the same events after a conflict."""

    def update(self, stream_id: str, decide: Any, *, retries: int = 5) -> Any:
        decided: list[Any] = []

        def once(events: list[StoredEvent]) -> Any:
            if not decided:
                decided.append(list(decide(events)))
            return decided[0]

        inner: Any = super()
        return inner.update(stream_id, once, retries=retries)
