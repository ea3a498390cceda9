"""Snapshots, sagas, keys and messages that are nearly kept as they should be."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from msgspec.structs import replace

from conformance_tests.zoo.member import breaks
from conformance_tests.zoo.wrapped import Wrapped
from mink_core import Capability, LeaseLostError, MessageStatus, OutboxMessage, SagaConflictError

SNAPSHOTS, SAGAS = [Capability.SNAPSHOTS], [Capability.SAGAS]
IDEMPOTENCY, OUTBOX = [Capability.IDEMPOTENCY], [Capability.OUTBOX]


class _SubStore:
    """Hands everything on to the inner one."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


class _LastWins(_SubStore):
    def save(self, stream_id: str, version: int, data: Any, **more: Any) -> Any:
        self.inner.delete(stream_id)
        return self.inner.save(stream_id, version, data, **more)


@breaks("SNAP-01", needs=SNAPSHOTS)
class TheLastSnapshotWins(Wrapped):
    """Overwrites a snapshot with an older one: a slow saver takes a stream's state back."""

    @property
    def snapshots(self) -> Any:
        return _LastWins(self.store.snapshots)


class _Upserted(_SubStore):
    def save(self, saga: Any, *, expected_version: int) -> Any:
        try:
            return self.inner.save(saga, expected_version=expected_version)
        except SagaConflictError:
            found = self.inner.load(saga.saga_id)
            return self.inner.save(saga, expected_version=found.version if found else 0)


@breaks("SAGA-01", needs=SAGAS)
class SagasAreUpserted(Wrapped):
    """Saves a saga whatever its version is: two workers undo each other's steps."""

    @property
    def sagas(self) -> Any:
        return _Upserted(self.store.sagas)


class _Everybody(_SubStore):
    def reserve(self, key: str, **more: Any) -> Any:
        found = self.inner.reserve(key, **more)
        return found if found.is_mine or found.record.completed else replace(found, token=uuid4())


@breaks("IDEM-01", needs=IDEMPOTENCY)
class EverybodyGetsTheKey(Wrapped):
    """Gives a key that somebody works on to the next caller as well."""

    @property
    def idempotency(self) -> Any:
        return _Everybody(self.store.idempotency)


class _Forgetful(_SubStore):
    def get(self, key: str) -> Any:
        found = self.inner.get(key)
        return found and replace(found, metadata={}, stream_id=None)


@breaks("IDEM-02", needs=IDEMPOTENCY)
class ForgetsFields(Wrapped):
    """Gives a key's record back without its metadata and its stream."""

    @property
    def idempotency(self) -> Any:
        return _Forgetful(self.store.idempotency)


@breaks("OUTBOX-01", needs=OUTBOX)
class MessagesBesideTheAppend(Wrapped):
    """Stores messages before their append, by themselves: they are sent though it is refused."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any, **more: Any) -> Any:
        events = list(events)
        messages = more.pop("outbox", ())
        messages = [messages] if isinstance(messages, OutboxMessage) else list(messages)
        told = [
            replace(it, stream_id=it.stream_id or stream_id, event_id=it.event_id or events[0].event_id)
            for it in messages
        ]
        if told:
            self.store.outbox.add(told)
        return self.store.append(stream_id, events, expected_version=expected_version, **more)


class _Heard(_SubStore):
    def complete(self, message: Any) -> None:
        try:
            self.inner.complete(message)
        except LeaseLostError:
            return


@breaks("OUTBOX-02", needs=OUTBOX)
class LateWorkersAreHeard(Wrapped):
    """Takes the acknowledgement of a worker whose lease has passed for good."""

    @property
    def outbox(self) -> Any:
        return _Heard(self.store.outbox)


class _Undying(_SubStore):
    def claim(self, worker: str, **more: Any) -> Any:
        claimed = list(self.inner.claim(worker, **more))
        for message in self.inner.dead_letters():
            self.inner.requeue(message.message_id)
        return claimed


@breaks("OUTBOX-03", needs=OUTBOX)
class PoisonNeverDies(Wrapped):
    """Gives a message that kills its workers to the next one for ever."""

    @property
    def outbox(self) -> Any:
        return _Undying(self.store.outbox)


class _Blocking(_SubStore):
    def claim(self, worker: str, **more: Any) -> Any:
        waiting = [it for it in self.inner.list(status=MessageStatus.PENDING) if it.attempts]
        return [] if waiting and waiting[0].last_error == "not now" else self.inner.claim(worker, **more)


@breaks("OUTBOX-04", needs=OUTBOX)
class ABadMessageStopsAll(Wrapped):
    """Claims nothing while a message that failed waits for its next attempt."""

    @property
    def outbox(self) -> Any:
        return _Blocking(self.store.outbox)


class _Unordered(_SubStore):
    def add(self, messages: Any) -> None:
        given = [messages] if isinstance(messages, OutboxMessage) else list(messages)
        self.inner.add([replace(it, ordered=False) for it in given])


@breaks("OUTBOX-04", needs=OUTBOX)
class OrderIsForgotten(Wrapped):
    """Gives the next message of a stream out while an earlier one waits for its next attempt."""

    @property
    def outbox(self) -> Any:
        return _Unordered(self.store.outbox)
