"""Sub-stores that are broken where few look: at the second claim, after a stale release, beside what was redacted."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from msgspec.structs import replace

from conformance_tests.zoo.member import breaks
from conformance_tests.zoo.part import Part
from conformance_tests.zoo.wrapped import Wrapped
from mink_core import Capability, LeaseLostError, StoreClosedError


class _AnyRelease(Part):
    def hold(self, name: str, owner: str, **more: Any) -> Any:
        found = self.inner.hold(name, owner, **more)
        self.owner.shared.facts.update({(name, lease.partition): lease for lease in found.leases})
        return found

    def release(self, lease: Any) -> None:
        self.inner.release(self.owner.shared.facts.get((lease.subscription, lease.partition), lease))


@breaks("SUB-09", needs=[Capability.DURABLE_SUBSCRIPTIONS, Capability.PARTITIONS])
class StaleReleasesCount(Wrapped):
    """Hands a partition back whatever the token: a worker that was replaced frees its successor's."""

    @property
    def subscriptions(self) -> Any:
        return _AnyRelease(self.store.subscriptions, self)


class _KeepsParked(Part):
    def reset(self, name: str) -> None:
        parked = self.owner.store.parked.list(name)
        events = {event.global_position: event for event in self.owner.store.read_all()}
        self.inner.reset(name)
        for one in parked:
            self.owner.store.parked.park(name, events[one.global_position], attempts=one.attempts, error=one.error)


@breaks("SUB-10", needs=[Capability.DURABLE_SUBSCRIPTIONS])
class ResetKeepsParkedEvents(Wrapped):
    """Forgets a subscription, and not what it had parked."""

    @property
    def subscriptions(self) -> Any:
        return _KeepsParked(self.store.subscriptions, self)


class _OneToken(Part):
    """One token a worker and message: the newest claim's stands behind it."""

    def claim(self, worker: str, **more: Any) -> Any:
        facts, told = self.owner.shared.facts, []
        for one in self.inner.claim(worker, **more):
            facts[one.message_id] = one
            told.append(replace(one, token=facts.setdefault((worker, one.message_id), one.token)))
        return told

    def _newest(self, message: Any) -> Any:
        one = self.owner.shared.facts.get(message.message_id, message)
        known = self.owner.shared.facts.get((one.claimed_by, one.message_id))
        return one if known == message.token else message

    def settle(self, verdicts: Any) -> Any:
        return self.inner.settle([replace(one, message=self._newest(one.message)) for one in verdicts])

    def complete(self, message: Any) -> None:
        self.inner.complete(self._newest(message))

    def fail(self, message: Any, error: str, **more: Any) -> None:
        self.inner.fail(self._newest(message), error, **more)


@breaks("OUTBOX-02", needs=[Capability.OUTBOX])
class ATokenForEachWorker(Wrapped):
    """Gives a worker the token that it had: what it says of an earlier claim is taken for the newest."""

    @property
    def outbox(self) -> Any:
        return _OneToken(self.store.outbox, self)


class _UnorderedAdds(Part):
    def add(self, messages: Any) -> None:
        given = [messages] if hasattr(messages, "ordered") else list(messages)
        self.inner.add([replace(one, ordered=False) for one in given])


@breaks("OUTBOX-04", needs=[Capability.OUTBOX])
class OrderOfAppendsOnly(Wrapped):
    """Keeps the order of messages that came with an append, and not of those that were added."""

    @property
    def outbox(self) -> Any:
        return _UnorderedAdds(self.store.outbox, self)


class _NoneIsOpen(Part):
    def reserve(self, key: str, **more: Any) -> Any:
        found = self.inner.reserve(key, **more)
        record = found.record
        return replace(found, record=replace(record, completed=record.response is not None))


@breaks("IDEM-02", needs=[Capability.IDEMPOTENCY])
class NoneIsNoResponse(Wrapped):
    """Takes a key for open whose response is None."""

    @property
    def idempotency(self) -> Any:
        return _NoneIsOpen(self.store.idempotency, self)


class _Overwriting(Part):
    def complete(self, reservation: Any, response: Any, **more: Any) -> Any:
        try:
            return self.inner.complete(reservation, response, **more)
        except LeaseLostError:
            found = self.inner.get(reservation.record.key)
            if found is None or not found.completed:
                raise
            return replace(found, response=response)


@breaks("IDEM-01", needs=[Capability.IDEMPOTENCY])
class ASecondResponseIsTaken(Wrapped):
    """Says of a second response that it was stored."""

    @property
    def idempotency(self) -> Any:
        return _Overwriting(self.store.idempotency, self)


class _Three(Part):
    def save(self, *arguments: Any, keep: int = 1, **more: Any) -> Any:
        return self.inner.save(*arguments, keep=max(keep, 3), **more)


@breaks("SNAP-02", needs=[Capability.SNAPSHOTS])
class KeepsThreeSnapshots(Wrapped):
    """Keeps three snapshots at least, also where one is asked for."""

    @property
    def snapshots(self) -> Any:
        return _Three(self.store.snapshots, self)


class _FirstStatus(Part):
    def find(self, *, statuses: Any = (), **more: Any) -> Any:
        return self.inner.find(statuses=statuses[:1], **more)


@breaks("SAGA-01", needs=[Capability.SAGAS])
class TheFirstStatusOnly(Wrapped):
    """Finds sagas of the first status that is asked for."""

    @property
    def sagas(self) -> Any:
        return _FirstStatus(self.store.sagas, self)


class _EveryType(Part):
    def claim_due(self, *, saga_type: Any = None, **more: Any) -> Any:
        del saga_type
        return self.inner.claim_due(**more)


@breaks("SAGA-03", needs=[Capability.SAGAS])
class ClaimsSagasOfOthers(Wrapped):
    """Gives a worker due sagas of every type."""

    @property
    def sagas(self) -> Any:
        return _EveryType(self.store.sagas, self)


class _NeverClosed(Part):
    def get(self, key: str) -> Any:
        with suppress(StoreClosedError):
            return self.inner.get(key)
        return None


@breaks("LIFE-01", needs=[Capability.IDEMPOTENCY])
class SubStoresOutliveTheStore(Wrapped):
    """Answers from a sub-store of a closed store, as if there were nothing."""

    @property
    def idempotency(self) -> Any:
        return _NeverClosed(self.store.idempotency, self)
