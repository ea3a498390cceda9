"""Targets for the kit's own tests: sound ones, and ones broken in one place."""

from __future__ import annotations

import time
from typing import Any

from mink_core import Capability, ConcurrencyError, ExpectedVersion
from mink_memory import AsyncMemoryEventStore, MemoryEventStore, forget


def sound(namespace: str) -> MemoryEventStore:
    return MemoryEventStore(namespace)


sound.drop = forget  # type: ignore[attr-defined]


def sound_async(namespace: str) -> AsyncMemoryEventStore:
    return AsyncMemoryEventStore(namespace)


class _ExistsIsAny(MemoryEventStore):
    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        if expected_version is ExpectedVersion.STREAM_EXISTS:
            expected_version = ExpectedVersion.ANY
        return super().append(stream_id, events, expected_version=expected_version)


def exists_is_any(namespace: str) -> MemoryEventStore:
    return _ExistsIsAny(namespace)


class _Hanging(MemoryEventStore):
    def stream_info(self, stream_id: str) -> Any:
        while True:
            self.feed_status()


def hanging(namespace: str) -> MemoryEventStore:
    return _Hanging(namespace)


class _WithoutBatches(MemoryEventStore):
    """Does not declare batches, and answers them with another error than it should."""

    @property
    def capabilities(self) -> frozenset[Capability]:
        return super().capabilities - {Capability.APPEND_BATCH}

    def append_batch(self, items: Any) -> Any:
        raise NotImplementedError


def without_batches(namespace: str) -> MemoryEventStore:
    return _WithoutBatches(namespace)


class _WrongActual(MemoryEventStore):
    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        try:
            return super().append(stream_id, events, expected_version=expected_version)
        except ConcurrencyError as error:
            raise ConcurrencyError(error.stream_id, error.expected, error.actual + 1) from None


def wrong_actual(namespace: str) -> MemoryEventStore:
    return _WrongActual(namespace)


class _Slow(MemoryEventStore):
    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        time.sleep(0.01)
        return super().append(stream_id, events, expected_version=expected_version)


def slow(namespace: str) -> MemoryEventStore:
    return _Slow(namespace)


class _LateCheckpoints:
    """Takes its time to store what a worker has handled, as a disk may; its store may be closed meanwhile."""

    def __init__(self, checkpoints: Any) -> None:
        self._checkpoints = checkpoints

    def __getattr__(self, name: str) -> Any:
        return getattr(self._checkpoints, name)

    def save(self, name: str, position: int, *, expected: int | None, **more: Any) -> None:
        if expected is not None:
            time.sleep(0.05)
        self._checkpoints.save(name, position, expected=expected, **more)


class _SavesLate(MemoryEventStore):
    @property
    def checkpoints(self) -> Any:
        return _LateCheckpoints(super().checkpoints)


def saves_late(namespace: str) -> MemoryEventStore:
    return _SavesLate(namespace)


NOT_CALLABLE = 1
