"""Checkpoints that anybody may move, that are never missing, or that are saved by themselves."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from conformance_tests.zoo.member import breaks
from conformance_tests.zoo.wrapped import Wrapped
from mink_core import Capability, CheckpointConflictError

CHECKPOINTS = [Capability.CHECKPOINTS]


class _Checkpoints:
    """Hands everything on to the inner ones."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def position(self, name: str) -> int | None:
        found = self.inner.load(name)
        return None if found is None else found.position


class _Kept(Wrapped):
    """Has checkpoints of its own kind."""

    kind: type[_Checkpoints]

    @property
    def checkpoints(self) -> Any:
        return self.kind(self.store.checkpoints)


class _Blind(_Checkpoints):
    def save(self, name: str, position: int, *, expected: int | None, **more: Any) -> None:
        try:
            self.inner.save(name, position, expected=expected, **more)
        except CheckpointConflictError:
            self.inner.reset(name, position)


@breaks("SUB-08", needs=CHECKPOINTS)
class BlindUpsert(_Kept):
    """Saves a checkpoint whatever it is now: a worker that was replaced moves it."""

    kind = _Blind


class _Compared(_Checkpoints):
    def save(self, name: str, position: int, *, expected: int | None, **more: Any) -> None:
        actual = self.position(name)
        if actual == expected and expected is not None and position >= expected:
            self.inner.reset(name, position)
        else:
            self.inner.save(name, position, expected=expected, **more)


@breaks("SUB-08", needs=CHECKPOINTS)
class LooksThenSaves(_Kept):
    """Compares a checkpoint and saves it in two steps: two workers can win, and the identity is lost."""

    kind = _Compared


class _NeverMissing(_Checkpoints):
    def save(self, name: str, position: int, *, expected: int | None, **more: Any) -> None:
        missing = self.position(name) is None
        self.inner.save(name, position, expected=None if missing and expected == 0 else expected, **more)


@breaks("SUB-08", needs=CHECKPOINTS)
class NoneIsZero(_Kept):
    """Takes a missing checkpoint for one at 0."""

    kind = _NeverMissing


class _Backwards(_Checkpoints):
    def save(self, name: str, position: int, *, expected: int | None, **more: Any) -> None:
        if type(position) is int and type(expected) is int and 0 <= position < expected == self.position(name):
            self.inner.reset(name, position)
        else:
            self.inner.save(name, position, expected=expected, **more)


@breaks("SUB-08", needs=CHECKPOINTS)
class SavesBackwards(_Kept):
    """Saves a position below the one before it."""

    kind = _Backwards


class _Cached(_Checkpoints):
    cache: dict[str, Any]

    def load(self, name: str) -> Any:
        if name not in self.cache:
            self.cache[name] = self.inner.load(name)
        return self.cache[name]

    def save(self, name: str, position: int, **more: Any) -> None:
        self.inner.save(name, position, **more)
        self.cache.pop(name, None)


@breaks("SUB-08", needs=CHECKPOINTS)
class StaleCheckpoint(Wrapped):
    """Each handle remembers the checkpoints that it has loaded."""

    @property
    def checkpoints(self) -> Any:
        found = _Cached(self.store.checkpoints)
        found.cache = self.__dict__.setdefault("_remembered", {})
        return found


class _WithoutHistory(_Checkpoints):
    def load(self, name: str) -> Any:
        found = self.inner.load(name)
        return found and replace(found, identity=None)


@breaks("SUB-08", needs=CHECKPOINTS)
class ForgetsTheHistory(_Kept):
    """Keeps the position without the identity of the history that it is from."""

    kind = _WithoutHistory


@breaks("SUB-08", "TX-01", needs=[*CHECKPOINTS, Capability.TRANSACTIONS])
class SavedByItself(Wrapped):
    """A transaction's checkpoints are saved at once, beside it."""

    def __init__(self, store: Any, shared: Any, *, inside: bool = False) -> None:
        super().__init__(store, shared, inside=inside)
        if not inside:
            shared.facts["outside"] = store

    @property
    def checkpoints(self) -> Any:
        return self.shared.facts["outside"].checkpoints


class _Unfenced(_Checkpoints):
    def save(self, name: str, position: int, **more: Any) -> None:
        self.inner.save(name, position, **{**more, "lease": None})


@breaks("SUB-09", "SUB-08", needs=[*CHECKPOINTS, Capability.PARTITIONS])
class SavesWithoutTheLease(_Kept):
    """Does not look at the lease that a checkpoint is saved under: a worker that was replaced moves it on."""

    kind = _Unfenced
