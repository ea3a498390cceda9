"""Checkpoints and leases without their guards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from mink_core import CheckpointConflictError
from tests.histories.twins.base import Wrapped

if TYPE_CHECKING:
    pass


class Beside(Wrapped):
    """A store whose checkpoints or subscriptions go through the twin."""

    @property
    def checkpoints(self) -> Any:
        return BrokenCheckpoints(self)

    @property
    def subscriptions(self) -> Any:
        return BrokenSubscriptions(self)

    def save(self, name: str, position: int, *, expected: Any, lease: Any) -> None:
        self.inner.checkpoints.save(name, position, expected=expected, lease=lease)

    def hold(self, name: str, owner: str, **options: Any) -> Any:
        return self.inner.subscriptions.hold(name, owner, **options)


class BrokenCheckpoints:
    def __init__(self, twin: Beside) -> None:
        self.twin = twin

    def __getattr__(self, name: str) -> Any:
        return getattr(self.twin.inner.checkpoints, name)

    def save(self, name: str, position: int, *, expected: Any, identity: Any = None, lease: Any = None) -> None:
        self.twin.save(name, position, expected=expected, lease=lease)


class BrokenSubscriptions:
    def __init__(self, twin: Beside) -> None:
        self.twin = twin

    def __getattr__(self, name: str) -> Any:
        return getattr(self.twin.inner.subscriptions, name)

    def hold(self, name: str, owner: str, **options: Any) -> Any:
        return self.twin.hold(name, owner, **options)


class LastSaveWins(Beside):
    """SUB-08: a checkpoint is looked at, then overwritten, whoever came in between."""

    def save(self, name: str, position: int, *, expected: Any, lease: Any) -> None:
        there = self.inner.checkpoints.load(name)
        at = None if there is None else there.position
        if at != expected:
            raise CheckpointConflictError(name, expected, at)
        self.inner.checkpoints.reset(name, position)


class StaleCheckpointConflict(Beside):
    """SUB-08: a conflict names the position that the caller expected."""

    def save(self, name: str, position: int, *, expected: Any, lease: Any) -> None:
        try:
            super().save(name, position, expected=expected, lease=lease)
        except CheckpointConflictError:
            raise CheckpointConflictError(name, expected, expected) from None


class NoFence(Beside):
    """SUB-09: a lease that was lost is not looked at."""

    def save(self, name: str, position: int, *, expected: Any, lease: Any) -> None:
        super().save(name, position, expected=expected, lease=None)


class LetsGoEarly(Beside):
    """SUB-09: a worker counts as alive for half of the time it was promised."""

    def hold(self, name: str, owner: str, *, partitions: int, seconds: float) -> Any:
        return super().hold(name, owner, partitions=partitions, seconds=seconds / 4)


class OneToken(Beside):
    """SUB-09: the token of a partition never changes."""

    def hold(self, name: str, owner: str, **options: Any) -> Any:
        holding = super().hold(name, owner, **options)
        leases = tuple(msgspec.structs.replace(lease, token=1) for lease in holding.leases)
        return msgspec.structs.replace(holding, leases=leases)
