"""Stores whose snapshots, outbox, idempotency keys, sagas or privacy operations are not what they say."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from conformance_tests.zoo.member import breaks
from conformance_tests.zoo.part import Around, Part
from conformance_tests.zoo.wrapped import Wrapped
from mink_core import Capability, LeaseLostError, OutboxMessage, SagaConflictError, SagaStatus, Tail

if TYPE_CHECKING:
    from collections.abc import Iterable

SNAPSHOTS, OUTBOX = [Capability.SNAPSHOTS], [Capability.OUTBOX]
IDEMPOTENCY, SAGAS = [Capability.IDEMPOTENCY], [Capability.SAGAS]
PRIVACY = [Capability.PRIVACY]


class _LastSaver(Part):
    def save(self, stream_id: str, version: int, data: Any, **more: Any) -> bool:
        if not self.inner.save(stream_id, version, data, **more):
            self.inner.delete(stream_id)
            self.inner.save(stream_id, version, data, **more)
        return True


@breaks("SNAP-01", needs=SNAPSHOTS)
class LastSaverWins(Around):
    """Saves a snapshot whatever is there: a slow saver overwrites a newer state."""

    part, kind = "snapshots", _LastSaver


class _Untyped(Part):
    def save(self, stream_id: str, version: int, data: Any, *, keep: int = 1, **_more: Any) -> bool:
        return bool(self.inner.save(stream_id, version, data, keep=keep))


@breaks("SNAP-02", needs=SNAPSHOTS)
class ForgetsTheShape(Around):
    """Keeps neither type nor schema version: a new release loads the state of an old one."""

    part, kind = "snapshots", _Untyped


class _Repeating(Part):
    def load_with_tail(self, stream_id: str, **wanted: Any) -> Any:
        snapshot, _ = self.inner.load_with_tail(stream_id, **wanted)
        after = snapshot.version - 1 if snapshot else 0
        return Tail(snapshot, iter(list(self.owner.store.read_stream(stream_id, after_version=after))))


@breaks("SNAP-03", needs=SNAPSHOTS)
class TailBeginsTooEarly(Around):
    """Reads the tail from the snapshot's own version on: its last event is applied twice."""

    part, kind = "snapshots", _Repeating


@breaks("OUTBOX-01", needs=OUTBOX)
class MessagesAfterTheAppend(Wrapped):
    """Adds messages once the append is done: a message that is refused leaves its events without it."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any, outbox: Any = ()) -> Any:
        result = self.store.append(stream_id, events, expected_version=expected_version)
        if outbox != ():
            self.store.outbox.add(outbox)
        return result


class _Trusting(Part):
    def complete(self, message: Any) -> None:
        with suppress(LeaseLostError):
            self.inner.complete(message)


@breaks("OUTBOX-02", needs=OUTBOX)
class TrustsLateWorkers(Around):
    """Takes an acknowledgement after its lease."""

    part, kind = "outbox", _Trusting


class _Patient(Part):
    def add(self, messages: Any) -> None:
        given: Iterable[Any] = [messages] if isinstance(messages, OutboxMessage) else messages
        self.inner.add([replace(it, max_attempts=10**6) if isinstance(it, OutboxMessage) else it for it in given])


@breaks("OUTBOX-03", needs=OUTBOX)
class NeverGivesUp(Around):
    """Claims a message again for ever, whoever it ends."""

    part, kind = "outbox", _Patient


@breaks("OUTBOX-04", needs=OUTBOX)
class KeepsNoOrder(Wrapped):
    """Claims the messages of a stream side by side."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any, outbox: Any = ()) -> Any:
        if isinstance(outbox, list):
            outbox = [replace(it, ordered=False) if isinstance(it, OutboxMessage) else it for it in outbox]
        return self.store.append(stream_id, events, expected_version=expected_version, outbox=outbox)


class _Sweeping(Part):
    def purge(self, *, older_than: float, dead: bool = False, limit: int = 1000) -> int:
        del dead
        return int(self.inner.purge(older_than=older_than, dead=True, limit=limit))


@breaks("OUTBOX-05", needs=OUTBOX)
class PurgesDeadLetters(Around):
    """Deletes dead letters that nobody has looked at."""

    part, kind = "outbox", _Sweeping


class _ByKey(Part):
    def reserve(self, key: str, **more: Any) -> Any:
        reservation = self.inner.reserve(key, **more)
        if reservation.is_mine:
            self.owner.shared.facts[key] = reservation
        return reservation

    def complete(self, reservation: Any, response: Any, **more: Any) -> Any:
        newest = self.owner.shared.facts.get(reservation.record.key, reservation)
        return self.inner.complete(newest, response, **more)

    def release(self, reservation: Any) -> None:
        self.inner.release(self.owner.shared.facts.get(reservation.record.key, reservation))


@breaks("IDEM-01", needs=IDEMPOTENCY)
class ReleasesByKey(Around):
    """Completes and releases by key, without an owner: an expired holder ends another's reservation."""

    part, kind = "idempotency", _ByKey


class _ObjectsOnly(Part):
    def complete(self, reservation: Any, response: Any, **more: Any) -> Any:
        return self.inner.complete(reservation, response if isinstance(response, dict) else None, **more)


@breaks("IDEM-02", needs=IDEMPOTENCY)
class LosesResponses(Around):
    """Stores null where the response is no object."""

    part, kind = "idempotency", _ObjectsOnly


class _Lasting(Part):
    def complete(self, reservation: Any, response: Any, *, ttl: float = 86_400.0) -> Any:
        return self.inner.complete(reservation, response, ttl=ttl + 3600)


@breaks("IDEM-03", needs=IDEMPOTENCY)
class ExpiresAnHourLate(Around):
    """Expires by a clock that is an hour behind."""

    part, kind = "idempotency", _Lasting


class _Upserting(Part):
    def save(self, saga: Any, *, expected_version: int) -> Any:
        try:
            return self.inner.save(saga, expected_version=expected_version)
        except SagaConflictError as error:
            if error.actual is None:
                raise
            return self.inner.save(saga, expected_version=error.actual)


@breaks("SAGA-01", needs=SAGAS)
class SagasAreUpserted(Around):
    """Saves a saga whatever version it has."""

    part, kind = "sagas", _Upserting


class _Running(Part):
    def save(self, saga: Any, *, expected_version: int) -> Any:
        return self.inner.save(replace(saga, status=SagaStatus.RUNNING), expected_version=expected_version)


@breaks("SAGA-02", needs=SAGAS)
class ForgetsTheStatus(Around):
    """Saves every saga as running."""

    part, kind = "sagas", _Running


class _Leaseless(Part):
    def claim_due(self, **more: Any) -> Any:
        return self.inner.claim_due(**{**more, "lease": 1e-9})


@breaks("SAGA-03", needs=SAGAS)
class ClaimsWithoutALease(Around):
    """Gives a due saga to everybody who asks."""

    part, kind = "sagas", _Leaseless


class _Purging(Part):
    def soft_delete(self, stream_id: str, **who: Any) -> Any:
        self.owner.store.stream_info(stream_id)
        return self.inner.purge(stream_id, **who)


@breaks("PRIV-01", needs=PRIVACY)
class SoftDeletePurges(Around):
    """Takes the events away where it should hide them."""

    part, kind = "privacy", _Purging


class _Opening(Part):
    def tombstone(self, stream_id: str, **who: Any) -> Any:
        return self.inner.soft_delete(stream_id, **who)


@breaks("PRIV-02", needs=PRIVACY)
class TombstoneCanBeUndone(Around):
    """Deletes a stream where it should close it: the next append opens it again."""

    part, kind = "privacy", _Opening


class _DataOnly(Part):
    def redact(self, stream_id: str, version: int, *, data: Any = None, **more: Any) -> Any:
        for event in self.owner.store.read_stream(stream_id, after_version=version - 1, limit=1):
            more["metadata"] = event.metadata
        return self.inner.redact(stream_id, version, data=data, **more)


@breaks("PRIV-03", needs=PRIVACY)
class LeavesTheMetadata(Around):
    """Redacts the data, and leaves who it was in the metadata."""

    part, kind = "privacy", _DataOnly


class _Hiding(Part):
    def purge(self, stream_id: str, *, up_to_version: int | None = None, **who: Any) -> Any:
        del up_to_version
        return self.inner.soft_delete(stream_id, **who)


@breaks("PRIV-04", needs=PRIVACY)
class PurgeHidesOnly(Around):
    """Hides the events where it should remove them: they stay in the feed."""

    part, kind = "privacy", _Hiding
