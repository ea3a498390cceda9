"""Sub-stores with a fault that one check alone is there for."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from conformance_tests.zoo.member import breaks
from conformance_tests.zoo.part import Part
from conformance_tests.zoo.wrapped import Wrapped
from mink_core import Capability, SagaConflictError


class _Trimming(Part):
    def load(self, name: Any) -> Any:
        return self.inner.load(self._trimmed(name))

    def save(self, name: Any, *arguments: Any, **more: Any) -> Any:
        return self.inner.save(self._trimmed(name), *arguments, **more)

    @staticmethod
    def _trimmed(name: Any) -> Any:
        return (name.rstrip(" ") or name) if isinstance(name, str) else name


@breaks("SUB-08", needs=[Capability.CHECKPOINTS])
class TrimsCheckpointNames(Wrapped):
    """Keeps names of checkpoints in a column that drops trailing blanks: two subscriptions share one."""

    @property
    def checkpoints(self) -> Any:
        return _Trimming(self.store.checkpoints, self)


class _Forgetful(Part):
    def save(self, saga: Any, *, expected_version: int, **more: Any) -> Any:
        try:
            return self.inner.save(saga, expected_version=expected_version, **more)
        except SagaConflictError as error:
            if error.actual is not None or expected_version:
                raise
            return replace(saga, version=1)


@breaks("SAGA-01", needs=[Capability.SAGAS])
class NewOverDeleted(Wrapped):
    """Says of a new saga under the id of a deleted one that it was saved."""

    @property
    def sagas(self) -> Any:
        return _Forgetful(self.store.sagas, self)


class _Sorting(Part):
    def claim(self, worker: str, **more: Any) -> Any:
        return sorted(self.inner.claim(worker, **more), key=lambda it: it.position)


@breaks("OUTBOX-03", needs=[Capability.OUTBOX])
class SuspectsFirst(Wrapped):
    """Gives what is due in the order of storing alone: a message that ends its workers comes before the others."""

    @property
    def outbox(self) -> Any:
        return _Sorting(self.store.outbox, self)
