"""Stores whose sub-stores lose a field on the way, share what they give back, or filter one way only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from msgspec.structs import replace

from conformance_tests.zoo.member import breaks
from conformance_tests.zoo.members.around import IDEMPOTENCY, OUTBOX, PRIVACY, SAGAS, SNAPSHOTS
from conformance_tests.zoo.part import Around, Part
from conformance_tests.zoo.wrapped import Wrapped
from mink_core import Capability, Direction

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mink_core import ClaimedMessage, StoredEvent, StoredSaga

BACKWARDS = Capability.BACKWARDS


class _Bare(Part):
    def claim(self, worker: str, **more: Any) -> Sequence[ClaimedMessage]:
        ours = {"message-id", "event-id"}
        return [
            replace(it, headers={name: text for name, text in it.headers.items() if name in ours})
            for it in self.inner.claim(worker, **more)
        ]


@breaks("OUTBOX-01", needs=OUTBOX)
class LosesHeaders(Around):
    """Gives a worker a message without the headers that it was added with."""

    part, kind = "outbox", _Bare


class _Eager(Part):
    def fail(self, message: Any, error: str, *, retry_in: float | None = None, give_up: bool = False) -> None:
        self.inner.fail(message, error, retry_in=1e-6 if retry_in is None else retry_in, give_up=give_up)


@breaks("OUTBOX-04", needs=OUTBOX)
class NoBackoff(Around):
    """Makes a message that failed due again at once, unless told how long to wait."""

    part, kind = "outbox", _Eager


class _AnyTail(Part):
    def load_with_tail(self, stream_id: str, **_wanted: Any) -> Any:
        return self.inner.load_with_tail(stream_id)


@breaks("SNAP-02", needs=SNAPSHOTS)
class TailOfAnyShape(Around):
    """Gives with a tail the newest snapshot, whatever type and shape were asked for."""

    part, kind = "snapshots", _AnyTail


class _Impatient(Part):
    def reserve(self, key: str, *, wait: float = 0.0, **more: Any) -> Any:
        return self.inner.reserve(key, wait=min(wait, 0.0), **more)


@breaks("IDEM-01", needs=IDEMPOTENCY)
class NeverWaits(Around):
    """Answers at once that a key is held, however long its caller would wait."""

    part, kind = "idempotency", _Impatient


class _Sharing(Part):
    given: ClassVar[dict[Any, Any]] = {}

    def get(self, key: str) -> Any:
        found = self.inner.get(key)
        if found is None or not found.completed:
            return found
        return self.given.setdefault((key, found.reserved_at), found)


@breaks("IDEM-02", needs=IDEMPOTENCY)
class SharesResponses(Around):
    """Gives everybody the same response: what one of them changes, all others find."""

    part, kind = "idempotency", _Sharing


class _Forgetful(Part):
    def find(self, **wanted: Any) -> Sequence[StoredSaga]:
        return [replace(it, handled=()) for it in self.inner.find(**wanted)]


@breaks("SAGA-02", needs=SAGAS)
class FindsHalfASaga(Around):
    """Finds sagas without the events that they have handled: a save forgets them."""

    part, kind = "sagas", _Forgetful


class _Emptying(Part):
    def redact(self, stream_id: str, version: int, *, data: Any = None, metadata: Any = None, **who: Any) -> Any:
        del metadata
        return self.inner.redact(stream_id, version, data=data, **who)


@breaks("PRIV-03", needs=PRIVACY)
class RedactsToNoMetadata(Around):
    """Drops the metadata that were to stand in place of the redacted."""

    part, kind = "privacy", _Emptying


class _OneWay(Wrapped):
    axes: ClassVar[dict[str, Any]]

    def read_all(self, **given: Any) -> Iterator[StoredEvent]:
        if given.get("direction") is Direction.BACKWARD and "where" in given:
            self.store.read_all(**given)  # refuses what the inner store refuses
            given["where"] = replace(given["where"], **self.axes)
        events: Iterator[StoredEvent] = self.store.read_all(**given)
        return events


@breaks("READ-05", needs=[BACKWARDS, Capability.METADATA_FILTER])
class MetadataForwardOnly(_OneWay):
    """Leaves a filter by metadata out where the feed is read backward."""

    axes: ClassVar[dict[str, Any]] = {"metadata": {}}


@breaks("READ-05", needs=[BACKWARDS, Capability.TIME_FILTER])
class TimesForwardOnly(_OneWay):
    """Leaves a filter by time out where the feed is read backward."""

    axes: ClassVar[dict[str, Any]] = {"since": None, "until": None}


@breaks("READ-08", needs=[BACKWARDS])
class SharesBackward(Wrapped):
    """Gives every reader of a stream backward the same objects."""

    def read_stream(self, stream_id: str, **given: Any) -> Iterator[StoredEvent]:
        events: Iterator[StoredEvent] = self.store.read_stream(stream_id, **given)
        if given.get("direction") is not Direction.BACKWARD:
            return events
        return (self.shared.facts.setdefault(event.event_id, event) for event in events)
