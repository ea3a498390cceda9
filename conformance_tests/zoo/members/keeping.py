"""Snapshots, outboxes, keys and sagas that keep the wrong thing, or give one thing to two."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from msgspec.structs import replace

from conformance_tests.zoo.member import breaks
from conformance_tests.zoo.wrapped import Wrapped
from mink_core import Capability, LeaseLostError, SagaConflictError


class _Inner:
    """Hands everything on to the inner sub-store."""

    def __init__(self, inner: Any, shared: Any) -> None:
        self.inner = inner
        self.facts = shared.facts

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


class _Snapshots(_Inner):
    def save(self, stream_id: str, version: int, data: Any, **more: Any) -> bool:
        if not self.inner.save(stream_id, version, data, **more):
            self.inner.delete(stream_id)
            self.inner.save(stream_id, version, data, **more)
        return True


@breaks("SNAP-01", needs=[Capability.SNAPSHOTS])
class LastSnapshotWins(Wrapped):
    """An older snapshot overwrites a newer one."""

    @property
    def snapshots(self) -> Any:
        return _Snapshots(self.store.snapshots, self.shared)


@breaks("OUTBOX-01", needs=[Capability.OUTBOX, Capability.TRANSACTIONS])
class MessagesBeside(Wrapped):
    """Stores an append's messages beside its transaction: they are there when it is rolled back."""

    def __init__(self, store: Any, shared: Any, *, inside: bool = False) -> None:
        super().__init__(store, shared, inside=inside)
        if not inside:
            shared.facts["outside"] = store

    def append(self, stream_id: str, events: Any, *, expected_version: Any, outbox: Any = ()) -> Any:
        result = self.store.append(stream_id, events, expected_version=expected_version)
        if outbox:
            belonging = [replace(message, stream_id=message.stream_id or stream_id) for message in outbox]
            self.shared.facts["outside"].outbox.add(belonging)
        return result


class _Unfenced(_Inner):
    def complete(self, message: Any) -> None:
        with suppress(LeaseLostError):
            self.inner.complete(message)


@breaks("OUTBOX-02", needs=[Capability.OUTBOX])
class AcknowledgesLate(Wrapped):
    """Takes the acknowledgement of a worker whose lease has passed."""

    @property
    def outbox(self) -> Any:
        return _Unfenced(self.store.outbox, self.shared)


class _Twice(_Inner):
    def claim(self, worker: str, **more: Any) -> Any:
        claimed = list(self.inner.claim(worker, **more))
        last: list[Any] = self.facts.setdefault("claimed", [])
        again, last[:] = list(last), claimed
        return claimed or again


@breaks("OUTBOX-02", needs=[Capability.OUTBOX])
class ClaimsForTwo(Wrapped):
    """Gives messages that are claimed to the next worker as well."""

    @property
    def outbox(self) -> Any:
        return _Twice(self.store.outbox, self.shared)


class _CountsFailures(_Inner):
    def claim(self, worker: str, **more: Any) -> Any:
        return [replace(message, attempts=1) for message in self.inner.claim(worker, **more)]

    def dead_letters(self, **more: Any) -> Any:
        return [message for message in self.inner.dead_letters(**more) if message.last_error]


@breaks("OUTBOX-03", needs=[Capability.OUTBOX])
class CountsFailures(Wrapped):
    """Counts an attempt when it fails: a message that ends its workers is tried for ever."""

    @property
    def outbox(self) -> Any:
        return _CountsFailures(self.store.outbox, self.shared)


class _AtOnce(_Inner):
    def fail(self, message: Any, error: str, **more: Any) -> None:
        self.inner.fail(message, error, **{**more, "retry_in": 0.0})


@breaks("OUTBOX-04", needs=[Capability.OUTBOX])
class NoBackoff(Wrapped):
    """A failed message is due again at once."""

    @property
    def outbox(self) -> Any:
        return _AtOnce(self.store.outbox, self.shared)


class _LooksFirst(_Inner):
    def reserve(self, key: str, **more: Any) -> Any:
        found = self.inner.reserve(key, **more)
        if found.is_mine:
            self.facts[key] = found
        return found if found.record.completed else self.facts.get(key, found)


@breaks("IDEM-01", needs=[Capability.IDEMPOTENCY])
class KeyForTwo(Wrapped):
    """Gives a key that is reserved, but not completed, to the next caller as well."""

    @property
    def idempotency(self) -> Any:
        return _LooksFirst(self.store.idempotency, self.shared)


class _Forgetful(_Inner):
    def get(self, key: str) -> Any:
        found = self.inner.get(key)
        return found and replace(found, metadata={})


@breaks("IDEM-02", needs=[Capability.IDEMPOTENCY])
class KeyWithoutMetadata(Wrapped):
    """Does not keep a key's metadata."""

    @property
    def idempotency(self) -> Any:
        return _Forgetful(self.store.idempotency, self.shared)


class _Blind(_Inner):
    def save(self, saga: Any, *, expected_version: int) -> Any:
        try:
            return self.inner.save(saga, expected_version=expected_version)
        except SagaConflictError as error:
            if not error.actual:
                raise
            return self.inner.save(saga, expected_version=error.actual)


@breaks("SAGA-01", needs=[Capability.SAGAS])
class SavesSagasBlindly(Wrapped):
    """Saves a saga whatever its version is."""

    @property
    def sagas(self) -> Any:
        return _Blind(self.store.sagas, self.shared)


class _Reviving(_Inner):
    def save(self, saga: Any, *, expected_version: int) -> Any:
        try:
            return self.inner.save(saga, expected_version=expected_version)
        except SagaConflictError as error:
            if error.actual is not None or expected_version:
                raise
            return self.inner.save(replace(saga, saga_id=f"{saga.saga_id}'"), expected_version=0)


@breaks("SAGA-01", needs=[Capability.SAGAS])
class RevivesSagas(Wrapped):
    """Creates a saga again that was deleted."""

    @property
    def sagas(self) -> Any:
        return _Reviving(self.store.sagas, self.shared)
