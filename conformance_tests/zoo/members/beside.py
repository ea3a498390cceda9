"""Sub-stores of a transaction, some calls of which go to the store itself: done at once, and not undone."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from conformance_tests.zoo.member import breaks
from conformance_tests.zoo.wrapped import Wrapped
from mink_core import Capability

if TYPE_CHECKING:
    from collections.abc import Generator

TRANSACTIONS = Capability.TRANSACTIONS


class _Beside:
    def __init__(self, inside: Any, outside: Any, calls: frozenset[str]) -> None:
        self._inside = inside
        self._outside = outside
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        return getattr(self._outside if name in self._calls else self._inside, name)


class _CallsBeside(Wrapped):
    part: ClassVar[str]
    calls: ClassVar[frozenset[str]]

    @contextmanager
    def _transaction(self, transaction: Any) -> Generator[Any]:
        with transaction as opened:
            inner = type(self)(opened, self.shared, inside=True)
            inner.__dict__["outside"] = self.store
            yield inner

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.store, name)
        outside = self.__dict__.get("outside")
        if name != self.part or outside is None:
            return found
        return _Beside(found, getattr(outside, name), self.calls)


@breaks("OUTBOX-02", "TX-01", needs=[Capability.OUTBOX, TRANSACTIONS])
class ClaimsBesideIt(_CallsBeside):
    """Claims messages in a transaction of its own: what is rolled back with its caller's waits for the lease's end."""

    part, calls = "outbox", frozenset({"claim"})


@breaks("OUTBOX-02", "TX-01", needs=[Capability.OUTBOX, TRANSACTIONS])
class AcknowledgesBesideIt(_CallsBeside):
    """Takes a message for done at once: when the transaction is rolled back, its effects are gone and it stays done."""

    part, calls = "outbox", frozenset({"complete", "fail", "settle", "requeue"})


@breaks("SAGA-03", "TX-01", needs=[Capability.SAGAS, TRANSACTIONS])
class SagasEndBesideIt(_CallsBeside):
    """Claims and deletes sagas at once, whatever becomes of the transaction."""

    part, calls = "sagas", frozenset({"claim_due", "delete"})


@breaks("IDEM-01", "TX-01", needs=[Capability.IDEMPOTENCY, TRANSACTIONS])
class ReleasesBesideIt(_CallsBeside):
    """Gives a key back at once: after a rollback somebody else has it."""

    part, calls = "idempotency", frozenset({"release"})


@breaks("SNAP-02", "TX-01", needs=[Capability.SNAPSHOTS, TRANSACTIONS])
class DeletesSnapshotsBesideIt(_CallsBeside):
    """Deletes snapshots at once, whatever becomes of the transaction."""

    part, calls = "snapshots", frozenset({"delete"})


@breaks("SNAP-03", "TX-01", needs=[Capability.SNAPSHOTS, TRANSACTIONS])
class TailsFromOutside(_CallsBeside):
    """Inside a transaction, a tail has not what that has appended: the state is decided on without it."""

    part, calls = "snapshots", frozenset({"load_with_tail"})


@breaks("SUB-08", "TX-01", needs=[Capability.CHECKPOINTS, TRANSACTIONS])
class ResetsBesideIt(_CallsBeside):
    """Resets a checkpoint at once, whatever becomes of the transaction."""

    part, calls = "checkpoints", frozenset({"reset"})
