"""Sub-stores that are right the first time, and wrong where something comes again or was erased."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from conformance_tests.zoo.member import breaks
from conformance_tests.zoo.part import Around, Part
from mink_core import Capability, DuplicateMessageError, LeaseLostError, MessageStatus, SagaConflictError, SagaStatus

SNAPSHOTS, OUTBOX = [Capability.SNAPSHOTS], [Capability.OUTBOX]
IDEMPOTENCY, SAGAS = [Capability.IDEMPOTENCY], [Capability.SAGAS]


class _CountsAnew(Part):
    """Tokens are counted from the last requeueing on."""

    def _before(self, message_id: Any) -> int:
        return int(self.owner.shared.facts.get(message_id, 0))

    def requeue(self, message_id: Any) -> bool:
        done = bool(self.inner.requeue(message_id))
        if done:
            newest = self.owner.shared.facts.get(("newest", message_id), 0)
            self.owner.shared.facts[message_id] = newest
        return done

    def claim(self, worker: str, **more: Any) -> Any:
        found = self.inner.claim(worker, **more)
        self.owner.shared.facts.update({("newest", one.message_id): one.token for one in found})
        return [replace(one, token=one.token - self._before(one.message_id)) for one in found]

    def _told(self, message: Any) -> Any:
        return replace(message, token=message.token + self._before(message.message_id))

    def complete(self, message: Any) -> None:
        self.inner.complete(self._told(message))

    def fail(self, message: Any, error: str, **more: Any) -> None:
        self.inner.fail(self._told(message), error, **more)

    def settle(self, verdicts: Any) -> Any:
        return self.inner.settle([replace(one, message=self._told(one.message)) for one in verdicts])


@breaks("OUTBOX-02", needs=OUTBOX)
class TokensBeginAnew(Around):
    """Counts the token of a requeued message from one again: what was said of an earlier claim is taken for the newest."""

    part, kind = "outbox", _CountsAnew


class _ByCreation(Part):
    def purge(self, *, older_than: float, dead: bool = False, limit: int = 1000) -> int:
        done = self.inner.list(status=MessageStatus.DONE)
        age = timedelta(seconds=older_than)
        if any(one.finished_at - one.created_at >= age for one in done):
            older_than = 0
        return int(self.inner.purge(older_than=older_than, dead=dead, limit=limit))


@breaks("OUTBOX-05", needs=OUTBOX)
class KeepsFromTheStoringOn(Around):
    """Purges by the time at which a message was stored: one that waited long is gone as soon as it is done."""

    part, kind = "outbox", _ByCreation


class _WithoutHeaders(Part):
    def add(self, messages: Any) -> None:
        try:
            self.inner.add(messages)
        except DuplicateMessageError as error:
            given = [messages] if hasattr(messages, "headers") else list(messages)
            self.inner.add([self._as_stored(one) if one.message_id == error.message_id else one for one in given])

    def _as_stored(self, message: Any) -> Any:
        stored = self.inner.get(message.message_id)
        headers = {key: value for key, value in stored.headers.items() if key not in {"message-id", "event-id"}}
        return replace(message, headers=headers)


@breaks("OUTBOX-01", needs=OUTBOX)
class HeadersAreNoContent(Around):
    """Takes a message with the id of a stored one, and other headers, for the same."""

    part, kind = "outbox", _WithoutHeaders


class _AsPythonCompares(Part):
    def complete(self, reservation: Any, response: Any, **more: Any) -> Any:
        with suppress(LeaseLostError):
            return self.inner.complete(reservation, response, **more)
        found = self.inner.get(reservation.record.key)
        stored = found.response if found is not None and found.response == response else response
        return self.inner.complete(reservation, stored, **more)


@breaks("IDEM-01", needs=IDEMPOTENCY)
class EqualResponsesAreOne(Around):
    """Compares a second response as Python does: true and 1.0 are the 1 that is stored."""

    part, kind = "idempotency", _AsPythonCompares


class _WithTheDeleted(Part):
    def delete(self, saga_id: str, *, expected_version: int) -> None:
        saga = self.inner.load(saga_id)
        self.inner.delete(saga_id, expected_version=expected_version)
        self.owner.shared.facts[saga_id] = saga

    def find(self, *, correlation_id: str | None = None, **wanted: Any) -> Any:
        found = self.inner.find(correlation_id=correlation_id, **wanted)
        return found or ([] if correlation_id else list(self.owner.shared.facts.values()))


@breaks("SAGA-01", needs=SAGAS)
class FindsDeletedSagas(Around):
    """Finds deleted sagas, unless asked for a correlation, which they have lost."""

    part, kind = "sagas", _WithTheDeleted


class _StuckAsItWas(Part):
    """A saga that becomes stuck keeps the version that its last claimer has."""

    def load(self, saga_id: str) -> Any:
        saga = self.inner.load(saga_id)
        return saga and replace(saga, version=saga.version - (saga.status is SagaStatus.STUCK))

    def save(self, saga: Any, *, expected_version: int) -> Any:
        try:
            return self.inner.save(saga, expected_version=expected_version)
        except SagaConflictError:
            stored = self.inner.load(saga.saga_id)
            if stored is None or stored.status is not SagaStatus.STUCK or stored.version != expected_version + 1:
                raise
            return self.inner.save(saga, expected_version=stored.version)


@breaks("SAGA-03", needs=SAGAS)
class StuckKeepsItsVersion(Around):
    """Gives up a saga without a new version: its last claimer, who comes late, saves over that."""

    part, kind = "sagas", _StuckAsItWas


class _TwoOfOneVersion(Part):
    def save(self, stream_id: str, version: int, data: Any, *, keep: int = 1, **more: Any) -> bool:
        newest = self.inner.load(stream_id)
        again = newest is not None and newest.version == version
        return bool(self.inner.save(stream_id, version, data, keep=max(keep - again, 1), **more))


@breaks("SNAP-02", needs=SNAPSHOTS)
class ReplacedOnesTakeAPlace(Around):
    """Counts what was replaced among the snapshots that are kept: the one before it is gone."""

    part, kind = "snapshots", _TwoOfOneVersion


class _AnyType(Part):
    def load(self, stream_id: str, *, snapshot_type: str | None = None, **wanted: Any) -> Any:
        return self.inner.load(stream_id, snapshot_type=snapshot_type or None, **wanted)


@breaks("SNAP-02", needs=SNAPSHOTS)
class NoTypeIsAnyType(Around):
    """Gives a snapshot of any type where one of no type is asked for."""

    part, kind = "snapshots", _AnyType
